import { atMost } from "../os/at_most.ts";
import type { NewEntry } from "./_engine.ts";

/** Bounds of what waits while the store is away. */
export interface QueueLimits {
  /** Entries. */
  maxEntries: number;
  /** Bytes of their fields. */
  maxBytes: number;
}

/** What a queue writes with. */
export interface QueueContext {
  limits: QueueLimits;
  /** Writes an entry; `again` when it may be there already from an attempt whose answer was lost. */
  write(entry: NewEntry, again: boolean): Promise<string>;
  /** Whether an attempt failed since the store is away, and another one may mend it. */
  isAway(error: unknown): boolean;
  /** Resolves when another attempt is worth while. */
  untilBack(signal: AbortSignal): Promise<void>;
  /** Told of an outage, what it cost, and its end. */
  onNote(message: string): void;
}

interface Waiting {
  readonly entry: NewEntry;
  readonly bytes: number;
  readonly settle: PromiseWithResolvers<string | undefined>;
}

/** Entries on their way to a store that may be away: in order, none twice, the worthless dropped first. */
export class WriteQueue {
  readonly #context: QueueContext;
  readonly #waiting: Waiting[] = [];
  readonly #closed = new AbortController();
  #bytes = 0;
  #pump: Promise<void> | undefined;
  #outage: { reason: string; late: number; dropped: number; over: boolean } | undefined;

  constructor(context: QueueContext) {
    this.#context = context;
  }

  /** Why entries have to wait; null when they need not. */
  get problem(): string | null {
    return this.#outage?.reason ?? null;
  }

  /** Entries that wait. */
  get length(): number {
    return this.#waiting.length;
  }

  /** Resolves with the entry's id when it is stored, with undefined when it was dropped. */
  add(entry: NewEntry): Promise<string | undefined> {
    const settle = Promise.withResolvers<string | undefined>();
    const bytes = bytesOf(entry);
    this.#waiting.push({ entry, bytes, settle });
    this.#bytes += bytes;
    if (this.#outage !== undefined) this.#dropTheWorthless();
    this.#pump ??= this.#writeAll();
    return settle.promise;
  }

  /**
   * Writes what waits, within a time; an entry whose answer is still awaited then may have been written.
   *
   * @returns What was not written, as far as known.
   */
  async close(limitMs: number): Promise<NewEntry[]> {
    await atMost(limitMs, this.#pump);
    this.#closed.abort();
    for (const { settle } of this.#waiting) settle.resolve(undefined);
    return this.#waiting.splice(0).map(({ entry }) => entry);
  }

  async #writeAll(): Promise<void> {
    const { signal } = this.#closed;
    let again = false;
    for (let next = this.#waiting[0]; next !== undefined && !signal.aborted;) {
      try {
        const id = await this.#context.write(next.entry, again);
        this.#remove(next);
        next.settle.resolve(id);
        again = false;
        if (this.#outage !== undefined) this.#outage.late++;
      } catch (error) {
        if (!this.#context.isAway(error)) {
          this.#remove(next);
          next.settle.reject(error);
          again = false;
        } else {
          again = true;
          this.#away(error);
          await this.#context.untilBack(signal);
        }
      }
      next = this.#waiting[0];
    }
    this.#pump = undefined;
    if (this.#waiting.length === 0 && !signal.aborted) this.#back();
  }

  #away(error: unknown): void {
    if (this.#outage !== undefined) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#outage = { reason, late: 0, dropped: 0, over: false };
    this.#context.onNote(`the store is away, entries wait: ${reason}`);
    this.#dropTheWorthless();
  }

  #back(): void {
    if (this.#outage === undefined) return;
    const { late, dropped } = this.#outage;
    this.#outage = undefined;
    this.#context.onNote(
      `the store is back: ${late} entries were written late, ${dropped} dropped`,
    );
  }

  /** Drops the oldest of the least worth until the bounds are kept; the one under way stays. */
  #dropTheWorthless(): void {
    while (this.#isTooMuch()) {
      const [, ...droppable] = this.#waiting.filter(({ entry }, i) =>
        i === 0 || entry.worth !== undefined
      );
      const least = Math.min(...droppable.map(({ entry }) => entry.worth ?? Infinity));
      const victim = droppable.find(({ entry }) => entry.worth === least);
      if (victim === undefined) return this.#tellOver();
      this.#remove(victim);
      victim.settle.resolve(undefined);
      if (this.#outage !== undefined) this.#outage.dropped++;
    }
  }

  #tellOver(): void {
    if (this.#outage === undefined || this.#outage.over) return;
    this.#outage.over = true;
    this.#context.onNote(
      `${this.#waiting.length} entries wait that must not be dropped, more than the store's buffer ` +
        "is meant for: bring the store back",
    );
  }

  #isTooMuch(): boolean {
    const { maxEntries, maxBytes } = this.#context.limits;
    return this.#waiting.length > maxEntries || this.#bytes > maxBytes;
  }

  #remove(waiting: Waiting): void {
    const index = this.#waiting.indexOf(waiting);
    if (index === -1) return; // told as not written when the queue was closed
    this.#waiting.splice(index, 1);
    this.#bytes -= waiting.bytes;
  }
}

function bytesOf({ key, fields }: NewEntry): number {
  return Object.values(fields).reduce((sum, value) => sum + value.length, key.length);
}
