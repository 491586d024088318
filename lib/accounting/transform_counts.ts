import { type TransformCounter, transformCounterIndex } from "../transform/counters.ts";
import { RingCounters } from "./ring_counters.ts";

/** What a service that makes images of images has counted: in = out + overwritten + damaged. */
export interface TransformCounts {
  /** Images of the source that were dealt with. */
  images_in: bigint;
  /** Images published. */
  images_out: bigint;
  /** Images of which the source's ring needed the slot before they were done. */
  images_overwritten: bigint;
  /** Images whose bytes are not what they should be. */
  images_damaged: bigint;
  /** Published images that do not get smaller by compression. */
  images_incompressible: bigint;
  /** Bytes of published images in the source's ring. */
  bytes_in: bigint;
  /** Their bytes in the service's ring. */
  bytes_out: bigint;
}

/** Reads what a service that makes images of images has counted, from the header of its ring. */
export class TransformCountsReader implements Disposable {
  readonly #counters: RingCounters;

  /**
   * Attaches at the first reading.
   *
   * @param ring The ring that the service writes.
   */
  constructor(ring: string) {
    this.#counters = new RingCounters(ring, transformCounterIndex("bytes_out") + 1);
  }

  /** The counts now; all 0 while there is no such ring. */
  read(): TransformCounts {
    const values = this.#counters.read();
    const count = (name: TransformCounter): bigint => values[transformCounterIndex(name)] ?? 0n;
    return {
      images_in: count("images_in"),
      images_out: count("images_out"),
      images_overwritten: count("images_overwritten"),
      images_damaged: count("images_damaged"),
      images_incompressible: count("images_incompressible"),
      bytes_in: count("bytes_in"),
      bytes_out: count("bytes_out"),
    };
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#counters[Symbol.dispose]();
  }
}
