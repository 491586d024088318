/**
 * What the controller needs of the outside world; tests put in their own.
 *
 * @module
 */
import type { Instant, RingImage, WriterAnswer, WriterCommand } from "../../lib/acquisition/mod.ts";

/** Who is told of what comes back from the file writer. */
export interface WriterPortHandlers {
  /** An answer arrived. */
  onAnswer(answer: WriterAnswer): void;
  /** The writer begins, or has ended, what may take minutes: making, closing or syncing files. */
  onWorking(working: boolean): void;
  /** Commands could not be delivered; those not delivered yet are forgotten. */
  onFailure(reason: string): void;
}

/** The way to the file writer. */
export interface WriterPort {
  /** Names who is told; called once, first. */
  listen(handlers: WriterPortHandlers): void;
  /** Sends a command, in order, without waiting. */
  send(command: WriterCommand): void;
  /** Forgets commands that were not delivered yet. */
  dropUnsent(): void;
  /** Resolves when no command waits for delivery. */
  drained(): Promise<void>;
}

/** Where images come from. */
export interface ImageSource {
  /**
   * All images published from this very call on, in order.
   *
   * @param signal Ends the sequence.
   * @param startImageId Those with this id or a later one that are in the ring already come first. The first image
   * tells how many of them have been overwritten.
   */
  follow(signal: AbortSignal, startImageId?: bigint): AsyncIterable<RingImage>;
  /** Slots of the image ring; undefined as long as there is none. */
  readonly slots: number | undefined;
}

/** Clock and timers. */
export interface Clock {
  now(): Instant;
  /** Calls back once after `ms`; returns a function that takes it back. */
  after(ms: number, callback: () => void): () => void;
}

/** The machine's clock. */
export const SYSTEM_CLOCK: Clock = {
  now: () => ({ epochS: Date.now() / 1000, monotonicMs: performance.now() }),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
