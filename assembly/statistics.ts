/**
 * Minimum, maximum and sum of an image's valid pixels.
 *
 *   from:   n pixels, u8, u16, u32 or f32
 *   mask:   n bytes, 0 for good pixels; address 0 for none: all are good
 *   result: IMAGE_STATISTICS in lib/kernels/layout.ts
 *
 * A pixel is valid if it is good and a number (f32: not NaN). Sums of integers are exact; f32 are
 * added as f64, in 4 lanes. Without valid pixels the minimum is the type's largest value and the
 * maximum its least (f32: +∞ and −∞).
 */
import { badLanes, pairsU32 } from "./common";
import {
  IMAGE_STATISTICS_LANES, IMAGE_STATISTICS_MAX, IMAGE_STATISTICS_MIN, IMAGE_STATISTICS_SUM, IMAGE_STATISTICS_VALID,
} from "./layout";

/** Vectors of u8 or u16 whose sums fit u32: each adds at most 2 × 65535 to a lane. */
const FLUSH: usize = 32768;

/** Statistics of u8. */
export function statisticsU8(from: usize, mask: usize, n: usize, result: usize): void {
  if (mask) statistics<u8>(from, mask, n, result, true);
  else statistics<u8>(from, mask, n, result, false);
}

/** Statistics of u16. */
export function statisticsU16(from: usize, mask: usize, n: usize, result: usize): void {
  if (mask) statistics<u16>(from, mask, n, result, true);
  else statistics<u16>(from, mask, n, result, false);
}

/** Statistics of u32. */
export function statisticsU32(from: usize, mask: usize, n: usize, result: usize): void {
  if (mask) statistics<u32>(from, mask, n, result, true);
  else statistics<u32>(from, mask, n, result, false);
}

/** Statistics of f32. */
export function statisticsF32(from: usize, mask: usize, n: usize, result: usize): void {
  if (mask) statistics<f32>(from, mask, n, result, true);
  else statistics<f32>(from, mask, n, result, false);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function statistics<T>(from: usize, mask: usize, n: usize, result: usize, masked: bool): void {
  const lanes: usize = 16 / sizeof<T>();
  const largest = isFloat<T>() ? <T>Infinity : <T>-1, smallest = isFloat<T>() ? <T>-Infinity : <T>0;
  const highest = v128.splat<T>(largest), lowest = v128.splat<T>(smallest);
  let least = highest, most = lowest;
  let valid: u32 = 0, sum: u64 = 0;
  let real = f64x2.splat(0), realHigh = real; // sums of f32
  let i: usize = 0;
  const whole = n / lanes * lanes;
  while (i < whole) {
    let sums = i32x4.splat(0);
    for (const end = min(whole, i + FLUSH * lanes); i < end; i += lanes) {
      const v = v128.load(from + i * sizeof<T>());
      let low = v, high = v, good = v;
      if (masked || isFloat<T>()) {
        let bad = masked ? badLanes<T>(mask + i) : i32x4.splat(0);
        if (isFloat<T>()) bad = v128.or(bad, f32x4.ne(v, v));
        low = v128.bitselect(highest, v, bad);
        high = v128.bitselect(lowest, v, bad);
        good = v128.andnot(v, bad);
        valid += <u32>lanes - <u32>popcnt(i8x16.bitmask(bad)) / <u32>sizeof<T>();
      }
      least = v128.min<T>(least, low);
      most = v128.max<T>(most, high);
      if (isFloat<T>()) {
        real = f64x2.add(real, f64x2.promote_low_f32x4(good));
        realHigh = f64x2.add(realHigh, f64x2.promote_low_f32x4(v128.shuffle<u64>(good, good, 1, 0)));
      } else if (sizeof<T>() == 4) sums = i64x2.add(sums, pairsU32(good));
      else if (sizeof<T>() == 2) sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(good));
      else sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(good)));
    }
    if (sizeof<T>() < 4) sums = pairsU32(sums);
    sum += <u64>i64x2.extract_lane(sums, 0) + <u64>i64x2.extract_lane(sums, 1);
  }
  if (!masked && !isFloat<T>()) valid = <u32>whole;
  real = f64x2.add(real, realHigh);
  let realSum = f64x2.extract_lane(real, 0) + f64x2.extract_lane(real, 1);

  const at = result + IMAGE_STATISTICS_LANES;
  v128.store(at, least);
  let minimum = load<T>(at);
  for (let k = sizeof<T>(); k < 16; k += sizeof<T>()) minimum = min<T>(minimum, load<T>(at + k));
  v128.store(at, most);
  let maximum = load<T>(at);
  for (let k = sizeof<T>(); k < 16; k += sizeof<T>()) maximum = max<T>(maximum, load<T>(at + k));
  for (; i < n; i++) {
    const v = load<T>(from + i * sizeof<T>());
    if ((masked && load<u8>(mask + i)) || v != v) continue;
    minimum = min<T>(minimum, v);
    maximum = max<T>(maximum, v);
    if (isFloat<T>()) realSum += <f64>v;
    else sum += <u64>v;
    valid++;
  }
  store<u64>(result + IMAGE_STATISTICS_VALID, valid);
  if (isFloat<T>()) {
    store<f64>(result + IMAGE_STATISTICS_SUM, realSum);
    store<f32>(result + IMAGE_STATISTICS_MIN, <f32>minimum);
    store<f32>(result + IMAGE_STATISTICS_MAX, <f32>maximum);
  } else {
    store<u64>(result + IMAGE_STATISTICS_SUM, sum);
    store<u32>(result + IMAGE_STATISTICS_MIN, <u32>minimum);
    store<u32>(result + IMAGE_STATISTICS_MAX, <u32>maximum);
  }
}
