/**
 * Bitshuffle and LZ4: the chunks of HDF5 filter 32008, as std-daq stores and sends compressed images.
 *
 * A chunk is 12 bytes, u64 the bytes of the elements and u32 the bytes of a block, both big endian,
 * and a stream of blocks: `assembly/bitshuffle_lz4.ts`. The format is that of the published
 * [bitshuffle](https://github.com/kiyo-masui/bitshuffle) and
 * [LZ4](https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md).
 *
 * @module
 */
import { checkAligned, checkBlock, elementsOf, GROUP } from "./_chunk_checks.ts";
import { bytesOf, checkRegions, type KernelMemory, type Region } from "./kernel_memory.ts";
import { BITSHUFFLE, STREAM_FAULTS } from "./layout.ts";

/** Number of the filter in HDF5. */
export const BITSHUFFLE_FILTER = 32008;

/** Bytes before the stream of blocks. */
export const CHUNK_HEADER_BYTES = 12;

/** Sizes of an element, bytes. */
export type ElementBytes = 1 | 2 | 4 | 8;

const DEFAULT_BLOCK_BYTES = 8192;
const LENGTH_BYTES = 4; // before each block

/** A chunk that cannot be decompressed. */
export class CompressedChunkError extends Error {
  /** Tells it from other errors. */
  override readonly name = "CompressedChunkError";
}

/** Elements of a block where nothing else is said: 8 KiB, as the filter does it. */
export function defaultBlockElements(elementBytes: ElementBytes): number {
  return DEFAULT_BLOCK_BYTES / elementBytes;
}

/** What is to be compressed, and how. */
export interface CompressOptions {
  /** The elements, row after row. */
  from: Region;
  /** Size of one. */
  elementBytes: ElementBytes;
  /** Where the chunk goes: at least {@link compressedBound} bytes. */
  to: Region;
  /** At least {@link bitshuffleScratchBytes}; at a multiple of 16. What is in it before does not matter. */
  scratch: Region;
  /** Elements of a block, a multiple of 8; default {@link defaultBlockElements}. */
  blockElements?: number;
}

/** What is to be decompressed, and where to. */
export interface DecompressOptions {
  /** The whole chunk, and nothing else. */
  from: Region;
  /** Size of an element, which the chunk does not say. */
  elementBytes: ElementBytes;
  /** Where the elements go: as many bytes as {@link readChunkHeader} says. */
  to: Region;
  /** At least {@link bitshuffleScratchBytes} with the header's block; at a multiple of 16. */
  scratch: Region;
}

/** What a chunk says about itself. */
export interface ChunkHeader {
  /** Size of the elements when decompressed, bytes. */
  bytes: number;
  /** Size of a block when decompressed, bytes; 0 for the filter's default. */
  blockBytes: number;
}

/**
 * Compresses elements into a chunk.
 *
 * @returns Bytes of the chunk.
 * @throws {RangeError} If sizes or regions are not as {@link CompressOptions} asks.
 */
export function compressChunk(on: KernelMemory, options: CompressOptions): number {
  const { from, elementBytes, to, scratch } = options;
  const elements = elementsOf(from, elementBytes);
  const block = options.blockElements ?? defaultBlockElements(elementBytes);
  checkBlock(block, elementBytes);
  const bound = compressedBound(elements, elementBytes, block);
  if (to.bytes < bound) {
    throw new RangeError(
      `A chunk of ${elements} elements of ${elementBytes} bytes may need ${bound} bytes, there is room for ${to.bytes}`,
    );
  }
  const needed = bitshuffleScratchBytes(elements, elementBytes, block);
  if (scratch.bytes < needed) {
    throw new RangeError(
      `The scratch memory has ${scratch.bytes} bytes, expected at least ${needed}`,
    );
  }
  checkAligned(scratch);
  checkRegions(on, { elements: from }, { chunk: to, scratch });
  writeChunkHeader(on, to.at, from.bytes, block * elementBytes);
  const stream = on.kernels.compressBlocks(
    to.at + CHUNK_HEADER_BYTES,
    from.at,
    elements,
    elementBytes,
    block,
    scratch.at,
  );
  return CHUNK_HEADER_BYTES + (stream >>> 0);
}

/**
 * Decompresses a chunk, from whatever source: it may be damaged or made to do damage.
 *
 * @throws {CompressedChunkError} If the chunk is not what it should be. What is in `to` then is undefined.
 * @throws {RangeError} If sizes or regions are not as {@link DecompressOptions} asks.
 */
export function decompressChunk(on: KernelMemory, options: DecompressOptions): void {
  const { from, elementBytes, to, scratch } = options;
  const elements = elementsOf(to, elementBytes);
  checkRegions(on, { chunk: from }, { elements: to, scratch });
  const { bytes, blockBytes } = readChunkHeader(bytesOf(on, from));
  if (bytes !== to.bytes) {
    throw new CompressedChunkError(`The chunk holds ${bytes} bytes, expected ${to.bytes}`);
  }
  const block = blockBytes === 0 ? defaultBlockElements(elementBytes) : blockBytes / elementBytes;
  if (block % GROUP !== 0) {
    throw new CompressedChunkError(
      `The chunk's blocks have ${blockBytes} bytes, expected a multiple of ${
        GROUP * elementBytes
      }: ` +
        `are its elements of ${elementBytes} bytes?`,
    );
  }
  const needed = bitshuffleScratchBytes(elements, elementBytes, block);
  checkAligned(scratch);
  if (scratch.bytes < needed) {
    throw new CompressedChunkError(
      `The chunk's blocks have ${blockBytes} bytes, which needs ${needed} bytes of scratch memory, there are ${scratch.bytes}`,
    );
  }
  const fault = on.kernels.decompressBlocks(
    to.at,
    elements,
    elementBytes,
    block,
    from.at + CHUNK_HEADER_BYTES,
    from.bytes - CHUNK_HEADER_BYTES,
    scratch.at,
  );
  if (fault === 0) return;
  const why = {
    short: `The chunk of ${from.bytes} bytes ends before its last element`,
    block: "A block of the chunk is no LZ4 block of its size",
    long: `The chunk of ${from.bytes} bytes goes on after its last element`,
  };
  throw new CompressedChunkError(`${why[STREAM_FAULTS[fault - 1]!]}: it is damaged or cut`);
}

/**
 * Reads a chunk's header.
 *
 * @throws {CompressedChunkError} If there is none, or its sizes are beyond any memory.
 */
export function readChunkHeader(chunk: Uint8Array): ChunkHeader {
  if (chunk.byteLength < CHUNK_HEADER_BYTES) {
    throw new CompressedChunkError(
      `The chunk has ${chunk.byteLength} bytes, expected at least the ${CHUNK_HEADER_BYTES} of its header`,
    );
  }
  const header = new DataView(chunk.buffer, chunk.byteOffset, CHUNK_HEADER_BYTES);
  const bytes = header.getBigUint64(0);
  if (bytes > 2n ** 32n) {
    throw new CompressedChunkError(
      `The chunk claims to hold ${bytes} bytes, expected at most 4 GiB`,
    );
  }
  return { bytes: Number(bytes), blockBytes: header.getUint32(8) };
}

/** Writes a chunk's header: the bytes of its elements and of a block, not compressed. */
export function writeChunkHeader(
  on: KernelMemory,
  at: number,
  bytes: number,
  blockBytes: number,
): void {
  const header = new DataView(on.memory.buffer, at, CHUNK_HEADER_BYTES);
  header.setBigUint64(0, BigInt(bytes));
  header.setUint32(8, blockBytes);
}

/** Most bytes that a chunk of so many elements can have. */
export function compressedBound(
  elements: number,
  elementBytes: ElementBytes,
  blockElements: number = defaultBlockElements(elementBytes),
): number {
  const block = (count: number): number =>
    count === 0 ? 0 : LENGTH_BYTES + lz4Bound(count * elementBytes);
  const last = elements % blockElements;
  const whole = Math.floor(last / GROUP) * GROUP;
  return CHUNK_HEADER_BYTES + Math.floor(elements / blockElements) * block(blockElements) +
    block(whole) + (last - whole) * elementBytes;
}

/** Most bytes that an LZ4 block of so many bytes can have. */
export function lz4Bound(bytes: number): number {
  return bytes + Math.floor(bytes / 255) + 16;
}

/** Bytes of scratch memory for chunks of so many elements. */
export function bitshuffleScratchBytes(
  elements: number,
  elementBytes: ElementBytes,
  blockElements: number = defaultBlockElements(elementBytes),
): number {
  return BITSHUFFLE.block + Math.min(elements, blockElements) * elementBytes;
}
