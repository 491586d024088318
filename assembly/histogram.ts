/**
 * Histogram of an image.
 *
 *   from:   n pixels, u8, u16, u32 or f32
 *   mask:   n bytes, 0 for good pixels; address 0 for none: all are good
 *   counts: 4 tables of bins + 3 u32: [below, bin 0 … bin bins − 1, above, invalid]
 *
 * The bin of a pixel is
 *
 *   integers: (pixel − low) >> shift
 *   f32:      (pixel − low) · scale, in f32, towards zero
 *
 * Bad pixels and NaN are invalid; every pixel is counted once. The result is in the first table. The
 * others take turns with it: a counter cannot be read before the last writing to it is done, and
 * neighbours are mostly equal.
 */
import { badLanes } from "./common";
import { HISTOGRAM_OTHERS, HISTOGRAM_TABLES } from "./layout";

/** Histogram of u8. */
export function histogramU8(
  from: usize, mask: usize, n: usize, low: u32, shift: u32, bins: u32, counts: usize,
): void {
  histogram<u8>(from, mask, n, low, 0, 0, shift, bins, counts);
}

/** Histogram of u16. */
export function histogramU16(
  from: usize, mask: usize, n: usize, low: u32, shift: u32, bins: u32, counts: usize,
): void {
  histogram<u16>(from, mask, n, low, 0, 0, shift, bins, counts);
}

/** Histogram of u32. */
export function histogramU32(
  from: usize, mask: usize, n: usize, low: u32, shift: u32, bins: u32, counts: usize,
): void {
  histogram<u32>(from, mask, n, low, 0, 0, shift, bins, counts);
}

/** Histogram of f32. */
export function histogramF32(
  from: usize, mask: usize, n: usize, low: f32, scale: f32, bins: u32, counts: usize,
): void {
  histogram<f32>(from, mask, n, 0, low, scale, 0, bins, counts);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function histogram<T>(
  from: usize, mask: usize, n: usize, low: u32, lowReal: f32, scale: f32, shift: u32, bins: u32, counts: usize,
): void {
  const table = (<usize>bins + HISTOGRAM_OTHERS) << 2;
  memory.fill(counts, 0, HISTOGRAM_TABLES * table);
  const second = counts + table, third = second + table, fourth = third + table;
  const lows = isFloat<T>() ? f32x4.splat(lowReal) : i32x4.splat(low), scales = f32x4.splat(scale);
  const above = i32x4.splat(bins), invalid = i32x4.splat(bins + 2), one = i32x4.splat(1);
  let i: usize = 0;
  for (const end = n & ~15; i < end; i += 16) {
    const someBad = mask && v128.any_true(v128.load(mask + i));
    for (let k = i; k < i + 16; k += 4) {
      const v = fourPixels<T>(from + k * sizeof<T>());
      let entry: v128, below: v128;
      if (isFloat<T>()) {
        below = f32x4.lt(v, lows);
        entry = i32x4.trunc_sat_f32x4_u(f32x4.mul(f32x4.sub(v, lows), scales));
      } else {
        below = i32x4.lt_u(v, lows);
        entry = i32x4.shr_u(i32x4.sub(v, lows), shift);
      }
      entry = v128.andnot(i32x4.add(i32x4.min_u(entry, above), one), below);
      if (isFloat<T>()) entry = v128.bitselect(invalid, entry, f32x4.ne(v, v));
      if (someBad) entry = v128.bitselect(invalid, entry, badLanes<u32>(mask + k));
      entry = i32x4.shl(entry, 2);
      count(counts + <usize>i32x4.extract_lane(entry, 0));
      count(second + <usize>i32x4.extract_lane(entry, 1));
      count(third + <usize>i32x4.extract_lane(entry, 2));
      count(fourth + <usize>i32x4.extract_lane(entry, 3));
    }
  }
  for (; i < n; i++) {
    const v = load<T>(from + i * sizeof<T>());
    let entry: u32;
    if ((mask && load<u8>(mask + i)) || v != v) entry = bins + 2;
    else if (isFloat<T>()) {
      const t = (<f32>v - lowReal) * scale; // not negative
      entry = <f32>v < lowReal ? 0 : t < <f32>bins ? min(<u32>t, bins) + 1 : bins + 1;
    } else entry = <u32>v < low ? 0 : min((<u32>v - low) >> shift, bins) + 1;
    count(counts + (<usize>entry << 2));
  }
  let at: usize = 0;
  for (; at + 16 <= table; at += 16) {
    const ab = i32x4.add(v128.load(counts + at), v128.load(second + at));
    v128.store(counts + at, i32x4.add(ab, i32x4.add(v128.load(third + at), v128.load(fourth + at))));
  }
  for (; at < table; at += 4) {
    store<u32>(counts + at, load<u32>(counts + at) + load<u32>(second + at) + load<u32>(third + at) + load<u32>(fourth + at));
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function count(at: usize): void {
  store<u32>(at, load<u32>(at) + 1);
}

/** 4 pixels, integers as u32. */
// @ts-ignore: decorator of AssemblyScript
@inline
function fourPixels<T>(from: usize): v128 {
  if (sizeof<T>() == 1) return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(from)));
  if (sizeof<T>() == 2) return v128.load16x4_u(from);
  return v128.load(from);
}
