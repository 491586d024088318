/**
 * What `/daq/stats` tells: throughput and the account of packets, frames and images.
 *
 * @module
 */
import { AccountingReader } from "../../lib/accounting/mod.ts";
import { type DetectorConfig, imageBytes } from "../../lib/config/mod.ts";
import { detectorFor } from "../../lib/detector/mod.ts";
import { frameRingName, imageRingName } from "../../lib/protocol/mod.ts";
import type { Accounting } from "./api.ts";
import { type Rate, RateMeter, type Totals } from "./rates.ts";

const SAMPLE_PERIOD_MS = 1000;

/** Samples the rings' counters and the writer's, once a second. */
export class Statistics implements Disposable {
  readonly #accounting: AccountingReader;
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

  /** The account now. */
  accounting(): Accounting {
    return { ...this.#accounting.read() };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#accounting[Symbol.dispose]();
  }

  #sample(): void {
    const now = performance.now();
    this.#detector.sample(now);
    this.#writer.sample(now);
  }
}
