/**
 * Steps that several kernels share.
 *
 * Kernels allocate nothing and hold no static data (data segments would be re-applied at every
 * instantiation and overwrite what another instance keeps there): all addresses come from the host.
 */

/** Copies `n` ≥ 64 bytes; any alignment. 16-byte aligned stores, overlapping head and tail. */
// @ts-ignore: decorator of AssemblyScript
@inline
export function copyRow(to: usize, from: usize, n: usize): void {
  const lastFrom = from + n - 64;
  const lastTo = to + n - 64;
  v128.store(to, v128.load(from));
  const head: usize = 16 - (to & 15);
  to += head;
  from += head;
  while (from < lastFrom) {
    const a = v128.load(from), b = v128.load(from, 16), c = v128.load(from, 32), d = v128.load(from, 48);
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
    from += 64;
    to += 64;
  }
  const a = v128.load(lastFrom), b = v128.load(lastFrom, 16);
  const c = v128.load(lastFrom, 32), d = v128.load(lastFrom, 48);
  v128.store(lastTo, a);
  v128.store(lastTo, b, 16);
  v128.store(lastTo, c, 32);
  v128.store(lastTo, d, 48);
}

/** 0, but the compiler must not know. */
let zero: i32 = 0;

/** Does nothing when given 0, as it must be: that it could be called keeps `opaque` opaque. */
export function setOpaqueZero(value: i32): void {
  zero = value;
}

/**
 * A constant that stays in its register: V8 makes constants of 16 bytes anew at each use, which costs
 * a loop that is made of them up to a quarter of its speed.
 */
// @ts-ignore: decorator of AssemblyScript
@inline
export function opaque(constant: v128): v128 {
  return v128.or(constant, i32x4.splat(zero));
}

/** The lower 8 bytes of both, in turns: a0 b0 a1 b1 … */
// @ts-ignore: decorator of AssemblyScript
@inline
export function interleaveLow(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/** The upper 8 bytes of both, in turns: a8 b8 a9 b9 … */
// @ts-ignore: decorator of AssemblyScript
@inline
export function interleaveHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** The sums of neighbours, u32 → u64. */
// @ts-ignore: decorator of AssemblyScript
@inline
export function pairsU32(v: v128): v128 {
  return i64x2.add(i64x2.shr_u(v, 32), v128.and(v, i64x2.splat(0xffffffff)));
}

/** All bits of the lanes of pixels whose mask, a byte each, is not 0: as many as a vector of T has. */
// @ts-ignore: decorator of AssemblyScript
@inline
export function badLanes<T>(mask: usize): v128 {
  const zero = i32x4.splat(0);
  if (sizeof<T>() == 1) return i8x16.ne(v128.load(mask), zero);
  if (sizeof<T>() == 2) return i16x8.ne(v128.load8x8_u(mask), zero);
  return i32x4.ne(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(mask))), zero);
}
