/**
 * Bitshuffle and LZ4 into a place that may be too small, such as the slot of a ring.
 *
 * @module
 */
import {
  bitshuffleScratchBytes,
  CHUNK_HEADER_BYTES,
  compressedBound,
  type CompressOptions,
  defaultBlockElements,
  writeChunkHeader,
} from "./bitshuffle.ts";
import { checkAligned, checkBlock, elementsOf } from "./_chunk_checks.ts";
import { checkRegions, type KernelMemory, type Region } from "./kernel_memory.ts";

/** What is to be compressed, and into how much room. */
export interface CompressWithinOptions extends CompressOptions {
  /** Where the chunk goes, if it is no longer than that. Nothing behind it is touched. */
  to: Region;
  /** Room for what may or may not fit: at least {@link spillBytes}. */
  spill: Region;
}

/**
 * Compresses elements into a chunk, if it fits.
 *
 * Blocks go straight to their place as long as the longest that they could become fits there; the last
 * few, by way of the spill. A chunk that does not fit has left its beginning in `to`.
 *
 * @returns Bytes of the chunk; undefined if it does not fit.
 * @throws {RangeError} If sizes or regions are not as {@link CompressWithinOptions} asks.
 */
export function compressChunkWithin(
  on: KernelMemory,
  options: CompressWithinOptions,
): number | undefined {
  const { from, elementBytes, to, scratch, spill } = options;
  const elements = elementsOf(from, elementBytes);
  const block = options.blockElements ?? defaultBlockElements(elementBytes);
  checkBlock(block, elementBytes);
  const needed = spillBytes(elementBytes, block);
  if (spill.bytes < needed) {
    throw new RangeError(`The spill has ${spill.bytes} bytes, expected at least ${needed}`);
  }
  const scratchNeeded = bitshuffleScratchBytes(elements, elementBytes, block);
  if (scratch.bytes < scratchNeeded) {
    throw new RangeError(
      `The scratch memory has ${scratch.bytes} bytes, expected at least ${scratchNeeded}`,
    );
  }
  checkAligned(scratch);
  checkRegions(on, { elements: from }, { chunk: to, scratch, spill });
  if (to.bytes < CHUNK_HEADER_BYTES) return undefined;
  writeChunkHeader(on, to.at, from.bytes, block * elementBytes);

  const most = compressedBound(block, elementBytes, block) - CHUNK_HEADER_BYTES;
  const end = to.at + to.bytes;
  const compress = (at: number, first: number, count: number): number =>
    on.kernels.compressBlocks(
      at,
      from.at + first * elementBytes,
      count,
      elementBytes,
      block,
      scratch.at,
    ) >>> 0;
  let out = to.at + CHUNK_HEADER_BYTES;
  let done = 0;
  while (done < elements) {
    const left = elements - done;
    const fitting = Math.floor((end - out) / most) * block;
    if (fitting > 0) {
      const count = Math.min(left, fitting);
      out += compress(out, done, count);
      done += count;
      continue;
    }
    const count = Math.min(left, block);
    const bytes = compress(spill.at, done, count);
    if (bytes > end - out) return undefined;
    new Uint8Array(on.memory.buffer).copyWithin(out, spill.at, spill.at + bytes);
    out += bytes;
    done += count;
  }
  return out - to.at;
}

/** Bytes of spill for blocks of so many elements. */
export function spillBytes(
  elementBytes: CompressOptions["elementBytes"],
  blockElements: number = defaultBlockElements(elementBytes),
): number {
  return compressedBound(blockElements, elementBytes, blockElements);
}
