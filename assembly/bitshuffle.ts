/**
 * Bitshuffle of one block: bit k of byte j of all its elements becomes one row of bits.
 *
 *   in:  n elements of E bytes, n a multiple of 8
 *   out: 8 · E rows of n / 8 bytes; bit (e % 8) of byte e / 8 of row 8 · j + k is bit k of byte j of
 *        element e
 *
 * Detectors count little: the rows of high bits are runs of zeros, which LZ4 makes short.
 *
 * A step takes 128 elements, 16 groups of 8, which are 16 bytes of each row:
 *
 *   1. bytes:  byte j of element i of the 16 groups g → one vector, its lane g, for all i and j
 *   2. bits:   the 8 vectors of a byte j, one per i → 8 vectors, one per bit k: a transposition of
 *              8 × 8 bits in every lane
 *
 * and in reverse to go back: both steps are transpositions. Between them the vectors lie in `work`,
 * that of byte j of element i at 16 · (E · i + j).
 *
 * Counts are mostly below 256: where all 128 elements are, they are packed to 128 bytes, which stay in
 * registers through both steps, and the rows of the upper bytes are zeros. Below 16, the second step has
 * half the work.
 *
 * Elements beyond a multiple of 128 go group by group, a transposition of 8 × 8 bits in 64 bits.
 * Layout of `work`: BITSHUFFLE in lib/kernels/layout.ts.
 */
import { interleaveHigh as high, interleaveLow as low, opaque } from "./common";
import { BITSHUFFLE_STEP as STEP } from "./layout";

/** Shuffles `n` elements of `bytes` (1, 2, 4 or 8) bytes; `n` a multiple of 8. */
export function bitshuffle(to: usize, from: usize, n: usize, bytes: usize, work: usize): void {
  if (bytes == 2) shuffleSteps(to, from, n, 2, work);
  else if (bytes == 4) shuffleSteps(to, from, n, 4, work);
  else if (bytes == 1) shuffleSteps(to, from, n, 1, work);
  else shuffleSteps(to, from, n, 8, work);
  const row = n >> 3;
  for (let e = n & ~(STEP - 1); e < n; e += 8) shuffleGroup(to + (e >> 3), row, from + e * bytes, bytes);
}

/** Undoes bitshuffle. */
export function bitunshuffle(to: usize, from: usize, n: usize, bytes: usize, work: usize): void {
  if (bytes == 2) unshuffleSteps(to, from, n, 2, work);
  else if (bytes == 4) unshuffleSteps(to, from, n, 4, work);
  else if (bytes == 1) unshuffleSteps(to, from, n, 1, work);
  else unshuffleSteps(to, from, n, 8, work);
  const row = n >> 3;
  for (let e = n & ~(STEP - 1); e < n; e += 8) unshuffleGroup(to + e * bytes, from + (e >> 3), row, bytes);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function shuffleSteps(to: usize, from: usize, n: usize, bytes: usize, work: usize): void {
  const m4 = opaque(i8x16.splat(0x0f)), m2 = opaque(i8x16.splat(0x33)), m1 = opaque(i8x16.splat(0x55));
  const row = n >> 3;
  for (const end = to + (n / STEP << 4); to < end; to += 16) {
    if (bytes == 1) {
      const a = v128.load(from), b = v128.load(from, 16), c = v128.load(from, 32), d = v128.load(from, 48);
      const e = v128.load(from, 64), f = v128.load(from, 80), g = v128.load(from, 96), h = v128.load(from, 112);
      const any = v128.or(v128.or(v128.or(a, b), v128.or(c, d)), v128.or(v128.or(e, f), v128.or(g, h)));
      shuffleBytes(to, row, a, b, c, d, e, f, g, h, any, m4, m2, m1);
    } else if (!shuffleSmall(to, row, from, bytes, m4, m2, m1)) {
      for (let i: usize = 0; i < bytes >> 1; i++) transposeBytes(work + (i << 8), 16, from + (i << 4), bytes << 3);
      for (let j: usize = 0; j < bytes; j++) {
        transposeBitsAt(to + (j << 3) * row, row, work + (j << 4), bytes << 4, m4, m2, m1);
      }
    }
    from += STEP * bytes;
  }
}

/** Shuffles 128 elements if all of them are below 256; returns whether they are. */
// @ts-ignore: decorator of AssemblyScript
@inline
function shuffleSmall(to: usize, row: usize, from: usize, bytes: usize, m4: v128, m2: v128, m1: v128): bool {
  let a = words(from, 0, bytes), b = words(from, 1, bytes), any = v128.or(a, b);
  if (isLarge(any)) return false; // of bright pixels, the first are as large as the others
  const v0 = i8x16.narrow_i16x8_u(a, b);
  a = words(from, 2, bytes), b = words(from, 3, bytes), any = v128.or(any, v128.or(a, b));
  const v1 = i8x16.narrow_i16x8_u(a, b);
  a = words(from, 4, bytes), b = words(from, 5, bytes), any = v128.or(any, v128.or(a, b));
  const v2 = i8x16.narrow_i16x8_u(a, b);
  a = words(from, 6, bytes), b = words(from, 7, bytes), any = v128.or(any, v128.or(a, b));
  const v3 = i8x16.narrow_i16x8_u(a, b);
  a = words(from, 8, bytes), b = words(from, 9, bytes), any = v128.or(any, v128.or(a, b));
  const v4 = i8x16.narrow_i16x8_u(a, b);
  a = words(from, 10, bytes), b = words(from, 11, bytes), any = v128.or(any, v128.or(a, b));
  const v5 = i8x16.narrow_i16x8_u(a, b);
  a = words(from, 12, bytes), b = words(from, 13, bytes), any = v128.or(any, v128.or(a, b));
  const v6 = i8x16.narrow_i16x8_u(a, b);
  a = words(from, 14, bytes), b = words(from, 15, bytes), any = v128.or(any, v128.or(a, b));
  const v7 = i8x16.narrow_i16x8_u(a, b);
  if (isLarge(any)) return false;
  shuffleBytes(to, row, v0, v1, v2, v3, v4, v5, v6, v7, any, m4, m2, m1);
  const zero = i32x4.splat(0);
  for (let j: usize = 1; j < bytes; j++) {
    to += row << 3;
    storeRows(to, row, zero, zero, zero, zero, zero, zero, zero, zero);
  }
  return true;
}

/**
 * Group `g` of 8 elements as words of 16 bit: saturated, so that elements below 256 stay as they are and
 * all others are not below 256 either.
 */
// @ts-ignore: decorator of AssemblyScript
@inline
function words(from: usize, g: usize, bytes: usize): v128 {
  const at = from + (bytes << 3) * g;
  if (bytes == 2) return v128.load(at);
  const first = i16x8.narrow_i32x4_s(v128.load(at), v128.load(at, 16));
  if (bytes == 4) return first;
  // Both halves of 8 bytes became 16 bit; together they are again words of 32.
  return i16x8.narrow_i32x4_s(first, i16x8.narrow_i32x4_s(v128.load(at, 32), v128.load(at, 48)));
}

/** Whether one of these words is 256 or more. */
// @ts-ignore: decorator of AssemblyScript
@inline
function isLarge(words: v128): bool {
  return v128.any_true(v128.and(words, i16x8.splat(-256)));
}

/** The 8 bit rows of 128 bytes, 16 in each of 8 vectors; `any` is what they have of bits. */
// @ts-ignore: decorator of AssemblyScript
@inline
function shuffleBytes(
  to: usize, row: usize,
  v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, v6: v128, v7: v128,
  any: v128, m4: v128, m2: v128, m1: v128,
): void {
  // As rotate does it, four times: byte gggghhh, of group g, goes to hhhgggg.
  const a0 = low(v0, v4), a1 = high(v0, v4), a2 = low(v1, v5), a3 = high(v1, v5);
  const a4 = low(v2, v6), a5 = high(v2, v6), a6 = low(v3, v7), a7 = high(v3, v7);
  const b0 = low(a0, a4), b1 = high(a0, a4), b2 = low(a1, a5), b3 = high(a1, a5);
  const b4 = low(a2, a6), b5 = high(a2, a6), b6 = low(a3, a7), b7 = high(a3, a7);
  const c0 = low(b0, b4), c1 = high(b0, b4), c2 = low(b1, b5), c3 = high(b1, b5);
  const c4 = low(b2, b6), c5 = high(b2, b6), c6 = low(b3, b7), c7 = high(b3, b7);
  const d0 = low(c0, c4), d1 = high(c0, c4), d2 = low(c1, c5), d3 = high(c1, c5);
  const d4 = low(c2, c6), d5 = high(c2, c6), d6 = low(c3, c7), d7 = high(c3, c7);
  if (v128.any_true(v128.andnot(any, m4))) transposeBits(to, row, d0, d1, d2, d3, d4, d5, d6, d7, m4, m2, m1);
  else transposeLowBits(to, row, d0, d1, d2, d3, d4, d5, d6, d7, m2, m1);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function unshuffleSteps(to: usize, from: usize, n: usize, bytes: usize, work: usize): void {
  const m4 = opaque(i8x16.splat(0x0f)), m2 = opaque(i8x16.splat(0x33)), m1 = opaque(i8x16.splat(0x55));
  const row = n >> 3;
  for (const end = from + (n / STEP << 4); from < end; from += 16) {
    for (let j: usize = 0; j < bytes; j++) {
      transposeBitsAt(work + (j << 4), bytes << 4, from + (j << 3) * row, row, m4, m2, m1);
    }
    if (bytes == 1) {
      rotate(
        to, 16,
        v128.load(work), v128.load(work, 16), v128.load(work, 32), v128.load(work, 48),
        v128.load(work, 64), v128.load(work, 80), v128.load(work, 96), v128.load(work, 112),
      );
    } else {
      for (let i: usize = 0; i < bytes >> 1; i++) transposeBytes(to + (i << 4), bytes << 3, work + (i << 8), 16);
    }
    to += STEP * bytes;
  }
}

/** Byte c of vector g → byte g of vector c: 16 vectors each, `stride` bytes apart. */
// @ts-ignore: decorator of AssemblyScript
@inline
function transposeBytes(to: usize, toStride: usize, from: usize, stride: usize): void {
  const half = from + (stride << 3);
  // Twice 8 vectors: 16 would not fit the registers. The second reading is from the cache.
  rotate(
    to, toStride,
    low(v128.load(from), v128.load(half)),
    low(v128.load(from + stride), v128.load(half + stride)),
    low(v128.load(from + 2 * stride), v128.load(half + 2 * stride)),
    low(v128.load(from + 3 * stride), v128.load(half + 3 * stride)),
    low(v128.load(from + 4 * stride), v128.load(half + 4 * stride)),
    low(v128.load(from + 5 * stride), v128.load(half + 5 * stride)),
    low(v128.load(from + 6 * stride), v128.load(half + 6 * stride)),
    low(v128.load(from + 7 * stride), v128.load(half + 7 * stride)),
  );
  rotate(
    to + (toStride << 3), toStride,
    high(v128.load(from), v128.load(half)),
    high(v128.load(from + stride), v128.load(half + stride)),
    high(v128.load(from + 2 * stride), v128.load(half + 2 * stride)),
    high(v128.load(from + 3 * stride), v128.load(half + 3 * stride)),
    high(v128.load(from + 4 * stride), v128.load(half + 4 * stride)),
    high(v128.load(from + 5 * stride), v128.load(half + 5 * stride)),
    high(v128.load(from + 6 * stride), v128.load(half + 6 * stride)),
    high(v128.load(from + 7 * stride), v128.load(half + 7 * stride)),
  );
}

/**
 * Three perfect shuffles of 128 bytes, which move byte abcdefg (binary) to defgabc: interleaving the
 * first half with the second rotates the number of a byte by one bit.
 */
// @ts-ignore: decorator of AssemblyScript
@inline
function rotate(
  to: usize, stride: usize,
  a0: v128, a1: v128, a2: v128, a3: v128, a4: v128, a5: v128, a6: v128, a7: v128,
): void {
  const b0 = low(a0, a4), b1 = high(a0, a4), b2 = low(a1, a5), b3 = high(a1, a5);
  const b4 = low(a2, a6), b5 = high(a2, a6), b6 = low(a3, a7), b7 = high(a3, a7);
  const c0 = low(b0, b4), c1 = high(b0, b4), c2 = low(b1, b5), c3 = high(b1, b5);
  const c4 = low(b2, b6), c5 = high(b2, b6), c6 = low(b3, b7), c7 = high(b3, b7);
  storeRows(
    to, stride,
    low(c0, c4), high(c0, c4), low(c1, c5), high(c1, c5), low(c2, c6), high(c2, c6), low(c3, c7), high(c3, c7),
  );
}

/** Stores 8 vectors, `stride` bytes apart: from one to the next, which takes an instruction less than multiples. */
// @ts-ignore: decorator of AssemblyScript
@inline
function storeRows(
  to: usize, stride: usize,
  a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128,
): void {
  v128.store(to, a);
  to += stride;
  v128.store(to, b);
  to += stride;
  v128.store(to, c);
  to += stride;
  v128.store(to, d);
  to += stride;
  v128.store(to, e);
  to += stride;
  v128.store(to, f);
  to += stride;
  v128.store(to, g);
  to += stride;
  v128.store(to, h);
}

/** transposeBits of 8 vectors in memory, `stride` bytes apart. */
// @ts-ignore: decorator of AssemblyScript
@inline
function transposeBitsAt(
  to: usize, toStride: usize, from: usize, stride: usize, m4: v128, m2: v128, m1: v128,
): void {
  const a = v128.load(from), b = v128.load(from + stride);
  const c = v128.load(from + 2 * stride), d = v128.load(from + 3 * stride);
  const e = v128.load(from + 4 * stride), f = v128.load(from + 5 * stride);
  const g = v128.load(from + 6 * stride), h = v128.load(from + 7 * stride);
  // Of counts, the upper bytes are mostly 0.
  const any = v128.or(v128.or(v128.or(a, b), v128.or(c, d)), v128.or(v128.or(e, f), v128.or(g, h)));
  if (v128.any_true(any)) transposeBits(to, toStride, a, b, c, d, e, f, g, h, m4, m2, m1);
  else storeRows(to, toStride, any, any, any, any, any, any, any, any);
}

/**
 * Bit k of vector i → bit i of vector k, in each of the 16 lanes: pairs of vectors 4, 2 and 1 apart
 * swap halves, pairs and single bits. The masks are 0x0f, 0x33, 0x55 in all lanes.
 */
// @ts-ignore: decorator of AssemblyScript
@inline
function transposeBits(
  to: usize, stride: usize,
  a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128, m4: v128, m2: v128, m1: v128,
): void {
  let x = exchange(a, e, 4, m4);
  e = v128.xor(e, x), a = v128.xor(a, i16x8.shl(x, 4));
  x = exchange(b, f, 4, m4);
  f = v128.xor(f, x), b = v128.xor(b, i16x8.shl(x, 4));
  x = exchange(c, g, 4, m4);
  g = v128.xor(g, x), c = v128.xor(c, i16x8.shl(x, 4));
  x = exchange(d, h, 4, m4);
  h = v128.xor(h, x), d = v128.xor(d, i16x8.shl(x, 4));

  x = exchange(a, c, 2, m2);
  c = v128.xor(c, x), a = v128.xor(a, i16x8.shl(x, 2));
  x = exchange(b, d, 2, m2);
  d = v128.xor(d, x), b = v128.xor(b, i16x8.shl(x, 2));
  x = exchange(a, b, 1, m1);
  v128.store(to, v128.xor(a, i8x16.add(x, x)));
  v128.store(to + stride, v128.xor(b, x));
  x = exchange(c, d, 1, m1);
  v128.store(to + 2 * stride, v128.xor(c, i8x16.add(x, x)));
  v128.store(to + 3 * stride, v128.xor(d, x));

  x = exchange(e, g, 2, m2);
  g = v128.xor(g, x), e = v128.xor(e, i16x8.shl(x, 2));
  x = exchange(f, h, 2, m2);
  h = v128.xor(h, x), f = v128.xor(f, i16x8.shl(x, 2));
  x = exchange(e, f, 1, m1);
  v128.store(to + 4 * stride, v128.xor(e, i8x16.add(x, x)));
  v128.store(to + 5 * stride, v128.xor(f, x));
  x = exchange(g, h, 1, m1);
  v128.store(to + 6 * stride, v128.xor(g, i8x16.add(x, x)));
  v128.store(to + 7 * stride, v128.xor(h, x));
}

/** transposeBits where all lanes are below 16: two vectors become one, and the upper four rows are zeros. */
// @ts-ignore: decorator of AssemblyScript
@inline
function transposeLowBits(
  to: usize, stride: usize,
  a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128, m2: v128, m1: v128,
): void {
  a = v128.or(a, i16x8.shl(e, 4)), b = v128.or(b, i16x8.shl(f, 4));
  c = v128.or(c, i16x8.shl(g, 4)), d = v128.or(d, i16x8.shl(h, 4));
  let x = exchange(a, c, 2, m2);
  c = v128.xor(c, x), a = v128.xor(a, i16x8.shl(x, 2));
  x = exchange(b, d, 2, m2);
  d = v128.xor(d, x), b = v128.xor(b, i16x8.shl(x, 2));
  x = exchange(a, b, 1, m1);
  const y = exchange(c, d, 1, m1);
  const zero = i32x4.splat(0);
  storeRows(
    to, stride,
    v128.xor(a, i8x16.add(x, x)), v128.xor(b, x), v128.xor(c, i8x16.add(y, y)), v128.xor(d, y),
    zero, zero, zero, zero,
  );
}

/** Where the upper bits of `a` and the lower bits of `b`, `shift` apart, differ. */
// @ts-ignore: decorator of AssemblyScript
@inline
function exchange(a: v128, b: v128, shift: i32, mask: v128): v128 {
  return v128.and(v128.xor(i16x8.shr_u(a, shift), b), mask);
}

/** Shuffles 8 elements: one byte of each row. */
function shuffleGroup(to: usize, row: usize, from: usize, bytes: usize): void {
  for (let j: usize = 0; j < bytes; j++) {
    let x: u64 = 0;
    for (let i: usize = 0; i < 8; i++) x |= <u64>load<u8>(from + i * bytes + j) << (i << 3);
    x = transposeBits64(x);
    for (let k: usize = 0; k < 8; k++) store<u8>(to + ((j << 3) + k) * row, <u8>(x >> (k << 3)));
  }
}

/** Undoes shuffleGroup. */
function unshuffleGroup(to: usize, from: usize, row: usize, bytes: usize): void {
  for (let j: usize = 0; j < bytes; j++) {
    let x: u64 = 0;
    for (let k: usize = 0; k < 8; k++) x |= <u64>load<u8>(from + ((j << 3) + k) * row) << (k << 3);
    x = transposeBits64(x);
    for (let i: usize = 0; i < 8; i++) store<u8>(to + i * bytes + j, <u8>(x >> (i << 3)));
  }
}

/** Bit k of byte i → bit i of byte k. */
// @ts-ignore: decorator of AssemblyScript
@inline
function transposeBits64(x: u64): u64 {
  let t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aa;
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000cccc0000cccc;
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0;
  return x ^ t ^ (t << 28);
}
