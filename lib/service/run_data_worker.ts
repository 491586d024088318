import { ControlBlock, type StartMessage, type WorkerMessage } from "./_worker_messages.ts";
import { describeError } from "./describe_error.ts";
import type { LogLevel } from "./logging.ts";

/** What a data worker's function has of the outside. */
export interface DataWorkerControl {
  /** Whether the loop must end now. An atomic load: cheap enough for every batch. */
  readonly stopping: boolean;
  /**
   * Shared with the main thread, one per name given to `startDataWorker`. Only this worker writes:
   * `counters[i]! += n` is enough.
   */
  readonly counters: BigInt64Array<SharedArrayBuffer>;
  /** Logs a ready-made text (no placeholders), from inside the loop too. Limit the rate yourself. */
  log(level: LogLevel, message: string, properties?: Record<string, unknown>): void;
  /** Tells the main thread that work can come. */
  ready(info?: unknown): void;
  /** Blocks until a stop is requested or the time is over, ms. */
  pause(milliseconds: number): void;
}

/** The scope of a dedicated Worker, which Deno's window types do not have. */
interface WorkerScope {
  postMessage(message: WorkerMessage): void;
  onmessage: ((event: MessageEvent<StartMessage>) => void) | null;
}

/**
 * Makes the calling Worker a data worker: runs `body` when the main thread has sent `init`. To be called once,
 * from the worker's module.
 *
 * `body` may be synchronous and block its thread for good, in steps of at most 50 ms, if it looks at
 * `control.stopping` between them. Returning ends the worker; throwing is reported to the main thread.
 *
 * A worker's module takes it from this file: `mod.ts` brings all that a service needs and its threads do
 * not (command line, Redis, broker, supervision), which each Worker would load once more.
 *
 * @param body The work. `Init` is what the starter gave: both sides share its type.
 */
export function runDataWorker<Init>(
  body: (init: Init, control: DataWorkerControl) => void | Promise<void>,
): void {
  const scope = globalThis as unknown as WorkerScope; // this module only runs in a Worker

  scope.onmessage = async ({ data }): Promise<void> => {
    const block = new ControlBlock(data.control);
    const control: DataWorkerControl = {
      get stopping(): boolean {
        return block.stopping;
      },
      counters: block.counters,
      log: (level, message, properties = {}) =>
        scope.postMessage({ type: "log", level, message, properties }),
      ready: (info) => scope.postMessage({ type: "ready", info }),
      pause: (milliseconds) => block.pause(milliseconds),
    };
    try {
      await body(data.init as Init, control); // the two sides share the type
      scope.postMessage({ type: "ended" });
    } catch (error) {
      scope.postMessage({ type: "failed", error: describeError(error) });
    }
  };
  scope.postMessage({ type: "loaded" });
}
