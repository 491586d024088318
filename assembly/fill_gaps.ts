/**
 * Pixels at a chip's border, which are twice as large as the others, and the gap beside them.
 *
 * Two chips are two pixels apart, and the border pixels reach into the gap: each of them has counted
 * what fell on itself and on the gap pixel next to it.
 *
 *   chip … c  b │ g  g │ b  c … chip        share: g = ⌊b / 2⌋, b = b − g
 *
 * The sum stays, and so does a saturated pixel: one that counted its limit says no more than "at
 * least", so both get the limit. A pixel in the corner of a chip is shared across its column's gap
 * first, then, gap pixel included, across the row's: four equal parts. Floats are halved.
 *
 * A line of `count` border pixels begins at `at`, one every `stride` bytes; their gap pixels are `step`
 * bytes from them. Lines along a row (stride = bytes of a pixel) go by the register.
 */

/** Shares a line of border pixels of 1, 2 or 4 bytes, unsigned, with their gap pixels. */
export function shareCounts(at: usize, count: u32, stride: i32, step: i32, pixel: u32, limit: u32): void {
  if (pixel == 1) share<u8>(at, count, stride, step, <u8>limit);
  else if (pixel == 2) share<u16>(at, count, stride, step, <u16>limit);
  else share<u32>(at, count, stride, step, limit);
}

/** Shares a line of border pixels of 2 or 4 bytes, signed; one that is `invalid` makes its gap pixel so. */
export function shareSigned(at: usize, count: u32, stride: i32, step: i32, pixel: u32, invalid: i32): void {
  if (pixel == 2) share<i16>(at, count, stride, step, <i16>invalid);
  else share<i32>(at, count, stride, step, invalid);
}

/** Halves go towards the lower number; a pixel that is `limit` stays so, and makes its gap pixel so. */
// @ts-ignore: decorator of AssemblyScript
@inline
function share<T>(at: usize, count: u32, stride: i32, step: i32, limit: T): void {
  if (stride == <i32>sizeof<T>()) {
    const lanes: u32 = 16 / <u32>sizeof<T>();
    const limits = v128.splat<T>(limit);
    for (; count >= lanes; count -= lanes) {
      const border = v128.load(at);
      const full = v128.eq<T>(border, limits);
      const half = v128.shr<T>(border, 1);
      v128.store(at + <usize>step, v128.bitselect(limits, half, full));
      v128.store(at, v128.bitselect(limits, v128.sub<T>(border, half), full));
      at += 16;
    }
  }
  for (; count != 0; count--) {
    const border = load<T>(at);
    const half = border == limit ? limit : <T>(border >> <T>1);
    store<T>(at + <usize>step, half);
    if (border != limit) store<T>(at, <T>(border - half));
    at += <usize>stride;
  }
}

/** Halves a line of border pixels of f32 and sets their gap pixels to the other half. */
export function shareFloats(at: usize, count: u32, stride: i32, step: i32): void {
  if (stride == 4) {
    for (; count >= 4; count -= 4) {
      const half = f32x4.mul(v128.load(at), f32x4.splat(0.5));
      v128.store(at, half);
      v128.store(at + <usize>step, half);
      at += 16;
    }
  }
  for (; count != 0; count--) {
    const half = load<f32>(at) * 0.5;
    store<f32>(at, half);
    store<f32>(at + <usize>step, half);
    at += <usize>stride;
  }
}

/** Sets a line of pixels of 1, 2 or 4 bytes to the low bits of `value`. */
export function setPixels(at: usize, count: u32, stride: i32, pixel: u32, value: u32): void {
  if (pixel == 1) set<u8>(at, count, stride, <u8>value);
  else if (pixel == 2) set<u16>(at, count, stride, <u16>value);
  else set<u32>(at, count, stride, value);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function set<T>(at: usize, count: u32, stride: i32, value: T): void {
  if (stride == <i32>sizeof<T>()) {
    const lanes: u32 = 16 / <u32>sizeof<T>();
    const values = v128.splat<T>(value);
    for (; count >= lanes; count -= lanes) {
      v128.store(at, values);
      at += 16;
    }
  }
  for (; count != 0; count--) {
    store<T>(at, value);
    at += <usize>stride;
  }
}
