/**
 * Bins an image: f × f pixels, f = 2, 4 or 8, become one, their sum or mean.
 *
 *   from: f rows of at least f · n pixels, `stride` bytes apart, per row of output
 *   to:   rows of n pixels, one after the other
 *   work: one row of sums, 4 · f · n bytes and 64 more
 *
 * | pixel | sum, its type                   | mean, of the pixel's type       |
 * | ----- | ------------------------------- | ------------------------------- |
 * | u8    | exact, u16                      | exact, rounded, halves up       |
 * | u16   | exact, u32                      | exact, rounded, halves up       |
 * | u32   | saturated at 2^32 − 1, u32      | exact, rounded, halves up       |
 * | f32   | f32, in the order below         | the sum times 1 / f²            |
 *
 * In three steps, each over a whole row: the pairs of neighbours of f rows are added, row after row,
 * into `work` (twice as wide as a pixel, so that nothing overflows; f32 stays f32); pairs of these
 * sums are added until one is left for each bin; what is asked for is written.
 */
import { pairsU32 } from "./common";

/** Bins `rows` × `n` pixels of output from u8; `mean` is 0 or 1. */
export function binU8(
  to: usize, from: usize, rows: u32, n: usize, stride: usize, f: usize, mean: u32, work: usize,
): void {
  const pairs = n * f >> 1, shift = shiftOf(f), half = <u16>1 << <u16>(shift - 1);
  for (; rows > 0; rows--) {
    if (f == 2 && !mean) { // nothing else is to be done
      addPairsU8(to, from, stride, 2, n);
      to += n << 1;
      from += stride << 1;
      continue;
    }
    addPairsU8(work, from, stride, f, pairs);
    for (let sums = pairs; sums > n; sums >>= 1) halveU16(work, sums >> 1);
    if (!mean) {
      memory.copy(to, work, n << 1);
      to += n << 1;
    } else {
      const halves = i16x8.splat(half);
      let i: usize = 0;
      for (; i + 16 <= n; i += 16) {
        const low = i16x8.shr_u(i16x8.add(v128.load(work + (i << 1)), halves), shift);
        const high = i16x8.shr_u(i16x8.add(v128.load(work + (i << 1), 16), halves), shift);
        v128.store(to + i, i8x16.narrow_i16x8_u(low, high));
      }
      for (; i < n; i++) store<u8>(to + i, <u8>((<u32>load<u16>(work + (i << 1)) + half) >> shift));
      to += n;
    }
    from += stride * f;
  }
}

/** Bins `rows` × `n` pixels of output from u16; `mean` is 0 or 1. */
export function binU16(
  to: usize, from: usize, rows: u32, n: usize, stride: usize, f: usize, mean: u32, work: usize,
): void {
  const pairs = n * f >> 1, shift = shiftOf(f), half = <u32>1 << (shift - 1);
  for (; rows > 0; rows--) {
    if (f == 2 && !mean) { // nothing else is to be done
      addPairsU16(to, from, stride, 2, n);
      to += n << 2;
      from += stride << 1;
      continue;
    }
    addPairsU16(work, from, stride, f, pairs);
    for (let sums = pairs; sums > n; sums >>= 1) halveU32(work, sums >> 1);
    if (!mean) {
      memory.copy(to, work, n << 2);
      to += n << 2;
    } else {
      const halves = i32x4.splat(half);
      let i: usize = 0;
      for (; i + 8 <= n; i += 8) {
        const low = i32x4.shr_u(i32x4.add(v128.load(work + (i << 2)), halves), shift);
        const high = i32x4.shr_u(i32x4.add(v128.load(work + (i << 2), 16), halves), shift);
        v128.store(to + (i << 1), i16x8.narrow_i32x4_u(low, high));
      }
      for (; i < n; i++) store<u16>(to + (i << 1), <u16>((load<u32>(work + (i << 2)) + half) >> shift));
      to += n << 1;
    }
    from += stride * f;
  }
}

/** Bins `rows` × `n` pixels of output from u32; `mean` is 0 or 1. */
export function binU32(
  to: usize, from: usize, rows: u32, n: usize, stride: usize, f: usize, mean: u32, work: usize,
): void {
  const pairs = n * f >> 1, shift = mean ? shiftOf(f) : 0, half: u64 = mean ? (<u64>1 << (shift - 1)) : 0;
  const halves = i64x2.splat(half);
  for (; rows > 0; rows--) {
    addPairsU32(work, from, stride, f, pairs);
    for (let sums = pairs; sums > n; sums >>= 1) halveU64(work, sums >> 1);
    let i: usize = 0;
    for (; i + 4 <= n; i += 4) {
      const low = i64x2.shr_u(i64x2.add(v128.load(work + (i << 3)), halves), shift);
      const high = i64x2.shr_u(i64x2.add(v128.load(work + (i << 3), 16), halves), shift);
      // Where the upper halves are not 0, the lower ones become all ones.
      const over = i32x4.ne(v128.shuffle<u32>(low, high, 1, 3, 5, 7), i32x4.splat(0));
      v128.store(to + (i << 2), v128.or(v128.shuffle<u32>(low, high, 0, 2, 4, 6), over));
    }
    for (; i < n; i++) {
      const sum = (load<u64>(work + (i << 3)) + half) >> shift;
      store<u32>(to + (i << 2), <u32>min<u64>(sum, 0xffffffff));
    }
    to += n << 2;
    from += stride * f;
  }
}

/** Bins `rows` × `n` pixels of output from f32; `mean` is 0 or 1. */
export function binF32(
  to: usize, from: usize, rows: u32, n: usize, stride: usize, f: usize, mean: u32, work: usize,
): void {
  const pairs = n * f >> 1, factor: f32 = mean ? 1 / <f32>(f * f) : 1, factors = f32x4.splat(factor);
  for (; rows > 0; rows--) {
    addPairsF32(work, from, stride, f, pairs);
    for (let sums = pairs; sums > n; sums >>= 1) halveF32(work, sums >> 1);
    let i: usize = 0;
    for (; i + 4 <= n; i += 4) v128.store(to + (i << 2), f32x4.mul(v128.load(work + (i << 2)), factors));
    for (; i < n; i++) store<f32>(to + (i << 2), load<f32>(work + (i << 2)) * factor);
    to += n << 2;
    from += stride * f;
  }
}

/** log2(f²). */
// @ts-ignore: decorator of AssemblyScript
@inline
function shiftOf(f: usize): i32 {
  return <i32>ctz(f) << 1;
}

// work[i] = Σ over f rows of px[2 i] + px[2 i + 1], for `pairs` pairs. Whole vectors first, 4 at a
// time, then pair by pair: nothing is read beyond a row.

function addPairsU8(work: usize, from: usize, stride: usize, f: usize, pairs: usize): void {
  let i: usize = 0;
  for (; i + 32 <= pairs; i += 32) {
    let a = i16x8.splat(0), b = a, c = a, d = a;
    for (let p = from + (i << 1), end = p + stride * f; p < end; p += stride) {
      a = i16x8.add(a, i16x8.extadd_pairwise_i8x16_u(v128.load(p)));
      b = i16x8.add(b, i16x8.extadd_pairwise_i8x16_u(v128.load(p, 16)));
      c = i16x8.add(c, i16x8.extadd_pairwise_i8x16_u(v128.load(p, 32)));
      d = i16x8.add(d, i16x8.extadd_pairwise_i8x16_u(v128.load(p, 48)));
    }
    store4(work + (i << 1), a, b, c, d);
  }
  for (; i < pairs; i++) {
    let sum: u32 = 0;
    for (let p = from + (i << 1), end = p + stride * f; p < end; p += stride) sum += <u32>load<u8>(p) + load<u8>(p, 1);
    store<u16>(work + (i << 1), <u16>sum);
  }
}

function addPairsU16(work: usize, from: usize, stride: usize, f: usize, pairs: usize): void {
  let i: usize = 0;
  for (; i + 16 <= pairs; i += 16) {
    let a = i32x4.splat(0), b = a, c = a, d = a;
    for (let p = from + (i << 2), end = p + stride * f; p < end; p += stride) {
      a = i32x4.add(a, i32x4.extadd_pairwise_i16x8_u(v128.load(p)));
      b = i32x4.add(b, i32x4.extadd_pairwise_i16x8_u(v128.load(p, 16)));
      c = i32x4.add(c, i32x4.extadd_pairwise_i16x8_u(v128.load(p, 32)));
      d = i32x4.add(d, i32x4.extadd_pairwise_i16x8_u(v128.load(p, 48)));
    }
    store4(work + (i << 2), a, b, c, d);
  }
  for (; i < pairs; i++) {
    let sum: u32 = 0;
    for (let p = from + (i << 2), end = p + stride * f; p < end; p += stride) sum += <u32>load<u16>(p) + load<u16>(p, 2);
    store<u32>(work + (i << 2), sum);
  }
}

function addPairsU32(work: usize, from: usize, stride: usize, f: usize, pairs: usize): void {
  let i: usize = 0;
  for (; i + 8 <= pairs; i += 8) {
    let a = i64x2.splat(0), b = a, c = a, d = a;
    for (let p = from + (i << 3), end = p + stride * f; p < end; p += stride) {
      a = i64x2.add(a, pairsU32(v128.load(p)));
      b = i64x2.add(b, pairsU32(v128.load(p, 16)));
      c = i64x2.add(c, pairsU32(v128.load(p, 32)));
      d = i64x2.add(d, pairsU32(v128.load(p, 48)));
    }
    store4(work + (i << 3), a, b, c, d);
  }
  for (; i < pairs; i++) {
    let sum: u64 = 0;
    for (let p = from + (i << 3), end = p + stride * f; p < end; p += stride) sum += <u64>load<u32>(p) + load<u32>(p, 4);
    store<u64>(work + (i << 3), sum);
  }
}

function addPairsF32(work: usize, from: usize, stride: usize, f: usize, pairs: usize): void {
  let i: usize = 0;
  for (; i + 8 <= pairs; i += 8) {
    let p = from + (i << 3);
    const end = p + stride * f;
    let a = pairsF32(v128.load(p), v128.load(p, 16)), b = pairsF32(v128.load(p, 32), v128.load(p, 48));
    for (p += stride; p < end; p += stride) {
      a = f32x4.add(a, pairsF32(v128.load(p), v128.load(p, 16)));
      b = f32x4.add(b, pairsF32(v128.load(p, 32), v128.load(p, 48)));
    }
    v128.store(work + (i << 2), a);
    v128.store(work + (i << 2), b, 16);
  }
  for (; i < pairs; i++) {
    let p = from + (i << 3);
    const end = p + stride * f;
    let sum = load<f32>(p) + load<f32>(p, 4);
    for (p += stride; p < end; p += stride) sum += load<f32>(p) + load<f32>(p, 4);
    store<f32>(work + (i << 2), sum);
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function pairsF32(a: v128, b: v128): v128 {
  return f32x4.add(v128.shuffle<u32>(a, b, 0, 2, 4, 6), v128.shuffle<u32>(a, b, 1, 3, 5, 7));
}

// @ts-ignore: decorator of AssemblyScript
@inline
function store4(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  v128.store(to, a);
  v128.store(to, b, 16);
  v128.store(to, c, 32);
  v128.store(to, d, 48);
}

// work[i] = work[2 i] + work[2 i + 1], for n sums. Reading goes ahead of writing; what is read and
// written beyond n is in `work` as well.

function halveU16(work: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 8) {
    const a = v128.load(work + (i << 2)), b = v128.load(work + (i << 2), 16);
    const even = v128.shuffle<u16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
    v128.store(work + (i << 1), i16x8.add(even, v128.shuffle<u16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15)));
  }
}

function halveU32(work: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) {
    const a = v128.load(work + (i << 3)), b = v128.load(work + (i << 3), 16);
    const even = v128.shuffle<u32>(a, b, 0, 2, 4, 6);
    v128.store(work + (i << 2), i32x4.add(even, v128.shuffle<u32>(a, b, 1, 3, 5, 7)));
  }
}

function halveU64(work: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 2) {
    const a = v128.load(work + (i << 4)), b = v128.load(work + (i << 4), 16);
    v128.store(work + (i << 3), i64x2.add(v128.shuffle<u64>(a, b, 0, 2), v128.shuffle<u64>(a, b, 1, 3)));
  }
}

function halveF32(work: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) {
    v128.store(work + (i << 2), pairsF32(v128.load(work + (i << 3)), v128.load(work + (i << 3), 16)));
  }
}
