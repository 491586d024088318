/**
 * Asks a running assembler about its calibration.
 *
 * @module
 */
import type { DetectorConfig } from "../../lib/config/mod.ts";
import {
  calibrationAddress,
  type CalibrationRequest,
  type CalibrationState,
  decodeCalibrationAnswer,
  DEFAULT_IPC_FOLDER,
  encodeCalibrationMessage,
} from "../../lib/protocol/mod.ts";
import { UsageError } from "../../lib/service/mod.ts";
import type { DaqContext } from "./context.ts";

/** Reading large maps takes seconds; images of the former calibration may take some, too. */
const TIMEOUT_MS = 120_000;

/** The assembler refused, or did not answer. */
export class CalibrationRefusedError extends Error {
  /** The class's name. */
  override readonly name = "CalibrationRefusedError";
}

/**
 * Asks the assembler of a detector on this machine; the answer to `load` comes when the calibration is
 * in force.
 *
 * @throws {UsageError} If the detector's images are not corrected.
 * @throws {CalibrationRefusedError} If it does not run, or says no.
 */
export async function askAssembler(
  config: DetectorConfig,
  request: CalibrationRequest,
  context: Pick<DaqContext, "env" | "signal">,
): Promise<CalibrationState> {
  if (config.detector_type !== "jungfrau-converted") {
    throw new UsageError(
      `${config.detector_name} is of type ${config.detector_type}, whose images are not corrected: ` +
        "detector_type jungfrau-converted has calibrations",
    );
  }
  // System calls are for the commands that need them.
  const { Socket, ZmqError } = await import("../../lib/zmq/mod.ts");
  const folder = context.env("STD_DAQ_IPC_DIR") ?? DEFAULT_IPC_FOLDER;
  const address = calibrationAddress(config.detector_name, folder);
  const { signal } = context;
  using socket = new Socket("REQ", { immediate: true });
  socket.connect(address);
  try {
    await socket.send(encodeCalibrationMessage(request), { signal, timeoutMs: 5_000 });
    const [bytes] = await socket.receive({ signal, timeoutMs: TIMEOUT_MS });
    const answer = decodeCalibrationAnswer(bytes ?? new Uint8Array());
    if (answer.status === "ok") return answer.calibration;
    throw new CalibrationRefusedError(`the calibration stays as it is: ${answer.message}`);
  } catch (cause) {
    if (!(cause instanceof ZmqError && cause.code === "ETIMEDOUT")) throw cause;
    throw new CalibrationRefusedError(
      `no answer from the assembler of ${config.detector_name} at ${address}: start it (daq run)`,
      { cause },
    );
  }
}
