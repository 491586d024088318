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
import { mapFixed, PAGE_BYTES, unmapFixed } from "../os/mod.ts";
import { LARGEST_MEMORY, SharedMemory, slotMemoryBytes } from "../ring/mod.ts";

/** What becomes of an image. */
export type TransformOperation = "compress" | "decompress";

/** What to do with images; cloneable, so that it can be sent to a Worker. */
export interface TransformSetup {
  operation: TransformOperation;
  /** Size of an image that is not compressed, and of a slot of either ring, bytes. */
  imageBytes: number;
  /** Size of a pixel, bytes. */
  elementBytes: ElementBytes;
  /** Elements of a block of compressed images; 0 for 8 KiB. */
  blockElements: number;
  /**
   * Slots of what is written, if images may take any of them: few, all of them are within reach of every
   * slot of the source. Left out: what is written is a ring with the source's slots, of which an image
   * takes the one that it has there.
   */
  toSlots?: number;
}

/** An image to work on. */
export interface TransformJob {
  /** Its slot in the source. */
  slot: number;
  /** The slot that it goes to; the same one, unless the setup says {@link TransformSetup.toSlots}. */
  toSlot: number;
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

/** The data files of both rings. */
export interface RingFiles {
  /** Descriptor of the source's. */
  from: number;
  /** Descriptor of the one that is written. */
  to: number;
  /** Slots of the source. */
  slots: number;
}

/** A run of slots in a memory. */
interface Run {
  first: number;
  count: number;
  /** Where the first one begins. */
  at: number;
}

/** A memory with slots of both rings. */
interface Segment {
  memory: SharedMemory;
  on: KernelMemory;
  from: Run;
  to: Run;
  scratch: Region;
  spill: Region;
}

/** Room for what is neither ring, at least: bytes. */
const MARGIN = 2 ** 20;

/**
 * Makes images of images, from slot to slot. Where both rings have the same slots, a memory holds the
 * same run of slots of either; large rings take several memories, each of at most 4 GiB.
 */
export class SlotTransformer {
  readonly #setup: TransformSetup;
  readonly #slotsPerSegment: number;
  readonly #own: { scratch: number; spill: number };
  #segments: Segment[] = [];
  /** Slots of the source. */
  #slots = 0;

  /**
   * @param largestMemory Most bytes of a memory.
   * @throws {RangeError} If not even one image fits into a memory.
   */
  constructor(setup: TransformSetup, largestMemory: number = LARGEST_MEMORY) {
    const { imageBytes, elementBytes, toSlots } = setup;
    this.#setup = setup;
    const elements = imageBytes / elementBytes;
    // A chunk that comes from elsewhere may be one block.
    const largest = setup.operation === "compress" ? this.#block : Math.max(elements, this.#block);
    const scratch = bitshuffleScratchBytes(elements, elementBytes, Math.ceil(largest / 8) * 8);
    const spill = setup.operation === "compress" ? spillBytes(elementBytes, this.#block) : 0;
    this.#own = { scratch, spill };
    const room = Math.floor((largestMemory - MARGIN - scratch - spill) / imageBytes);
    this.#slotsPerSegment = toSlots === undefined ? Math.floor(room / 2) : room - toSlots;
    if (this.#slotsPerSegment < 1) {
      const fewest = 1 + (toSlots ?? 1);
      throw new RangeError(
        `Images of ${imageBytes} bytes are too large: ${fewest} of them must fit into ${largestMemory}`,
      );
    }
  }

  /**
   * Maps the rings, or those that have taken their place.
   *
   * @throws {OsError} If mmap fails.
   */
  attach({ from, to, slots }: RingFiles): void {
    if (slots !== this.#slots) {
      this.detach();
      this.#segments = Array.from(
        { length: Math.ceil(slots / this.#slotsPerSegment) },
        (_, i) => this.#makeSegment(i * this.#slotsPerSegment, slots),
      );
      this.#slots = slots;
    }
    for (const segment of this.#segments) {
      this.#map(segment, segment.from, from, false);
      this.#map(segment, segment.to, to, true);
    }
  }

  /** Lets go of both rings, whose memory may be free then; no image is worked on until {@link attach}. */
  detach(): void {
    for (const segment of this.#segments) {
      for (const run of [segment.from, segment.to]) unmapFixed(this.#place(segment, run));
    }
  }

  /** Works on an image, from its slot of one ring to that of the other. */
  transform({ slot, toSlot, bytes, compressed }: TransformJob): TransformResult {
    const { operation, imageBytes } = this.#setup;
    const segment = this.#segments[Math.floor(slot / this.#slotsPerSegment)]!;
    const at = (run: Run, slot: number): number => run.at + (slot - run.first) * imageBytes;
    const to: Region = { at: at(segment.to, toSlot), bytes: imageBytes };
    const from: Region = { at: at(segment.from, slot), bytes };
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

  #makeSegment(first: number, slots: number): Segment {
    const { imageBytes, toSlots } = this.#setup;
    const count = Math.min(this.#slotsPerSegment, slots - first);
    const toFirst = toSlots === undefined ? first : 0, toCount = toSlots ?? count;
    const { scratch, spill } = this.#own;
    const fromBytes = slotMemoryBytes(imageBytes, count);
    const toBytes = slotMemoryBytes(imageBytes, toCount);
    const memory = new SharedMemory(fromBytes + toBytes + scratch + spill + 4 * PAGE_BYTES);
    const run = (first: number, count: number, bytes: number): Run => ({
      ...{ first, count },
      at: memory.allocate(bytes, PAGE_BYTES) + this.#skew(first),
    });
    return {
      memory,
      on: kernelMemory(memory.memory),
      from: run(first, count, fromBytes),
      to: run(toFirst, toCount, toBytes),
      scratch: { at: memory.allocate(scratch), bytes: scratch },
      spill: { at: memory.allocate(spill), bytes: spill },
    };
  }

  /** Bytes by which a slot begins after a page. */
  #skew(slot: number): number {
    return (slot * this.#setup.imageBytes) % PAGE_BYTES;
  }

  /** The pages of a run of slots. */
  #place({ memory }: Segment, { first, count, at }: Run): { address: bigint; bytes: number } {
    const skew = this.#skew(first);
    return {
      address: memory.base + BigInt(at - skew),
      bytes: skew + count * this.#setup.imageBytes,
    };
  }

  #map(segment: Segment, run: Run, fd: number, writable: boolean): void {
    const fileOffset = run.first * this.#setup.imageBytes - this.#skew(run.first);
    mapFixed({ ...this.#place(segment, run), fd, fileOffset, writable, populate: true });
  }
}

/** Copies an image as it is. */
function copy(on: KernelMemory, from: Region, to: Region): void {
  new Uint8Array(on.memory.buffer).copyWithin(to.at, from.at, from.at + from.bytes);
}
