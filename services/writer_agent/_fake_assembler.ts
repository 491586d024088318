/**
 * Publishes images as an assembler does, for tests.
 *
 * @module
 */
import {
  encodeImageMetadata,
  type ImageMetadata,
  imageRingName,
  imageStreamAddress,
} from "../../lib/protocol/mod.ts";
import { indexMemoryBytes, removeRings, RingWriter, SharedMemory } from "../../lib/ring/mod.ts";
import { transformCounterIndex } from "../../lib/transform/counters.ts";
import { Socket } from "../../lib/zmq/mod.ts";

const HEIGHT = 4;
const WIDTH = 8;

/** What a fake assembler does not do. */
export interface Without {
  /** No ring: as the original's assembler. */
  index?: boolean;
  /** No messages: as if all were dropped. */
  stream?: boolean;
}

/** A compressor's ring instead of an assembler's. */
export const COMPRESSED = "h5bitshuffle-lz4";

/** An assembler of very small images. */
export class FakeAssembler implements Disposable {
  readonly #name: string;
  readonly #ring: RingWriter | undefined;
  readonly #stream: Socket | undefined;
  #next = 100n;

  constructor(
    detector: string,
    ipcFolder: string,
    slots: number,
    without: Without = {},
    suffix = "image",
  ) {
    this.#name = imageRingName(detector, suffix);
    if (!without.index) {
      this.#ring = RingWriter.create(new SharedMemory(indexMemoryBytes(slots)), {
        name: this.#name,
        slotBytes: HEIGHT * WIDTH * 2,
        slots,
        dtype: 2,
        height: HEIGHT,
        width: WIDTH,
        geometry: 1n,
      });
    }
    if (without.stream) return;
    this.#stream = new Socket("PUB");
    this.#stream.bind(imageStreamAddress(detector, ipcFolder, suffix));
  }

  /** Publishes the next image; returns its id. */
  publish(): bigint {
    const imageId = this.#next++;
    const metadata: ImageMetadata = {
      imageId,
      height: HEIGHT,
      width: WIDTH,
      size: HEIGHT * WIDTH * 2,
      dtype: "uint16",
      status: "good_image",
      compression: "none",
    };
    const bytes = encodeImageMetadata(metadata);
    if (this.#ring !== undefined) {
      const slot = Number(imageId % BigInt(this.#ring.spec.slots));
      this.#ring.lockSlot(slot);
      this.#ring.publish({
        imageId,
        slot,
        status: 1,
        firstNs: 0n,
        completeNs: 0n,
        frameIndex: imageId,
        payloadBytes: metadata.size,
        missingPackets: 0,
        damagedPackets: 0,
        epoch: 0,
        maskLow: 1n,
        maskHigh: 0n,
        metadata: bytes,
      });
    }
    this.#stream?.trySend(bytes);
    return imageId;
  }

  /** Counts images that never get into the ring, as a compressor does. */
  lose(images: number): void {
    const counter = transformCounterIndex("images_overwritten");
    this.#ring!.index.addCounter(counter, BigInt(images));
  }

  [Symbol.dispose](): void {
    this.#stream?.close();
    this.#ring?.close();
    removeRings([this.#name]);
  }
}

/** A detector name that no other test has, fit for files. */
export function uniqueDetector(): string {
  return `agt${Deno.pid}_${crypto.randomUUID().slice(0, 8)}`;
}
