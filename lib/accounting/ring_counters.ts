/**
 * Reading the counters in a ring's header from any process.
 *
 * @module
 */
import { RING_HEADER, RING_MAGIC } from "../kernels/mod.ts";
import { Errno, File, OsError } from "../os/mod.ts";
import { indexPath, RingState } from "../ring/mod.ts";

/**
 * The counters of one ring, summed over all rings that have had its name while we looked: a service
 * that was restarted counts from zero again, the sums go on.
 */
export class RingCounters implements Disposable {
  readonly #name: string;
  readonly #values: BigUint64Array;
  readonly #base: BigUint64Array;
  readonly #header = new DataView(new ArrayBuffer(RING_HEADER.$bytes));
  #file: File | undefined;
  #head = 0n;

  /**
   * Attaches at the first reading.
   *
   * @param name Name of the ring.
   * @param count Counters it has.
   */
  constructor(name: string, count: number) {
    this.#name = name;
    this.#values = new BigUint64Array(count);
    this.#base = new BigUint64Array(count);
  }

  /** Entries published in the ring that is there now. */
  get head(): bigint {
    return this.#head;
  }

  /** Process that writes the ring, 0 while there is none. */
  writer = 0;

  /** Reads the counters; those of a ring that is not there stay as they were last seen. */
  read(): BigUint64Array {
    if (!this.#readHeader()) {
      this.#keep();
      if (!this.#readHeader()) return this.#base;
    }
    this.#take();
    this.writer = this.#header.getUint32(RING_HEADER.writer_pid, true);
    return this.#base.map((base, i) => base + this.#values[i]!);
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** The ring has ended: its last values become part of the sums. */
  #keep(): void {
    this.#values.forEach((value, i) => this.#base[i]! += value);
    this.#values.fill(0n);
    this.#file?.close();
    this.#file = undefined;
    this.#head = 0n;
    this.writer = 0;
  }

  /** Takes the values; those of an entry that is not published yet are not counted yet either. */
  #take(): void {
    const H = RING_HEADER;
    this.#head = this.#header.getBigUint64(H.head, true);
    const underWay = this.#header.getBigUint64(H.counted_entry, true) === this.#head + 1n;
    const from = underWay ? H.counters_before : H.counters;
    for (let i = 0; i < this.#values.length; i++) {
      this.#values[i] = this.#header.getBigUint64(from + 8 * i, true);
    }
  }

  #readHeader(): boolean {
    this.#file ??= openIndex(this.#name);
    if (this.#file === undefined || !this.#copyHeader(this.#file)) return false;
    const state = this.#header.getUint32(RING_HEADER.state, true);
    // The last values of a ring that has just ended count, too.
    if (state === RingState.CLOSED || state === RingState.REPLACED) this.#take();
    return state === RingState.IN_USE &&
      this.#header.getBigUint64(RING_HEADER.magic, true) === RING_MAGIC;
  }

  /** Copies the header; false where there is none. The counters are those of its head, and no later ones. */
  #copyHeader(file: File): boolean {
    const bytes = new Uint8Array(this.#header.buffer), head = new BigUint64Array(1);
    const place = RING_HEADER.head;
    for (;;) {
      if (file.readAt(bytes, 0) < bytes.length) return false;
      file.readAt(new Uint8Array(head.buffer), place);
      // Of the entry that was published meanwhile, the header has the counters before it; not of two.
      if (head[0]! - this.#header.getBigUint64(place, true) <= 1n) return true;
    }
  }
}

function openIndex(name: string): File | undefined {
  try {
    return File.open(indexPath(name));
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return undefined;
    throw error;
  }
}
