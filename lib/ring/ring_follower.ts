/**
 * Following a ring entry by entry.
 *
 * @module
 */
import { type RingReader, RingRecord } from "./ring_reader.ts";

/**
 * Walks through a ring's entries in order, from where it is told to start. A follower that was
 * lapped goes on with the oldest entry it can still trust, and counts what it missed.
 */
export class RingFollower {
  /** The ring that is followed. */
  readonly reader: RingReader;
  /** The entry last returned by {@link next}. */
  readonly record: RingRecord = new RingRecord();
  /** Entries that were overwritten before they could be read. */
  overruns = 0n;
  #next: bigint;
  /** {@link RingReader.headLow} when there was nothing to read: as long as it stays, there is nothing. */
  #emptyAt: number | undefined;

  /**
   * Nothing is read before {@link next}.
   *
   * @param from First entry to return; default: the next one published.
   */
  constructor(reader: RingReader, from: bigint = reader.head) {
    this.reader = reader;
    this.#next = from;
  }

  /** The entry that {@link next} will return. */
  get position(): bigint {
    return this.#next;
  }

  /** Entries published and not returned yet. */
  get backlog(): bigint {
    return this.reader.head - this.#next;
  }

  /** The {@link RingFollower.overruns} since the last call: they are 0 again. */
  takeOverruns(): bigint {
    const news = this.overruns;
    this.overruns = 0n;
    return news;
  }

  /** Steps to the next entry; undefined when none is published yet. */
  next(): RingRecord | undefined {
    // Followers are asked far more often than there is something: that answer must be cheap.
    if (this.reader.headLow === this.#emptyAt) return undefined;
    for (;;) {
      const head = this.reader.head;
      if (this.#next >= head) {
        this.#emptyAt = Number(BigInt.asUintN(32, head));
        this.#next = head < this.#next ? head : this.#next; // a ring made anew starts at 0
        return undefined;
      }
      const lapped = head - this.#next > BigInt(this.reader.slots);
      const result = lapped ? "overrun" : this.reader.read(this.#next, this.record);
      if (result === "ok") {
        this.#next++;
        return this.record;
      }
      if (result === "none") return undefined;
      // Leave the writer some room, so that the next read does not lose the same race.
      const oldest = head - BigInt(this.reader.slots) + BigInt(Math.ceil(this.reader.slots / 8));
      const resume = oldest > this.#next ? oldest : this.#next + 1n;
      this.overruns += resume - this.#next;
      this.#next = resume;
    }
  }

  /** Skips everything published so far. */
  skipToEnd(): void {
    this.#next = this.reader.head;
  }
}
