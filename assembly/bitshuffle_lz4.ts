/**
 * Blocks of bitshuffle and LZ4: what follows the header in a chunk of HDF5 filter 32008.
 *
 *   stream = block … block [rest]
 *   block  = u32, big endian: bytes that follow; an LZ4 block of shuffled elements
 *   rest   = the last elements, fewer than 8, as they are
 *
 * All blocks have `block` elements (a multiple of 8) but the last one, which has what is left of
 * whole groups of 8.
 *
 * `scratch`: BITSHUFFLE in lib/kernels/layout.ts, then room for a shuffled block.
 */
import { bitshuffle, bitunshuffle } from "./bitshuffle";
import {
  BITSHUFFLE_BLOCK, BITSHUFFLE_TABLE, BITSHUFFLE_WORK, FAULT_BLOCK, FAULT_LONG, FAULT_SHORT,
} from "./layout";
import { lz4Compress, lz4Decompress } from "./lz4";

/** Compresses `n` elements of `bytes` bytes; returns the bytes written. */
export function compressBlocks(
  to: usize, from: usize, n: usize, bytes: usize, block: usize, scratch: usize,
): usize {
  const shuffled = scratch + BITSHUFFLE_BLOCK;
  let out = to;
  while (n >= 8) {
    const count = min(n & ~7, block);
    bitshuffle(shuffled, from, count, bytes, scratch + BITSHUFFLE_WORK);
    const size = lz4Compress(out + 4, shuffled, count * bytes, scratch + BITSHUFFLE_TABLE);
    store<u32>(out, bswap<u32>(<u32>size));
    out += 4 + size;
    from += count * bytes;
    n -= count;
  }
  memory.copy(out, from, n * bytes);
  return out + n * bytes - to;
}

/** Decompresses a stream of `size` bytes into `n` elements; returns 0 or what is wrong with it. */
export function decompressBlocks(
  to: usize, n: usize, bytes: usize, block: usize, from: usize, size: usize, scratch: usize,
): u32 {
  const shuffled = scratch + BITSHUFFLE_BLOCK;
  const end = from + size;
  while (n >= 8) {
    const count = min(n & ~7, block);
    if (end - from < 4) return FAULT_SHORT;
    const length = <usize>bswap<u32>(load<u32>(from));
    from += 4;
    if (length > end - from) return FAULT_SHORT;
    const room = count * bytes;
    if (<usize>lz4Decompress(shuffled, room, from, length) != room) return FAULT_BLOCK;
    bitunshuffle(to, shuffled, count, bytes, scratch + BITSHUFFLE_WORK);
    from += length;
    to += room;
    n -= count;
  }
  const rest = n * bytes;
  if (end - from != rest) return end - from < rest ? FAULT_SHORT : FAULT_LONG;
  memory.copy(to, from, rest);
  return 0;
}
