/**
 * Frame rings that a test writes frame by frame.
 *
 * @module
 */
import { dataPath, indexMemoryBytes, indexPath, RingWriter, SharedMemory } from "../ring/mod.ts";
import { unlink } from "../os/mod.ts";

/** A name for a ring that nothing else uses. */
export function uniqueRing(): string {
  return `calibration_test-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
}

/** A frame ring of 16-bit pixels; its files go when the test ends. */
export class TestFrameRing implements Disposable {
  readonly writer: RingWriter;
  readonly #slots: number;
  #next = 0n;

  constructor(readonly name: string, pixels: number, slots = 16) {
    this.#slots = slots;
    this.writer = RingWriter.create(new SharedMemory(indexMemoryBytes(slots)), {
      name,
      slotBytes: 2 * pixels,
      slots,
      dtype: 2,
      height: 1,
      width: pixels,
      geometry: 1n,
    });
  }

  /** Publishes a frame; returns its image id. */
  publish(pixels: Uint16Array, missingPackets = 0): bigint {
    const imageId = this.#next++;
    const slot = Number(imageId % BigInt(this.#slots));
    this.writer.lockSlot(slot);
    const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
    this.writer.data.writeAt(bytes, slot * bytes.byteLength);
    this.writer.publish({
      imageId,
      slot,
      status: missingPackets > 0 ? 2 : 1,
      firstNs: 100n * imageId,
      completeNs: 100n * imageId + 50n,
      frameIndex: imageId,
      payloadBytes: bytes.byteLength,
      missingPackets,
      damagedPackets: 0,
      epoch: 1,
      maskLow: 1n,
      maskHigh: 0n,
      metadata: new Uint8Array(64),
    });
    return imageId;
  }

  [Symbol.dispose](): void {
    this.writer[Symbol.dispose]();
    unlink(dataPath(this.name));
    unlink(indexPath(this.name));
  }
}
