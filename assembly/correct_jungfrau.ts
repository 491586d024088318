/**
 * Turns one module's raw Jungfrau pixels into energies or photon counts, straight into the image.
 *
 * A raw pixel is 14 bits of charge with the gain code in bits 15:14; codes 0, 1 and 3 are the gain
 * stages G0, G1 and G2, code 2 does not exist.
 *
 *   result = ((raw & 0x3FFF) − pedestal[stage]) × scale[stage]          each step rounded to float32
 *
 * where scale is 1/gain (keV) or 1/(gain × photon energy) (photons). Photon counts are rounded half to
 * even and kept within the range of their type. A pixel is invalid, and counted, when its gain code is 2
 * or its raw value is `saturated`; its result is then NaN, the smallest value of a signed type, the
 * largest of uint16. Masked pixels have maps that yield the same: a pedestal of NaN (float32), +∞
 * (signed) or −∞ (uint16) and a scale of 1. They are not counted here, whatever their raw value.
 *
 * Maps, for every 8 pixels of a row (the last ones of a row filled up), row after row:
 *
 *   g0:        [scale G0 × 8 | pedestal G0 × 8]                                         64 bytes
 *   switched:  [scale G1 × 8 | pedestal G1 × 8 | scale G2 × 8 | pedestal G2 × 8]       128 bytes
 *
 * A row is done as if all of it were in G0, with the first map alone, and its few other pixels once more,
 * one by one; where they are many, as the last row told, all pixels with all maps. The two halves of a
 * block are written out: a function of both would add to addresses, where offsets have to be constants.
 * `stride` bytes are between the image's rows; a negative one reverses them, and `to` is where the
 * module's first row goes.
 */
import {
  CHARGE_BITS,
  CORRECTION_INVALID_GAIN,
  CORRECTION_SATURATED,
  CORRECTION_SPECIALS,
  JUNGFRAU_G0_BYTES,
  JUNGFRAU_G0_PEDESTAL,
  JUNGFRAU_G0_SCALE,
  JUNGFRAU_SWITCHED_BYTES,
  JUNGFRAU_SWITCHED_PEDESTAL_G1,
  JUNGFRAU_SWITCHED_PEDESTAL_G2,
  JUNGFRAU_SWITCHED_SCALE_G1,
  JUNGFRAU_SWITCHED_SCALE_G2,
  LARGEST_CHARGE,
  MAP_BLOCK_PIXELS,
} from "./layout";

/** Pixels of a map block. */
const BLOCK: u32 = MAP_BLOCK_PIXELS;
/** Pixels that fit into a word, a bit each. */
const RUN: u32 = 64;
/** One pixel in so many that is not in G0 makes a row that is better done with all maps. */
const MIXED: u32 = 48;

/** Corrects a module to keV as float32. */
export function correctJungfrauFloat32(
  to: usize,
  stride: i32,
  from: usize,
  rows: u32,
  columns: u32,
  g0: usize,
  switched: usize,
  saturated: u32,
  work: usize,
): void {
  correct<f32>(to, stride, from, rows, columns, g0, switched, saturated, work);
}

/** Corrects a module to photons as int16. */
export function correctJungfrauInt16(
  to: usize,
  stride: i32,
  from: usize,
  rows: u32,
  columns: u32,
  g0: usize,
  switched: usize,
  saturated: u32,
  work: usize,
): void {
  correct<i16>(to, stride, from, rows, columns, g0, switched, saturated, work);
}

/** Corrects a module to photons as uint16. */
export function correctJungfrauUint16(
  to: usize,
  stride: i32,
  from: usize,
  rows: u32,
  columns: u32,
  g0: usize,
  switched: usize,
  saturated: u32,
  work: usize,
): void {
  correct<u16>(to, stride, from, rows, columns, g0, switched, saturated, work);
}

/** Corrects a module to photons as int32. */
export function correctJungfrauInt32(
  to: usize,
  stride: i32,
  from: usize,
  rows: u32,
  columns: u32,
  g0: usize,
  switched: usize,
  saturated: u32,
  work: usize,
): void {
  correct<i32>(to, stride, from, rows, columns, g0, switched, saturated, work);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function correct<T>(
  to: usize,
  stride: i32,
  from: usize,
  rows: u32,
  columns: u32,
  g0: usize,
  switched: usize,
  saturated: u32,
  work: usize,
): void {
  // The compiler must not know the constants: it would build them anew at each use.
  const hidden = saturated >> 16;
  const charge = i32x4.splat(LARGEST_CHARGE | hidden), highestG1 = i32x4.splat(2 * LARGEST_CHARGE + 1 | hidden);
  const lift = liftOf(saturated);
  const most = f32x4.convert_i32x4_s(i32x4.splat(largest<T>() | hidden));
  const blocks = columns / BLOCK, rest = columns % BLOCK, mapBlocks = (columns + BLOCK - 1) / BLOCK;
  const limit = columns / MIXED;
  let mixed = false;
  do {
    const end = from + (<usize>blocks << 4);
    let at = to, f = from, g = g0, again = rest != 0;
    if (blocks == 0) {
      // all of the row comes below
    } else if (mixed) {
      let w = switched, specials = i16x8.splat(0), lowest = i16x8.splat(0);
      do {
        const v = v128.load(f);
        const low = i32x4.extend_low_i16x8_u(v), high = i32x4.extend_high_i16x8_u(v);
        const a = corrected(
          v128.and(low, charge),
          ofStage(
            low,
            v128.load(g, JUNGFRAU_G0_PEDESTAL),
            v128.load(w, JUNGFRAU_SWITCHED_PEDESTAL_G1),
            v128.load(w, JUNGFRAU_SWITCHED_PEDESTAL_G2),
            charge,
            highestG1,
          ),
          ofStage(
            low,
            v128.load(g, JUNGFRAU_G0_SCALE),
            v128.load(w, JUNGFRAU_SWITCHED_SCALE_G1),
            v128.load(w, JUNGFRAU_SWITCHED_SCALE_G2),
            charge,
            highestG1,
          ),
        );
        const b = corrected(
          v128.and(high, charge),
          ofStage(
            high,
            v128.load(g, JUNGFRAU_G0_PEDESTAL + 16),
            v128.load(w, JUNGFRAU_SWITCHED_PEDESTAL_G1 + 16),
            v128.load(w, JUNGFRAU_SWITCHED_PEDESTAL_G2 + 16),
            charge,
            highestG1,
          ),
          ofStage(
            high,
            v128.load(g, JUNGFRAU_G0_SCALE + 16),
            v128.load(w, JUNGFRAU_SWITCHED_SCALE_G1 + 16),
            v128.load(w, JUNGFRAU_SWITCHED_SCALE_G2 + 16),
            charge,
            highestG1,
          ),
        );
        put<T>(at, a, b, most);
        specials = i16x8.add(specials, i16x8.shr_u(i16x8.add_sat_u(v, lift), 15));
        lowest = i16x8.min_s(lowest, v);
        f += BLOCK << 1;
        at += BLOCK * sizeof<T>();
        g += JUNGFRAU_G0_BYTES;
        w += JUNGFRAU_SWITCHED_BYTES;
      } while (f < end);
      mixed = sum(specials) > limit;
      // As signed numbers, gain code 2 and 0xC000 are below everything else.
      again = again || saturated != 0xc000 || v128.any_true(i16x8.le_s(lowest, i16x8.splat(<i16>0xc000)));
    } else {
      let highest = i16x8.splat(0);
      do {
        const v = v128.load(f);
        put<T>(
          at,
          corrected(
            i32x4.extend_low_i16x8_u(v),
            v128.load(g, JUNGFRAU_G0_PEDESTAL),
            v128.load(g, JUNGFRAU_G0_SCALE),
          ),
          corrected(
            i32x4.extend_high_i16x8_u(v),
            v128.load(g, JUNGFRAU_G0_PEDESTAL + 16),
            v128.load(g, JUNGFRAU_G0_SCALE + 16),
          ),
          most,
        );
        highest = i16x8.max_u(highest, v);
        f += BLOCK << 1;
        at += BLOCK * sizeof<T>();
        g += JUNGFRAU_G0_BYTES;
      } while (f < end);
      again = again || i16x8.bitmask(i16x8.add_sat_u(highest, lift)) != 0;
    }
    if (again) {
      const found = correctSpecials<T>(to, from, columns, g0, switched, saturated, work);
      mixed = found > limit;
    }
    from += <usize>columns << 1;
    to += <usize>stride;
    g0 += <usize>mapBlocks * JUNGFRAU_G0_BYTES;
    switched += <usize>mapBlocks * JUNGFRAU_SWITCHED_BYTES;
  } while (--rows);
}

/** Corrects the pixels of a row that are invalid or not in G0, one by one, and those past the last block. */
function correctSpecials<T>(
  to: usize,
  from: usize,
  columns: u32,
  g0: usize,
  switched: usize,
  saturated: u32,
  work: usize,
): u32 {
  const list = work + CORRECTION_SPECIALS;
  const found = listSpecials(from, columns, saturated, list);
  for (let i: u32 = 0; i < found; i++) {
    correctOne<T>(load<u32>(list + (i << 2)), to, from, g0, switched, saturated, work);
  }
  return found;
}

/** Lists them; returns how many. First the list, then the work: so the one does not wait for the other. */
// @ts-ignore: decorator of AssemblyScript
@inline
function listSpecials(from: usize, columns: u32, saturated: u32, list: usize): u32 {
  const lift = liftOf(saturated);
  let found: u32 = 0, x: u32 = 0;
  for (; x + RUN <= columns; x += RUN) {
    let bits = <u64>specialOf(from, lift) | <u64>specialOf(from + 32, lift) << 16 |
      <u64>specialOf(from + 64, lift) << 32 | <u64>specialOf(from + 96, lift) << 48;
    from += RUN << 1;
    // Four at a time, whether they are there or not, instead of a branch for each.
    let next = list + (found << 2);
    found += <u32>popcnt(bits);
    do {
      store<u32>(next, x + <u32>ctz(bits));
      bits &= bits - 1;
      store<u32>(next, x + <u32>ctz(bits), 4);
      bits &= bits - 1;
      store<u32>(next, x + <u32>ctz(bits), 8);
      bits &= bits - 1;
      store<u32>(next, x + <u32>ctz(bits), 12);
      bits &= bits - 1;
      next += 16;
    } while (bits != 0);
  }
  for (const blocks = columns - columns % BLOCK; x < columns; x++) {
    const raw = <u32>load<u16>(from);
    if (x >= blocks || raw > LARGEST_CHARGE || raw == saturated) store<u32>(list + (found++ << 2), x);
    from += 2;
  }
  return found;
}

/** What added to a raw pixel sets its highest bit when it is not in G0, or saturated. */
// @ts-ignore: decorator of AssemblyScript
@inline
function liftOf(saturated: u32): v128 {
  return i16x8.splat(<i16>(0x8000 - min<u32>(saturated, LARGEST_CHARGE + 1)));
}

/** Which of 16 pixels are special, a bit each. */
// @ts-ignore: decorator of AssemblyScript
@inline
function specialOf(from: usize, lift: v128): u32 {
  return i8x16.bitmask(i8x16.narrow_i16x8_s(
    i16x8.add_sat_u(v128.load(from), lift),
    i16x8.add_sat_u(v128.load(from, 16), lift),
  ));
}

/** Corrects pixel `x` of a row: the formula, pixel by pixel. */
// @ts-ignore: decorator of AssemblyScript
@inline
function correctOne<T>(
  x: u32,
  to: usize,
  from: usize,
  g0: usize,
  switched: usize,
  saturated: u32,
  work: usize,
): void {
  const raw = <u32>load<u16>(from + (x << 1)), code = raw >> CHARGE_BITS;
  const block = x / BLOCK, lane = (x % BLOCK) << 2;
  // Codes 2 and 3 are the second half of a block; selected, since half of such branches go wrong.
  const map = code == 0
    ? g0 + block * <u32>JUNGFRAU_G0_BYTES + lane
    : switched + block * <u32>JUNGFRAU_SWITCHED_BYTES + (code >> 1) * <u32>JUNGFRAU_SWITCHED_SCALE_G2 + lane;
  const pedestal = load<f32>(map, JUNGFRAU_G0_PEDESTAL);
  let result: f32 = (<f32>(raw & LARGEST_CHARGE) - pedestal) * load<f32>(map, JUNGFRAU_G0_SCALE);
  if (code == 2 || raw == saturated) {
    result = invalid<T>();
    if (pedestal - pedestal == 0) { // neither NaN nor infinite: not masked
      const counter = work + (code == 2 ? CORRECTION_INVALID_GAIN : CORRECTION_SATURATED);
      store<u64>(counter, load<u64>(counter) + 1);
    }
  }
  to += x * sizeof<T>();
  if (isFloat<T>()) store<f32>(to, result);
  else if (sizeof<T>() == 2) {
    const least: f32 = isSigned<T>() ? -32768 : 0;
    store<u16>(to, <u16><i32>max<f32>(min<f32>(nearest<f32>(result), <f32>largest<T>()), least));
  } else {
    const whole = nearest<f32>(result);
    store<i32>(to, whole >= 2147483648.0 ? i32.MAX_VALUE : <i32>max<f32>(whole, -2147483648.0));
  }
}

/** Sum of eight u16. */
// @ts-ignore: decorator of AssemblyScript
@inline
function sum(v: v128): u32 {
  const s = i32x4.extadd_pairwise_i16x8_u(v);
  return i32x4.extract_lane(s, 0) + i32x4.extract_lane(s, 1) + i32x4.extract_lane(s, 2) + i32x4.extract_lane(s, 3);
}

/** The formula, for four pixels. */
// @ts-ignore: decorator of AssemblyScript
@inline
function corrected(charge: v128, pedestal: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.sub(f32x4.convert_i32x4_s(charge), pedestal), scale);
}

/** For each of four raw pixels the value of its gain stage. */
// @ts-ignore: decorator of AssemblyScript
@inline
function ofStage(raw: v128, g0: v128, g1: v128, g2: v128, highestG0: v128, highestG1: v128): v128 {
  return i32x4.relaxed_laneselect(
    g2,
    i32x4.relaxed_laneselect(g1, g0, i32x4.gt_s(raw, highestG0)),
    i32x4.gt_s(raw, highestG1),
  );
}

/** What an invalid pixel is before it becomes a `T`. */
// @ts-ignore: decorator of AssemblyScript
@inline
function invalid<T>(): f32 {
  if (isFloat<T>()) return f32.NaN;
  return isSigned<T>() ? -f32.POSITIVE_INFINITY : f32.POSITIVE_INFINITY;
}

/** Largest value of a 16-bit type. */
// @ts-ignore: decorator of AssemblyScript
@inline
function largest<T>(): i32 {
  return isSigned<T>() ? 32767 : 65535;
}

/** Stores eight results: as they are, or rounded and within the range of `T`. */
// @ts-ignore: decorator of AssemblyScript
@inline
function put<T>(to: usize, a: v128, b: v128, most: v128): void {
  if (isFloat<T>()) {
    v128.store(to, a);
    v128.store(to, b, 16);
  } else if (sizeof<T>() == 4) {
    v128.store(to, i32x4.trunc_sat_f32x4_s(f32x4.nearest(a)));
    v128.store(to, i32x4.trunc_sat_f32x4_s(f32x4.nearest(b)), 16);
  } else {
    // Below −2³¹ relaxed_trunc yields −2³¹ on every machine, and above `most` there is nothing.
    a = i32x4.relaxed_trunc_f32x4_s(f32x4.nearest(f32x4.relaxed_min(a, most)));
    b = i32x4.relaxed_trunc_f32x4_s(f32x4.nearest(f32x4.relaxed_min(b, most)));
    v128.store(to, isSigned<T>() ? i16x8.narrow_i32x4_s(a, b) : i16x8.narrow_i32x4_u(a, b));
  }
}
