/**
 * Answers questions to a running `daq run`: how it is, and whether it goes over to another config.
 *
 * @module
 */
import { loadConfig } from "../../lib/config/mod.ts";
import type { DaqClient } from "../../lib/http/mod.ts";
import { decodeRunRequest, encodeRunMessage, type RunAnswer } from "../../lib/protocol/mod.ts";
import type { ServiceUpdate, Supervisor } from "../../lib/service/mod.ts";
import type { Socket } from "../../lib/zmq/mod.ts";
import type { RunningPipeline } from "./running_pipeline.ts";

/** What questions are about. */
export interface RunControlOptions {
  pipeline: RunningPipeline;
  supervisor: Supervisor;
  client: DaqClient;
  /** File that `apply` reads. */
  configPath: string;
  /** Told of what was done. */
  onNote(message: string): void;
}

/** Answers the questions on a REP socket, one after the other, until the signal aborts. */
export async function serveRunControl(
  socket: Socket,
  options: RunControlOptions,
  signal: AbortSignal,
): Promise<void> {
  for await (const [question] of socket.messages({ signal })) {
    const answer = await answerTo(question ?? new Uint8Array(), options);
    await socket.send(encodeRunMessage(answer), { signal });
  }
}

/** Does what is asked for; whatever goes wrong is the answer. */
async function answerTo(question: Uint8Array, options: RunControlOptions): Promise<RunAnswer> {
  const { pipeline, supervisor, client, configPath, onNote } = options;
  try {
    const { command } = decodeRunRequest(question);
    let update: ServiceUpdate = { started: [], awayMs: 0 };
    if (command === "apply") {
      const { config, warnings } = await loadConfig(configPath);
      for (const warning of warnings) onNote(`config: ${warning}`);
      update = await pipeline.apply(config);
      onNote(`another config: started again ${update.started.join(", ") || "nothing"}`);
    }
    const services = Object.fromEntries(
      supervisor.status().map(({ name, state }) => [name, state]),
    );
    const { started: restarted, awayMs: away_ms } = update;
    const acquiring = await isAcquiring(client);
    return { status: "ok", run: { acquiring, services, restarted, away_ms } };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    onNote(`refused: ${message}`);
    return { status: "error", message };
  }
}

/** An agent that does not answer has no acquisition that could be spared. */
async function isAcquiring(client: DaqClient): Promise<boolean> {
  try {
    return (await client.status(AbortSignal.timeout(2_000))).state === "WRITING";
  } catch {
    return false;
  }
}
