/**
 * Unpacks the 12-bit pixels of a GigaFRoST link into its rows of the image, 16 bit each.
 *
 * Two pixels a and b are three bytes, rows follow each other without a gap. A step takes 8 pixels:
 *
 *   12 bytes      [a7-0][b3-0 a11-8][b11-4] …
 *   swizzle       [a7-0 | b3-0 a11-8] [b3-0 a11-8 | b11-4] …   8 lanes of 16 bit
 *   × 16 or × 1   a << 4              b << 4 | a >> 8          what is too high falls out
 *   >> 4          a                   b
 *
 * A load brings 16 bytes: the 12 of a step, and the 4 before them, so that nothing after the frame is
 * read; the first step of a row has its 4 after them. A row that is no multiple of 8 ends with a step
 * that overlaps the one before. Rows are `stride` bytes apart in the image, in either direction: the
 * two links of a quadrant take turns, and the upper quadrants are read upwards.
 */
import { opaque } from "./common";

/** Bytes that a step's load begins before the step. */
const BEFORE: usize = 4;

/** 8 pixels of the 16 bytes at `from`; `bytes` says which byte goes where. */
// @ts-ignore: decorator of AssemblyScript
@inline
function pixels(from: usize, bytes: v128, factors: v128): v128 {
  return i16x8.shr_u(i16x8.mul(i8x16.relaxed_swizzle(v128.load(from), bytes), factors), 4);
}

/**
 * Unpacks `rows` ≥ 1 rows of `columns` pixels, an even number ≥ 12, from `from` to `to` and every
 * `stride` bytes from there.
 */
export function unpackGigafrost(to: usize, from: usize, rows: u32, columns: u32, stride: i32): void {
  const factors = opaque(i16x8(16, 1, 16, 1, 16, 1, 16, 1));
  const first = opaque(i8x16(0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 10, 11));
  const later = opaque(i8x16(4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11, 12, 13, 14, 14, 15));
  const rowBytes = <usize>(columns >> 1) * 3;
  const lastStep = <usize>(columns - 8) << 1; // of a row of the image
  do {
    const end = to + lastStep;
    let at = to + 16;
    let packed = from + 12 - BEFORE;
    v128.store(to, pixels(from, first, factors));
    while (at + 48 <= end) {
      const a = pixels(packed, later, factors), b = pixels(packed + 12, later, factors);
      const c = pixels(packed + 24, later, factors), d = pixels(packed + 36, later, factors);
      v128.store(at, a);
      v128.store(at, b, 16);
      v128.store(at, c, 32);
      v128.store(at, d, 48);
      at += 64;
      packed += 48;
    }
    while (at < end) {
      v128.store(at, pixels(packed, later, factors));
      at += 16;
      packed += 12;
    }
    from += rowBytes;
    v128.store(end, pixels(from - 12 - BEFORE, later, factors));
    to += <usize>stride;
  } while (--rows);
}
