/**
 * The hands: kernels on memories that hold the same slots of two rings.
 *
 * @module
 */
import {
  bitshuffleScratchBytes,
  compressChunkWithin,
  CompressedChunkError,
  decompressChunk,
  defaultBlockElements,
  type ElementBytes,
  type KernelMemory,
  kernelMemory,
  type Region,
  spillBytes,
} from "../kernels/mod.ts";
import { mapFixed, PAGE_BYTES } from "../os/mod.ts";
import { LARGEST_MEMORY, SharedMemory, slotMemoryBytes } from "../ring/mod.ts";

/** What becomes of an image. */
export type TransformOperation = "compress" | "decompress";

/** What to do with images; cloneable, so that it can be sent to a Worker. */
export interface TransformSetup {
  operation: TransformOperation;
  /** Slots of either ring. */
  slots: number;
  /** Size of an image that is not compressed, and of a slot of either ring, bytes. */
  imageBytes: number;
  /** Size of a pixel, bytes. */
  elementBytes: ElementBytes;
  /** Elements of a block of compressed images; 0 for 8 KiB. */
  blockElements: number;
}

/** An image to work on. */
export interface TransformJob {
  /** Its slot, in both rings. */
  slot: number;
  /** Its bytes in the source's slot. */
  bytes: number;
  /** Whether it is compressed there. */
  compressed: boolean;
}

/** What came of it. */
export interface TransformResult {
  /** Bytes in the slot of the ring that is written; 0 if the image is damaged. */
  bytes: number;
  /** Whether it is compressed there. */
  compressed: boolean;
  /** Why it is damaged. */
  reason?: string;
}

/** Descriptors of the data files of both rings. */
export interface RingFiles {
  from: number;
  to: number;
}

/** A memory with a run of slots of both rings. */
interface Segment {
  memory: SharedMemory;
  on: KernelMemory;
  firstSlot: number;
  /** Where the first slot of each ring begins. */
  fromAt: number;
  toAt: number;
  scratch: Region;
  spill: Region;
}

/** Room for what is neither ring, at least: bytes. */
const MARGIN = 2 ** 20;

/**
 * Makes images of images, from slot to slot. Both rings have the same slots, so that a memory holds the
 * same run of slots of either; large rings take several memories, each of at most 4 GiB.
 */
export class SlotTransformer {
  readonly #setup: TransformSetup;
  readonly #slotsPerSegment: number;
  readonly #segments: Segment[];
  readonly #own: { scratch: number; spill: number };

  /**
   * @param largestMemory Most bytes of a memory.
   * @throws {RangeError} If not even one image fits into a memory.
   */
  constructor(setup: TransformSetup, largestMemory: number = LARGEST_MEMORY) {
    const { slots, imageBytes, elementBytes } = setup;
    this.#setup = setup;
    const elements = imageBytes / elementBytes;
    // A chunk that comes from elsewhere may be one block.
    const largest = setup.operation === "compress" ? this.#block : Math.max(elements, this.#block);
    const scratch = bitshuffleScratchBytes(elements, elementBytes, Math.ceil(largest / 8) * 8);
    const spill = setup.operation === "compress" ? spillBytes(elementBytes, this.#block) : 0;
    this.#own = { scratch, spill };
    const room = largestMemory - MARGIN - scratch - spill;
    this.#slotsPerSegment = Math.min(slots, Math.floor((room / 2) / imageBytes));
    if (this.#slotsPerSegment < 1) {
      throw new RangeError(
        `Images of ${imageBytes} bytes are too large: two must fit into ${largestMemory}`,
      );
    }
    this.#segments = Array.from(
      { length: Math.ceil(slots / this.#slotsPerSegment) },
      (_, i) => this.#makeSegment(i * this.#slotsPerSegment),
    );
  }

  /**
   * Maps the rings, or those that have taken their place.
   *
   * @throws {OsError} If mmap fails.
   */
  attach(files: RingFiles): void {
    for (const segment of this.#segments) {
      this.#map(segment, segment.fromAt, files.from, false);
      this.#map(segment, segment.toAt, files.to, true);
    }
  }

  /** Works on an image, from its slot of one ring to that of the other. */
  transform({ slot, bytes, compressed }: TransformJob): TransformResult {
    const { operation, imageBytes } = this.#setup;
    const segment = this.#segments[Math.floor(slot / this.#slotsPerSegment)]!;
    const offset = (slot - segment.firstSlot) * imageBytes;
    const to: Region = { at: segment.toAt + offset, bytes: imageBytes };
    const from: Region = { at: segment.fromAt + offset, bytes };
    if (operation === "compress") return this.#compress(segment, from, to, compressed);
    return this.#decompress(segment, from, to, compressed);
  }

  /** Elements of a block. */
  get #block(): number {
    return this.#setup.blockElements || defaultBlockElements(this.#setup.elementBytes);
  }

  #compress(
    { on, scratch, spill }: Segment,
    from: Region,
    to: Region,
    compressed: boolean,
  ): TransformResult {
    const { imageBytes, elementBytes } = this.#setup;
    if (compressed || from.bytes !== imageBytes) return this.#notAnImage(from.bytes);
    const size = compressChunkWithin(on, {
      ...{ from, to, scratch, spill, elementBytes },
      blockElements: this.#block,
    });
    if (size !== undefined) return { bytes: size, compressed: true };
    copy(on, from, to);
    return { bytes: imageBytes, compressed: false };
  }

  #decompress(
    { on, scratch }: Segment,
    from: Region,
    to: Region,
    compressed: boolean,
  ): TransformResult {
    const { imageBytes, elementBytes } = this.#setup;
    if (from.bytes > imageBytes || (!compressed && from.bytes !== imageBytes)) {
      return this.#notAnImage(from.bytes);
    }
    if (!compressed) {
      copy(on, from, to);
      return { bytes: imageBytes, compressed: false };
    }
    try {
      decompressChunk(on, { from, to, scratch, elementBytes });
    } catch (error) {
      if (!(error instanceof CompressedChunkError)) throw error;
      return { bytes: 0, compressed: false, reason: error.message };
    }
    return { bytes: imageBytes, compressed: false };
  }

  #notAnImage(bytes: number): TransformResult {
    const { operation, imageBytes } = this.#setup;
    const expected = operation === "compress"
      ? `${imageBytes} that are not compressed`
      : `a chunk of at most ${imageBytes}, or an image of just as many`;
    return { bytes: 0, compressed: false, reason: `it has ${bytes} bytes, expected ${expected}` };
  }

  #makeSegment(firstSlot: number): Segment {
    const { slots, imageBytes } = this.#setup;
    const count = Math.min(this.#slotsPerSegment, slots - firstSlot);
    const rings = slotMemoryBytes(imageBytes, count);
    const { scratch, spill } = this.#own;
    const memory = new SharedMemory(2 * rings + scratch + spill + 4 * PAGE_BYTES);
    const at = (bytes: number): number =>
      memory.allocate(bytes, PAGE_BYTES) + this.#skew(firstSlot);
    return {
      memory,
      on: kernelMemory(memory.memory),
      firstSlot,
      fromAt: at(rings),
      toAt: at(rings),
      scratch: { at: memory.allocate(scratch), bytes: scratch },
      spill: { at: memory.allocate(spill), bytes: spill },
    };
  }

  /** Bytes by which a slot begins after a page. */
  #skew(slot: number): number {
    return (slot * this.#setup.imageBytes) % PAGE_BYTES;
  }

  #map({ memory, firstSlot }: Segment, at: number, fd: number, writable: boolean): void {
    const { slots, imageBytes } = this.#setup;
    const count = Math.min(this.#slotsPerSegment, slots - firstSlot);
    const skew = this.#skew(firstSlot);
    mapFixed({
      address: memory.base + BigInt(at - skew),
      bytes: skew + count * imageBytes,
      fd,
      fileOffset: firstSlot * imageBytes - skew,
      writable,
      populate: true,
    });
  }
}

/** Copies an image as it is. */
function copy(on: KernelMemory, from: Region, to: Region): void {
  new Uint8Array(on.memory.buffer).copyWithin(to.at, from.at, from.at + from.bytes);
}
