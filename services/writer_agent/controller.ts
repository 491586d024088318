/**
 * Carries out what the acquisition state machine wants.
 *
 * @module
 */
import {
  type AcquisitionEffect,
  type AcquisitionEvent,
  type AcquisitionLimits,
  type AcquisitionState,
  type AcquisitionStatus,
  canTakeImage,
  INITIAL_STATE,
  nextDeadline,
  type StartFailure,
  type StartRequest,
  statusOf,
  transition,
  type WriterStatus,
} from "../../lib/acquisition/mod.ts";
import type { RunGate } from "../../lib/acquisition/run_locks.ts";
import { DTYPE_BYTES, type ImageMetadata } from "../../lib/protocol/mod.ts";
import type { Clock, ImageSource, WriterPort } from "./ports.ts";
import { SYSTEM_CLOCK } from "./ports.ts";

/** Slots assumed as long as there is no image ring to ask: the reference's count. */
export const REFERENCE_SLOTS = 1000;
/**
 * Longest time that a writer may be at making, closing or syncing files, ms: what a page cache holds is on a
 * slow disk by then. Whether its process is still there is looked at meanwhile.
 */
export const WORK_TIMEOUT_MS = 600_000;
/** After so many images without waiting, other work gets its turn. */
const IMAGES_PER_TURN = 256;
/** So many runs are remembered after their end, for who waits for one of them. */
export const REMEMBERED_RUNS = 100;

/** What became of a start. */
export type StartOutcome =
  /** Images are taken; `ended` gives the status at the end of this very run. */
  | { readonly ok: true; readonly ended: Promise<WriterStatus> }
  | { readonly ok: false; readonly why: StartFailure; readonly message: string };

/** Images and bytes that were written since the agent started. */
export interface WrittenTotals {
  readonly images: bigint;
  readonly bytes: bigint;
}

/** What a controller works with. */
export interface ControllerOptions {
  readonly writer: WriterPort;
  readonly images: ImageSource;
  /** Asked for leave before each run; default: there always is. */
  readonly gate?: RunGate;
  /** The writer is lost when it owes an answer for so long, ms; default 5000. */
  readonly writerTimeoutMs?: number;
  /** A lost writer is asked again after so long, ms; default 1000. */
  readonly retryMs?: number;
  readonly clock?: Clock;
  /** For what users need not see. */
  readonly onNote?: (message: string) => void;
  /** Every change of the public states. */
  readonly onChange?: (status: WriterStatus) => void;
}

/** Runs acquisitions, one at a time. */
export class AcquisitionController {
  #state: AcquisitionState = INITIAL_STATE;
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #settled = new Set<() => void>();
  #start: PromiseWithResolvers<StartOutcome> | undefined;
  #end = Promise.withResolvers<WriterStatus>();
  /** The last runs that have ended, the latest first. */
  #ended: readonly AcquisitionStatus[] = [];
  #images: AbortController | undefined;
  #capacity: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  /** When the timer goes off, monotonic ms. */
  #timerAt = Infinity;
  #imageBytes = 0;
  #closed = false;
  /** Leave for the run that is under way. */
  #leave: Disposable | undefined;
  #totals: WrittenTotals = { images: 0n, bytes: 0n };

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    options.writer.listen({
      onAnswer: (answer) => this.#dispatch({ kind: "answer", answer }),
      onWorking: (working) => this.#dispatch({ kind: "working", working }),
      onFailure: (reason) => this.#dispatch({ kind: "send_failed", reason }),
    });
  }

  /** The writer and the current or last acquisition. */
  get status(): WriterStatus {
    return statusOf(this.#state);
  }

  /**
   * The writer and the run of an id: the current one, or the latest of it among the last
   * {@link REMEMBERED_RUNS}; undefined if it is none of them.
   */
  statusOfRun(runId: bigint): WriterStatus | undefined {
    const { state, acquisition: current } = this.status;
    const acquisition = [current, ...this.#ended].find(({ info }) => info.runId === runId);
    return acquisition && { state, acquisition };
  }

  /** What was written since the agent started. */
  get totals(): WrittenTotals {
    return this.#totals;
  }

  /** Starts an acquisition; resolves when images are taken, or it is clear that they will not be. */
  start(request: StartRequest): Promise<StartOutcome> {
    const leave = this.#leave ?? this.#options.gate?.enter();
    if (leave !== undefined && "refused" in leave) {
      return Promise.resolve({ ok: false, why: "deploying", message: leave.refused });
    }
    this.#leave = leave;
    // A start that is not refused replaces none: the machine refuses while one is pending.
    const pending = Promise.withResolvers<StartOutcome>();
    const refused = this.#dispatch({ kind: "start", request }, pending);
    return refused === undefined ? pending.promise : Promise.resolve(refused);
  }

  /** Has a file that an agent before this one left open closed, and tells of its run; its leave is over. */
  closeOrphan(): void {
    const leave = this.#options.gate?.enter();
    if (leave !== undefined && !("refused" in leave)) leave[Symbol.dispose]();
    this.#dispatch({ kind: "driver_started" });
  }

  /** Ends the acquisition early; resolves when that is done, or the writer turned out to be lost. */
  async stop(): Promise<void> {
    this.#dispatch({ kind: "stop" });
    await this.untilSettled();
  }

  /** Resolves when no acquisition runs and no answer of the writer is awaited. */
  untilSettled(): Promise<void> {
    if (isSettled(this.#state)) return Promise.resolve();
    return new Promise((resolve) => this.#settled.add(resolve));
  }

  /** Takes timers and image following down. */
  close(): void {
    this.#closed = true;
    this.#images?.abort();
    this.#capacity?.();
    this.#clearTimer();
    this.#leave?.[Symbol.dispose]();
    this.#leave = undefined;
  }

  /** @returns Why a start was refused, if it was. */
  #dispatch(
    event: AcquisitionEvent,
    start?: PromiseWithResolvers<StartOutcome>,
  ): StartOutcome | undefined {
    const before = this.#state;
    const { state, effects } = transition(before, event, this.#clock.now(), this.#limits());
    this.#state = state;
    if (before.phase !== state.phase) this.#clearTimer();
    this.#count(before, state);
    let refused: StartOutcome | undefined;
    if (start !== undefined && !effects.some(({ kind }) => kind === "start_refused")) {
      this.#start = start;
      this.#end = Promise.withResolvers();
    }
    for (const effect of effects) {
      if (effect.kind === "start_refused") {
        refused = { ok: false, why: effect.why, message: effect.message };
      } else this.#carryOut(effect);
    }
    this.#setTimer();
    this.#wake();
    const ended = effects.some(({ kind }) => kind === "ended");
    const isOfNote = !["image", "answer", "working"].includes(event.kind);
    if (isOfNote || ended || before.phase !== state.phase) {
      this.#options.onChange?.(this.status);
    }
    return refused;
  }

  #carryOut(effect: Exclude<AcquisitionEffect, { kind: "start_refused" }>): void {
    const { writer, onNote } = this.#options;
    switch (effect.kind) {
      case "send":
        return writer.send(effect.command);
      case "drop_unsent":
        return writer.dropUnsent();
      case "start_images":
        return void this.#followImages();
      case "stop_images":
        return this.#images?.abort();
      case "started":
        return this.#settleStart({ ok: true, ended: this.#end.promise });
      case "start_failed":
        return this.#settleStart({ ok: false, why: effect.why, message: effect.message });
      case "ended":
        return this.#settleEnd(this.status);
      case "note":
        return onNote?.(effect.message);
    }
  }

  #settleStart(outcome: StartOutcome): void {
    this.#start?.resolve(outcome);
    this.#start = undefined;
  }

  #settleEnd(status: WriterStatus): void {
    this.#ended = [status.acquisition, ...this.#ended].slice(0, REMEMBERED_RUNS);
    this.#end.resolve(status);
  }

  /** Hands images to the machine as fast as it takes them. The rest waits in the ring. */
  async #followImages(): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    this.#images = controller;
    let inTurn = 0;
    try {
      // The call itself marks the place: before the first await.
      const from = this.#state.run?.request.startImageId;
      for await (const image of this.#options.images.follow(signal, from)) {
        await this.#options.writer.drained();
        while (!signal.aborted && !canTakeImage(this.#state, this.#limits())) {
          await new Promise<void>((resolve) => this.#capacity = resolve);
        }
        if (signal.aborted) return;
        this.#imageBytes = pixelBytes(image.metadata);
        this.#dispatch({ kind: "image", image });
        if (++inTurn % IMAGES_PER_TURN === 0) await nextTurn();
      }
      if (!signal.aborted) {
        this.#dispatch({ kind: "source_failed", reason: "no more images will come" });
      }
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      this.#dispatch({ kind: "source_failed", reason: reason.replace(/\.$/, "") });
    }
  }

  #limits(): AcquisitionLimits {
    return {
      writerTimeoutMs: this.#options.writerTimeoutMs ?? 5000,
      workTimeoutMs: WORK_TIMEOUT_MS,
      retryMs: this.#options.retryMs ?? 1000,
      // What has waited for its writer for longer has been overwritten.
      maxOutstanding: this.#options.images.slots ?? REFERENCE_SLOTS,
    };
  }

  #count(before: AcquisitionState, after: AcquisitionState): void {
    const sameRun = before.run?.request === after.run?.request;
    const images = (after.run?.completed ?? 0) - (sameRun ? before.run?.completed ?? 0 : 0);
    if (images <= 0) return;
    this.#totals = {
      images: this.#totals.images + BigInt(images),
      bytes: this.#totals.bytes + BigInt(images) * BigInt(this.#imageBytes),
    };
  }

  /**
   * One timer at most: images come too often to move it back with each. It may go off early, which
   * the machine ignores; never late: it is moved forward, and a new phase clears it.
   */
  #setTimer(): void {
    const deadline = nextDeadline(this.#state, this.#limits());
    if (deadline === undefined) return;
    if (deadline >= this.#timerAt || this.#closed) return;
    this.#clearTimer();
    const wait = Math.max(1, deadline - this.#clock.now().monotonicMs);
    this.#timerAt = deadline;
    this.#cancelTimer = this.#clock.after(wait, () => {
      this.#clearTimer();
      this.#dispatch({ kind: "tick" });
    });
  }

  #clearTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = Infinity;
  }

  #wake(): void {
    this.#capacity?.();
    this.#capacity = undefined;
    if (!isSettled(this.#state)) return;
    this.#leave?.[Symbol.dispose]();
    this.#leave = undefined;
    for (const settled of this.#settled) settled();
    this.#settled.clear();
  }
}

function isRunning({ run }: AcquisitionState): boolean {
  return run !== undefined && run.stopTime === undefined;
}

function isSettled(state: AcquisitionState): boolean {
  return !isRunning(state) && (state.phase === "idle" || state.phase === "lost");
}

/** Size of an image's pixels, compressed or not: bytes. */
function pixelBytes({ height, width, dtype }: ImageMetadata): number {
  return height * width * DTYPE_BYTES[dtype];
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
