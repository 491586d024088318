/**
 * Answers questions about the calibration, and changes it.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import {
  type CalibrationAnswer,
  type CalibrationRequest,
  decodeCalibrationRequest,
  encodeCalibrationMessage,
} from "../../lib/protocol/mod.ts";
import type { Socket } from "../../lib/zmq/mod.ts";
import type { Correction } from "./correction.ts";

/** Answers the questions on a REP socket, one after the other, until the signal aborts. */
export async function serveCalibrations(
  socket: Socket,
  correction: Correction,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  for await (const [question] of socket.messages({ signal })) {
    const answer = await answerTo(question ?? new Uint8Array(), correction);
    if (answer.status === "error") logger.warn("calibration refused: {message}", { ...answer });
    await socket.send(encodeCalibrationMessage(answer), { signal });
  }
}

/** Does what is asked for; whatever goes wrong is the answer. */
async function answerTo(question: Uint8Array, correction: Correction): Promise<CalibrationAnswer> {
  try {
    await obey(decodeCalibrationRequest(question), correction);
    return { status: "ok", calibration: correction.state() };
  } catch (error) {
    return { status: "error", message: error instanceof Error ? error.message : String(error) };
  }
}

async function obey(request: CalibrationRequest, correction: Correction): Promise<void> {
  if (request.command === "load") await correction.loadPedestal(request.file);
  await correction.settled();
}
