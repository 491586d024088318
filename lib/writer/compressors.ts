/**
 * Who compresses images: the calling thread, or several Workers.
 *
 * @module
 */
import {
  bitshuffleScratchBytes,
  compressChunk,
  compressedBound,
  type ElementBytes,
  type KernelMemory,
  kernelMemory,
  type Region,
} from "../kernels/mod.ts";
import { copyFrom } from "../os/mod.ts";
import { SharedMemory } from "../ring/mod.ts";

/** What images look like. */
export interface ImageFormat {
  /** Size of a pixel, bytes. */
  readonly elementBytes: ElementBytes;
  /** Size of an image, bytes. */
  readonly imageBytes: number;
}

/** A compressed image in this process's memory. */
export interface CompressedImage {
  /** Address of its first byte. */
  readonly address: bigint;
  /** Its size. */
  readonly bytes: number;
}

/** Compresses images; they come back in the order in which they were submitted. */
export interface Compressors {
  /** Most images that can be under way. */
  readonly capacity: number;
  /**
   * Says on how many threads to work from now on; to be called when no image is under way.
   *
   * @param threads 0, or more than there are: all.
   */
  use(threads: number): void;
  /** Starts an image; fewer than {@link Compressors.capacity} are under way. */
  submit(address: bigint): void;
  /** The oldest image under way, once it is done; undefined before. */
  oldest(): CompressedImage | undefined;
  /** Frees the memory of {@link Compressors.oldest}, which was used. */
  release(): void;
  /** Blocks until an image may be done, at most a millisecond. */
  wait(): void;
}

/** One thread's memory: an image, its chunks, and the kernels. */
export class Compressor {
  readonly #format: ImageFormat;
  readonly #memory: SharedMemory;
  readonly #on: KernelMemory;
  readonly #from: Region;
  readonly #scratch: Region;
  readonly #chunks: Region[];

  /** @param chunks How many compressed images to keep room for. */
  constructor(format: ImageFormat, chunks: number) {
    const { elementBytes, imageBytes } = format;
    const elements = imageBytes / elementBytes;
    const bound = compressedBound(elements, elementBytes);
    const scratch = bitshuffleScratchBytes(elements, elementBytes);
    const room = imageBytes + scratch + chunks * bound + 64 * (chunks + 2);
    this.#format = format;
    this.#memory = new SharedMemory(room);
    const region = (bytes: number): Region => ({ at: this.#memory.allocate(bytes), bytes });
    this.#from = region(imageBytes);
    this.#scratch = region(scratch);
    this.#chunks = Array.from({ length: chunks }, () => region(bound));
    this.#on = kernelMemory(this.#memory.memory);
  }

  /**
   * Compresses an image into one of the chunks.
   *
   * The image is copied first, at a tenth of the cost of its compression: where it is, no kernel
   * reaches it (a ring may be larger than a WebAssembly memory, and be replaced at any time).
   *
   * @param address Address of its first byte.
   * @param chunk Number of the chunk.
   */
  compress(address: bigint, chunk: number): CompressedImage {
    const { at, bytes } = this.#from;
    copyFrom(address, this.#memory.u8.subarray(at, at + bytes));
    const to = this.#chunks[chunk]!;
    const { elementBytes } = this.#format;
    const size = compressChunk(this.#on, {
      ...{ from: this.#from, to, scratch: this.#scratch, elementBytes },
    });
    return { address: this.#memory.base + BigInt(to.at), bytes: size };
  }
}

/** Compresses at once, in the calling thread. */
export class InlineCompressors implements Compressors {
  readonly capacity = 1;
  readonly #compressor: Compressor;
  #done: CompressedImage | undefined;

  constructor(format: ImageFormat) {
    this.#compressor = new Compressor(format, 1);
  }

  use(): void {}

  submit(address: bigint): void {
    this.#done = this.#compressor.compress(address, 0);
  }

  oldest(): CompressedImage | undefined {
    return this.#done;
  }

  release(): void {
    this.#done = undefined;
  }

  wait(): void {}
}
