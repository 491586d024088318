/**
 * Lets the G0 pedestals of a module follow its pixels that see no photon.
 *
 * For every pixel in G0 (gain code 0) with charge v, all in float32:
 *
 *   d = v − pedestal        if |d| < limit:  pedestal = pedestal + d × weight
 *
 * An exponential moving mean: after a step of the true pedestal the distance shrinks by e in 1/weight
 * frames. Pixels with photons or in another gain stay as they are, and so do masked ones, whose
 * pedestals (NaN, ±∞, see `correct_jungfrau.ts`) are within no limit.
 *
 *   raw:     u16, rows × columns
 *   g0:      the packed map of `correct_jungfrau.ts`: [scale × 8 | pedestal × 8] for every 8 pixels
 *   limits:  [limit × 8] for every 8 pixels, f32, ADU; the last ones of a row filled up
 */
import { JUNGFRAU_G0_BYTES, JUNGFRAU_G0_PEDESTAL, LARGEST_CHARGE, MAP_BLOCK_PIXELS } from "./layout";

const BLOCK: u32 = MAP_BLOCK_PIXELS;

// @ts-ignore: decorator of AssemblyScript
@inline
function followed(raw: v128, pedestal: v128, limit: v128, weight: v128, firstSwitched: v128): v128 {
  const d = f32x4.sub(f32x4.convert_i32x4_s(raw), pedestal);
  const dark = v128.and(f32x4.lt(f32x4.abs(d), limit), i32x4.lt_s(raw, firstSwitched));
  return v128.bitselect(f32x4.add(pedestal, f32x4.mul(d, weight)), pedestal, dark);
}

/** Moves the G0 pedestals of a module towards the charges of its pixels without photons. */
export function trackPedestal(
  from: usize,
  rows: u32,
  columns: u32,
  g0: usize,
  limits: usize,
  weight: f32,
): void {
  const weights = f32x4.splat(weight), firstSwitched = i32x4.splat(LARGEST_CHARGE + 1);
  const blocks = columns / BLOCK, rest = columns % BLOCK;
  do {
    let left = blocks;
    while (left > 0) {
      const raw = v128.load(from);
      const low = followed(
        i32x4.extend_low_i16x8_u(raw),
        v128.load(g0, JUNGFRAU_G0_PEDESTAL),
        v128.load(limits),
        weights,
        firstSwitched,
      );
      const high = followed(
        i32x4.extend_high_i16x8_u(raw),
        v128.load(g0, JUNGFRAU_G0_PEDESTAL + 16),
        v128.load(limits, 16),
        weights,
        firstSwitched,
      );
      v128.store(g0, low, JUNGFRAU_G0_PEDESTAL);
      v128.store(g0, high, JUNGFRAU_G0_PEDESTAL + 16);
      from += 2 * BLOCK;
      g0 += JUNGFRAU_G0_BYTES;
      limits += 4 * BLOCK;
      left--;
    }
    if (rest != 0) {
      for (let i: u32 = 0; i < rest; i++) {
        trackOne(from + 2 * <usize>i, g0 + JUNGFRAU_G0_PEDESTAL + 4 * <usize>i, limits + 4 * <usize>i, weight);
      }
      from += 2 * <usize>rest;
      g0 += JUNGFRAU_G0_BYTES;
      limits += 4 * BLOCK;
    }
  } while (--rows);
}

function trackOne(from: usize, pedestalAt: usize, limitAt: usize, weight: f32): void {
  const raw = <u32>load<u16>(from);
  const pedestal = load<f32>(pedestalAt);
  const d = <f32>raw - pedestal;
  if (raw <= LARGEST_CHARGE && abs<f32>(d) < load<f32>(limitAt)) {
    store<f32>(pedestalAt, pedestal + d * weight);
  }
}
