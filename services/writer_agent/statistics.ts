/**
 * What `/daq/stats` tells: throughput and the account of packets, frames and images.
 *
 * @module
 */
import { AccountingReader, TransformCountsReader } from "../../lib/accounting/mod.ts";
import { type DetectorConfig, imageBytes } from "../../lib/config/mod.ts";
import { detectorFor } from "../../lib/detector/mod.ts";
import { COMPRESSED_SUFFIX, frameRingName, imageRingName } from "../../lib/protocol/mod.ts";
import type { Accounting } from "./api.ts";
import { type Rate, RateMeter, type Totals } from "./rates.ts";

const SAMPLE_PERIOD_MS = 1000;

/** Samples the rings' counters and the writer's, once a second. */
export class Statistics implements Disposable {
  readonly #accounting: AccountingReader;
  /** Services that make images of images, by the prefix of their counters. */
  readonly #transforms: Readonly<Record<string, TransformCountsReader>>;
  readonly #detector: RateMeter;
  readonly #writer: RateMeter;
  readonly #timer: ReturnType<typeof setInterval>;

  /** @param written What was written so far. */
  constructor(config: DetectorConfig, written: () => Totals) {
    const { detector_name, n_modules } = config;
    this.#accounting = new AccountingReader({
      frames: Array.from({ length: n_modules }, (_, i) => frameRingName(detector_name, i)),
      image: imageRingName(detector_name),
      packetsPerFrame: detectorFor(config).packetFormat(config).packetsPerFrame,
    });
    this.#transforms = {
      compress: new TransformCountsReader(imageRingName(detector_name, COMPRESSED_SUFFIX)),
      decompress: new TransformCountsReader(imageRingName(detector_name)),
    };
    const bytes = BigInt(imageBytes(config));
    this.#detector = new RateMeter(() => {
      const { images_good, images_incomplete } = this.#accounting.read();
      const images = images_good + images_incomplete;
      return { images, bytes: images * bytes };
    });
    this.#writer = new RateMeter(written);
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_PERIOD_MS);
  }

  /** Throughput over the last second. */
  rates(): { detector: Rate; writer: Rate } {
    return { detector: this.#detector.rate, writer: this.#writer.rate };
  }

  /** The account now, and what is counted of images that are compressed or decompressed, if any are. */
  accounting(): Accounting {
    const transforms = Object.entries(this.#transforms).flatMap(([prefix, reader]) => {
      const counts = reader.read();
      if (counts.images_in === 0n) return [];
      return Object.entries(counts).map(([name, count]) => [`${prefix}_${name}`, count] as const);
    });
    return { ...this.#accounting.read(), ...Object.fromEntries(transforms) };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#accounting[Symbol.dispose]();
    for (const reader of Object.values(this.#transforms)) reader[Symbol.dispose]();
  }

  #sample(): void {
    const now = performance.now();
    this.#detector.sample(now);
    this.#writer.sample(now);
  }
}
