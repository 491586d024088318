/**
 * What the main thread and a data worker say to each other. Private to `lib/service`.
 *
 * A data worker's loop blocks its event loop, so after `start` nothing the main thread posts reaches it:
 * the rest goes through the {@link ControlBlock}.
 */
import type { ErrorDescription } from "./describe_error.ts";
import type { LogLevel } from "./logging.ts";

/** Main thread → worker, once, in answer to `loaded`. */
export interface StartMessage {
  type: "start";
  init: unknown;
  control: SharedArrayBuffer;
}

/** Worker → main thread. */
export type WorkerMessage =
  | { type: "loaded" }
  | { type: "ready"; info: unknown }
  | { type: "log"; level: LogLevel; message: string; properties: Record<string, unknown> }
  | { type: "ended" }
  | { type: "failed"; error: ErrorDescription };

/**
 * Shared memory between the main thread and one data worker:
 *
 * | offset, B | type | what | who writes |
 * |---|---|---|---|
 * | 0 | i32 | 1 when the worker is to stop | main thread |
 * | 64 | i64 × n | counters, in the order of their names | worker |
 */
export class ControlBlock {
  static readonly #COUNTERS = 64;
  readonly buffer: SharedArrayBuffer;
  /** One per name. */
  readonly counters: BigInt64Array<SharedArrayBuffer>;
  readonly #stop: Int32Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#stop = new Int32Array(buffer, 0, 1);
    this.counters = new BigInt64Array(buffer, ControlBlock.#COUNTERS);
  }

  /** A block for `nCounters` counters, all zero. */
  static create(nCounters: number): ControlBlock {
    return new ControlBlock(new SharedArrayBuffer(ControlBlock.#COUNTERS + 8 * nCounters));
  }

  get stopping(): boolean {
    return Atomics.load(this.#stop, 0) !== 0;
  }

  requestStop(): void {
    Atomics.store(this.#stop, 0, 1);
    Atomics.notify(this.#stop, 0);
  }

  /** Blocks the calling worker until a stop is requested or the time is over. */
  pause(milliseconds: number): void {
    Atomics.wait(this.#stop, 0, 0, milliseconds);
  }
}
