/**
 * Sets an image's bad pixels to a value, in place.
 *
 *   image: n pixels of 1, 2 or 4 bytes        image[i] = mask[i] == 0 ? image[i] : value
 *   mask:  n bytes, 0 for good pixels
 *
 * Most pixels are good: 64 of them are found so by one test of their masks, and are neither read nor
 * written; of the others, 16 are.
 */

/** Pixels whose masks are tested at once. */
const RUN: usize = 64;
/** Pixels of a vector of masks. */
const LANES: usize = 16;

/** Sets the pixels whose mask is not 0 to `value`, the pixel's bits; `bytes` is 1, 2 or 4. */
export function applyMask(image: usize, mask: usize, n: usize, bytes: usize, value: u32): void {
  if (bytes == 1) apply<u8>(image, mask, n, <u8>value);
  else if (bytes == 2) apply<u16>(image, mask, n, <u16>value);
  else apply<u32>(image, mask, n, value);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function apply<T>(image: usize, mask: usize, n: usize, value: T): void {
  const values = v128.splat<T>(value);
  const end = mask + n;
  for (; mask + RUN <= end; mask += RUN, image += RUN * sizeof<T>()) {
    const a = v128.load(mask), b = v128.load(mask, 16), c = v128.load(mask, 32), d = v128.load(mask, 48);
    if (!v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) continue;
    select<T>(image, values, a);
    select<T>(image + LANES * sizeof<T>(), values, b);
    select<T>(image + 2 * LANES * sizeof<T>(), values, c);
    select<T>(image + 3 * LANES * sizeof<T>(), values, d);
  }
  for (; mask < end; mask++, image += sizeof<T>()) if (load<u8>(mask)) store<T>(image, value);
}

/** Sets the bad ones of 16 pixels; `mask` has a byte for each. */
// @ts-ignore: decorator of AssemblyScript
@inline
function select<T>(image: usize, values: v128, mask: v128): void {
  if (!v128.any_true(mask)) return;
  const bad = i8x16.ne(mask, i8x16.splat(0));
  if (sizeof<T>() == 1) {
    put(image, values, bad);
    return;
  }
  const low = i16x8.extend_low_i8x16_s(bad), high = i16x8.extend_high_i8x16_s(bad);
  if (sizeof<T>() == 2) {
    put(image, values, low);
    put(image + 16, values, high);
    return;
  }
  put(image, values, i32x4.extend_low_i16x8_s(low));
  put(image + 16, values, i32x4.extend_high_i16x8_s(low));
  put(image + 32, values, i32x4.extend_low_i16x8_s(high));
  put(image + 48, values, i32x4.extend_high_i16x8_s(high));
}

// @ts-ignore: decorator of AssemblyScript
@inline
function put(image: usize, values: v128, bad: v128): void {
  v128.store(image, v128.bitselect(values, v128.load(image), bad));
}
