/**
 * Images of one ring → images of another one, in order.
 *
 * @module
 */
import { encodeImageMetadata } from "../protocol/mod.ts";
import type { EntryCount, RingWriter } from "../ring/mod.ts";
import { type TRANSFORM_LOSSES, type TransformCounter, transformCounterIndex } from "./counters.ts";
import type { ImageSource, SourceImage } from "./image_source.ts";
import { placeCount } from "./source_place.ts";
import type { TransformResult } from "./slot_transformer.ts";
import type { Hands } from "./transform_queue.ts";

/** What an image transformer works with. */
export interface ImageTransformerOptions {
  source: ImageSource;
  /** The ring that is written. */
  ring: RingWriter;
  hands: Hands;
  /** Sends an image's public message; called after the entry is in the index. */
  publish(metadata: Uint8Array): void;
}

/** An image under way. */
interface Work {
  image: SourceImage;
  result: TransformResult | undefined;
}

/** Has images worked on, several at a time, and publishes them in their order; it never waits. */
export class ImageTransformer {
  readonly #options: ImageTransformerOptions;
  /** Images under way, oldest first. */
  readonly #work: Work[] = [];
  /** Their slots. */
  readonly #slots = new Set<number>();
  /** The image whose turn it is, as long as it has to wait. */
  #next: SourceImage | undefined;

  constructor(options: ImageTransformerOptions) {
    this.#options = options;
  }

  /** Images under way. */
  get pending(): number {
    return this.#work.length;
  }

  /**
   * Takes images as long as somebody is free for them, and publishes those that are done.
   *
   * @param now Time, ns; must not step back.
   * @returns Whether there was anything to do.
   */
  pump(now: bigint): boolean {
    const { source, hands } = this.#options;
    const published = this.#publishDone();
    let taken = false;
    while (hands.free) {
      const image = this.#next ?? source.next(now, this.#work.length === 0);
      this.#countOverruns();
      if (image === undefined) break;
      if (!this.#begin(image)) break;
      taken = true;
    }
    return published || taken;
  }

  /**
   * Takes an image of a message, where there is no index; false if it has to be offered again.
   *
   * @param now Time, ns since 1970.
   */
  offer(message: Uint8Array, now: bigint): boolean {
    const { source, hands } = this.#options;
    this.#publishDone();
    if (!hands.free || this.#next !== undefined) return false;
    const image = source.offered(message, now);
    if (image !== undefined) this.#begin(image);
    return true;
  }

  /** Waits for the images under way, and publishes them; for the end of the service. */
  flush(): void {
    while (this.#work.length > 0) {
      this.#options.hands.wait(1);
      this.#publishDone();
    }
  }

  /** Starts an image; it has to wait while another one is in its slot. */
  #begin(image: SourceImage): boolean {
    const { slot, payloadBytes } = image.record;
    this.#next = this.#slots.has(slot) ? image : undefined;
    if (this.#next !== undefined) return false;
    const { ring, hands } = this.#options;
    const work: Work = { image, result: undefined };
    this.#work.push(work);
    this.#slots.add(slot);
    ring.lockSlot(slot);
    const compressed = image.metadata.compression === "h5bitshuffle_lz4";
    const job = { slot, toSlot: slot, bytes: payloadBytes, compressed };
    hands.submit(job, (result) => work.result = result);
    return true;
  }

  #publishDone(): boolean {
    this.#options.hands.poll();
    let done = false;
    for (
      let work = this.#work[0];
      work?.result !== undefined;
      work = this.#work[0]
    ) {
      this.#work.shift();
      this.#slots.delete(work.image.record.slot);
      this.#finish(work.image, work.result);
      done = true;
    }
    return done;
  }

  #finish({ record, metadata }: SourceImage, { bytes, compressed }: TransformResult): void {
    const { source, ring, publish } = this.#options;
    // Asked first: what was overwritten while it was read may look damaged.
    if (!source.isIntact(record)) return this.#lose("images_overwritten", 1);
    if (bytes === 0) return this.#lose("images_damaged", 1);
    const message = encodeImageMetadata({
      ...metadata,
      size: bytes,
      compression: compressed ? "h5bitshuffle_lz4" : "none",
    });
    const { imageId, slot, status, firstNs, completeNs, frameIndex } = record;
    const { missingPackets, damagedPackets, epoch, maskLow, maskHigh, calibrationId } = record;
    const entry = {
      ...{ imageId, slot, status, firstNs, completeNs, frameIndex },
      payloadBytes: bytes,
      ...{ missingPackets, damagedPackets, epoch, maskLow, maskHigh, calibrationId },
      metadata: message,
    };
    ring.publish(entry, [
      count("images_in", 1),
      count("images_out", 1),
      count("images_incompressible", !compressed && metadata.compression === "none" ? 1 : 0),
      count("bytes_in", record.payloadBytes),
      count("bytes_out", bytes),
      ...(record.entry === undefined ? [] : [placeCount(ring, record.entry + 1n)]),
    ]);
    publish(message);
  }

  #countOverruns(): void {
    const overruns = Number(this.#options.source.takeOverruns());
    if (overruns > 0) this.#lose("images_overwritten", overruns);
  }

  /** Counts images that are never published. */
  #lose(why: typeof TRANSFORM_LOSSES[number], images: number): void {
    const { index } = this.#options.ring;
    for (const counter of ["images_in", why] as const) index.addCounter(...count(counter, images));
  }
}

function count(counter: TransformCounter, n: number): EntryCount {
  return [transformCounterIndex(counter), BigInt(n)];
}
