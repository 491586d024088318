/**
 * Throughput from counters that only grow.
 *
 * @module
 */

/** What has gone by so far. */
export interface Totals {
  readonly images: bigint;
  readonly bytes: bigint;
}

/** Throughput. */
export interface Rate {
  readonly images_per_second: number;
  readonly bytes_per_second: number;
}

/** Rate of a pair of counters between the last two samples. */
export class RateMeter {
  readonly #read: () => Totals;
  #last: (Totals & { ms: number }) | undefined;
  #rate: Rate = { images_per_second: 0, bytes_per_second: 0 };

  /** @param read Reads the counters. */
  constructor(read: () => Totals) {
    this.#read = read;
  }

  /** Throughput between the last two samples; 0 before. */
  get rate(): Rate {
    return this.#rate;
  }

  /** Takes a sample. @param ms Time that never steps. */
  sample(ms: number): void {
    const { images, bytes } = this.#read();
    const last = this.#last;
    this.#last = { images, bytes, ms };
    if (last === undefined || ms <= last.ms) return;
    const seconds = (ms - last.ms) / 1000;
    // A service that restarted counts from 0 again: no rate rather than a negative one.
    const per = (now: bigint, before: bigint): number =>
      now < before ? 0 : Number(now - before) / seconds;
    this.#rate = {
      images_per_second: per(images, last.images),
      bytes_per_second: per(bytes, last.bytes),
    };
  }
}
