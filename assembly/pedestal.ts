/**
 * Dark frames → pedestal and noise of every pixel.
 *
 * A pixel of a gain-switching detector is a 14-bit charge v with its gain code c above:
 *
 *   raw = c << 14 | v
 *
 * Dark frames are taken with one gain forced, code g. Per pixel, over the n frames with c = g:
 *
 *   mean = Σv / n        rms = √(Σ(v − mean)² / n)
 *
 * A frame in which the pixel has another gain code counts as wrong and adds nothing.
 *
 *   sums     u32 per pixel   Σv     exact up to 2³² / (2¹⁴ − 1) > 262 144 frames
 *   squares  u64 per pixel   Σv²    exact up to 2³⁶ frames
 *   wrong    u32 per pixel   frames of another gain
 *
 * Integers only, so the result does not depend on the order of the frames, nor on how they are cut
 * into batches: 262 144 frames are exact. A batch of up to 16 frames goes through the state once:
 * 16 squares of 14 bits fit into the u32 lanes of a register, which are widened only then.
 *
 *   frames: frame 0 … frame 1 … (stride bytes from one to the next) … frame count − 1
 */
import { CHARGE_BITS, LARGEST_CHARGE } from "./layout";

/** Pixels of a step. */
const STEP: u32 = 8;

// @ts-ignore: decorator of AssemblyScript
@inline
function low(a: v128, b: v128): v128 { // a0 b0 a1 b1 a2 b2 a3 b3
  return v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function high(a: v128, b: v128): v128 { // a4 b4 a5 b5 a6 b6 a7 b7
  return v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function addTo(at: usize, lanes: v128): void {
  v128.store(at, i32x4.add(v128.load(at), lanes));
}

// @ts-ignore: decorator of AssemblyScript
@inline
function addWide(at: usize, lanes: v128): void {
  v128.store(at, i64x2.add(v128.load(at), i64x2.extend_low_i32x4_u(lanes)));
  v128.store(at, i64x2.add(v128.load(at, 16), i64x2.extend_high_i32x4_u(lanes)), 16);
}

/**
 * Adds `count` (1 to 16) dark frames of gain code `code` to the state of `pixels` pixels.
 *
 * Frames may lie anywhere and have any number of pixels; strides that are not a multiple of 4096
 * spread them over the cache.
 */
export function accumulatePedestal(
  frames: usize,
  stride: usize,
  count: u32,
  code: u32,
  sums: usize,
  squares: usize,
  wrong: usize,
  pixels: u32,
): void {
  // code >> 2 is 0, which no compiler knows: the constants stay in registers.
  const zero = i16x8.splat(<i16>(code >> 2));
  const gain = i16x8.splat(<i16>(code << CHARGE_BITS));
  const top = v128.or(zero, i16x8.splat(<i16>~LARGEST_CHARGE));
  const fours = stride * (count & ~3);
  const span = stride * count;
  for (; pixels >= STEP; pixels -= STEP) {
    // With the gain code as it must be, raw ^ gain is the charge.
    let others = zero;
    let sumLow = zero, sumHigh = zero, squareLow = zero, squareHigh = zero;
    let at = frames;
    const foursEnd = at + fours, end = at + span;
    while (at < foursEnd) {
      const a = v128.xor(v128.load(at), gain);
      at += stride;
      const b = v128.xor(v128.load(at), gain);
      at += stride;
      const c = v128.xor(v128.load(at), gain);
      at += stride;
      const d = v128.xor(v128.load(at), gain);
      at += stride;
      others = v128.or(v128.or(others, v128.or(a, b)), v128.or(c, d));
      const sum = i16x8.add(i16x8.add(a, b), i16x8.add(c, d)); // four of 14 bits fit into 16
      sumLow = i32x4.add(sumLow, i32x4.extend_low_i16x8_u(sum));
      sumHigh = i32x4.add(sumHigh, i32x4.extend_high_i16x8_u(sum));
      const abLow = low(a, b), abHigh = high(a, b), cdLow = low(c, d), cdHigh = high(c, d);
      squareLow = i32x4.add(squareLow, i32x4.add(i32x4.dot_i16x8_s(abLow, abLow), i32x4.dot_i16x8_s(cdLow, cdLow)));
      squareHigh = i32x4.add(squareHigh, i32x4.add(i32x4.dot_i16x8_s(abHigh, abHigh), i32x4.dot_i16x8_s(cdHigh, cdHigh)));
    }
    while (at < end) {
      const a = v128.xor(v128.load(at), gain);
      at += stride;
      others = v128.or(others, a);
      sumLow = i32x4.add(sumLow, i32x4.extend_low_i16x8_u(a));
      sumHigh = i32x4.add(sumHigh, i32x4.extend_high_i16x8_u(a));
      squareLow = i32x4.add(squareLow, i32x4.extmul_low_i16x8_u(a, a));
      squareHigh = i32x4.add(squareHigh, i32x4.extmul_high_i16x8_u(a, a));
    }
    if (v128.any_true(v128.and(others, top))) {
      accumulateSome(frames, stride, count, code, sums, squares, wrong);
    } else {
      addTo(sums, sumLow);
      addTo(sums + 16, sumHigh);
      addWide(squares, squareLow);
      addWide(squares + 32, squareHigh);
    }
    frames += 2 * STEP;
    sums += 4 * STEP;
    squares += 8 * STEP;
    wrong += 4 * STEP;
  }
  while (pixels > 0) {
    accumulateOne(frames, stride, count, code, sums, squares, wrong);
    frames += 2;
    sums += 4;
    squares += 8;
    wrong += 4;
    pixels--;
  }
}

/** A step of pixels of which some have another gain in some frames: those are left out and counted. */
function accumulateSome(
  frames: usize,
  stride: usize,
  count: u32,
  code: u32,
  sums: usize,
  squares: usize,
  wrong: usize,
): void {
  const zero = i16x8.splat(<i16>(code >> 2));
  const gain = i16x8.splat(<i16>(code << CHARGE_BITS));
  const top = v128.or(zero, i16x8.splat(<i16>~LARGEST_CHARGE));
  let bad = i16x8.splat(<i16>count);
  let sumLow = zero, sumHigh = zero, squareLow = zero, squareHigh = zero;
  const end = frames + stride * count;
  while (frames < end) {
    const raw = v128.xor(v128.load(frames), gain);
    const good = i16x8.eq(v128.and(raw, top), zero);
    const a = v128.and(raw, good);
    bad = i16x8.add(bad, good); // good is −1
    sumLow = i32x4.add(sumLow, i32x4.extend_low_i16x8_u(a));
    sumHigh = i32x4.add(sumHigh, i32x4.extend_high_i16x8_u(a));
    squareLow = i32x4.add(squareLow, i32x4.extmul_low_i16x8_u(a, a));
    squareHigh = i32x4.add(squareHigh, i32x4.extmul_high_i16x8_u(a, a));
    frames += stride;
  }
  addTo(sums, sumLow);
  addTo(sums + 16, sumHigh);
  addWide(squares, squareLow);
  addWide(squares + 32, squareHigh);
  addTo(wrong, i32x4.extend_low_i16x8_u(bad));
  addTo(wrong + 16, i32x4.extend_high_i16x8_u(bad));
}

/** One pixel. */
function accumulateOne(
  frames: usize,
  stride: usize,
  count: u32,
  code: u32,
  sums: usize,
  squares: usize,
  wrong: usize,
): void {
  let sum: u32 = 0, square: u64 = 0, bad: u32 = 0;
  const end = frames + stride * count;
  while (frames < end) {
    const raw = <u32>load<u16>(frames) ^ code << CHARGE_BITS;
    if (raw <= LARGEST_CHARGE) {
      sum += raw;
      square += raw * raw;
    } else bad++;
    frames += stride;
  }
  store<u32>(sums, load<u32>(sums) + sum);
  store<u64>(squares, load<u64>(squares) + square);
  store<u32>(wrong, load<u32>(wrong) + bad);
}

/**
 * Mean and RMS (f32, ADU) of `pixels` pixels from the state after `count` frames; NaN where none had the gain.
 *
 * The sums are taken relative to a whole number k near the mean first, which is exact in integers:
 * nothing is lost by subtracting large squares from each other. With n the frames that count,
 * s = Σ(v − k) and q = Σ(v − k)²: rms = √((q − s²/n) / n), in f64, rounded once at the end.
 */
export function finishPedestal(
  sums: usize,
  squares: usize,
  wrong: usize,
  count: u32,
  means: usize,
  noises: usize,
  pixels: u32,
): void {
  for (; pixels > 0; pixels--) {
    const n = count - load<u32>(wrong);
    let mean: f32 = NaN, rms: f32 = NaN;
    if (n > 0) {
      const sum = load<u32>(sums);
      const k = sum / n;
      const s = <f64>(sum - n * k);
      const q = <f64>(load<u64>(squares) - 2 * <u64>k * <u64>sum + <u64>n * <u64>k * <u64>k);
      mean = <f32>(<f64>sum / <f64>n);
      rms = <f32>sqrt<f64>((q - s * s / <f64>n) / <f64>n);
    }
    store<f32>(means, mean);
    store<f32>(noises, rms);
    sums += 4;
    squares += 8;
    wrong += 4;
    means += 4;
    noises += 4;
  }
}

/** Counts a frame's pixels by their gain code: `counts` are four u32, of codes 0 to 3. */
export function countGains(frame: usize, pixels: u32, counts: usize): void {
  let first: u32 = 0, second: u32 = 0, both: u32 = 0; // bit 14, bit 15
  let left = pixels;
  while (left >= STEP) {
    // Lanes of 16 bits hold the counts of 65 535 steps.
    let steps = min<u32>(left / STEP, 0xffff);
    left -= steps * STEP;
    let lanes14 = i16x8.splat(0), lanes15 = i16x8.splat(0), lanesBoth = i16x8.splat(0);
    do {
      const raw = v128.load(frame);
      const bit15 = i16x8.shr_s(raw, 15); // −1 where set
      const bit14 = i16x8.shr_s(i16x8.shl(raw, 1), 15);
      lanes14 = i16x8.sub(lanes14, bit14);
      lanes15 = i16x8.sub(lanes15, bit15);
      lanesBoth = i16x8.sub(lanesBoth, v128.and(bit14, bit15));
      frame += 2 * STEP;
    } while (--steps);
    first += total(lanes14);
    second += total(lanes15);
    both += total(lanesBoth);
  }
  for (; left > 0; left--) {
    const code = <u32>load<u16>(frame) >> CHARGE_BITS;
    first += code & 1;
    second += code >> 1;
    both += code == 3 ? 1 : 0;
    frame += 2;
  }
  store<u32>(counts, pixels - first - second + both);
  store<u32>(counts, first - both, 4);
  store<u32>(counts, second - both, 8);
  store<u32>(counts, both, 12);
}

/** Sum of eight u16 lanes. */
function total(lanes: v128): u32 {
  const pairs = i32x4.extadd_pairwise_i16x8_u(lanes);
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1) + i32x4.extract_lane(pairs, 2) +
    i32x4.extract_lane(pairs, 3);
}
