/**
 * Sets an image's bad pixels to a value, in place.
 *
 *   image: n pixels of 1, 2 or 4 bytes        image[i] = mask[i] == 0 ? image[i] : value
 *   mask:  n bytes, 0 for good pixels
 *
 * Most pixels are good: 64 of them are found so by one test of their masks, and are neither read nor
 * written.
 */

/** Pixels found good at once. */
const RUN: usize = 64;
/** Pixels of a vector of masks. */
const LANES: usize = 16;

/** Sets the pixels whose mask is not 0 to `value`, the pixel's bits; `bytes` is 1, 2 or 4. */
export function applyMask(image: usize, mask: usize, n: usize, bytes: usize, value: u32): void {
  if (bytes == 1) mask8(image, mask, n, <u8>value);
  else if (bytes == 2) mask16(image, mask, n, <u16>value);
  else mask32(image, mask, n, value);
}

function mask8(image: usize, mask: usize, n: usize, value: u8): void {
  const values = i8x16.splat(value);
  const end = mask + n;
  while (mask + LANES <= end) {
    if (mask + RUN <= end && good(mask)) {
      mask += RUN;
      image += RUN;
      continue;
    }
    v128.store(image, v128.bitselect(values, v128.load(image), bad(mask)));
    mask += LANES;
    image += LANES;
  }
  for (; mask < end; mask++, image++) if (load<u8>(mask)) store<u8>(image, value);
}

function mask16(image: usize, mask: usize, n: usize, value: u16): void {
  const values = i16x8.splat(value);
  const end = mask + n;
  while (mask + LANES <= end) {
    if (mask + RUN <= end && good(mask)) {
      mask += RUN;
      image += RUN << 1;
      continue;
    }
    const m = bad(mask);
    select(image, values, i16x8.extend_low_i8x16_s(m));
    select(image + 16, values, i16x8.extend_high_i8x16_s(m));
    mask += LANES;
    image += LANES << 1;
  }
  for (; mask < end; mask++, image += 2) if (load<u8>(mask)) store<u16>(image, value);
}

function mask32(image: usize, mask: usize, n: usize, value: u32): void {
  const values = i32x4.splat(value);
  const end = mask + n;
  while (mask + LANES <= end) {
    if (mask + RUN <= end && good(mask)) {
      mask += RUN;
      image += RUN << 2;
      continue;
    }
    const m = bad(mask);
    const low = i16x8.extend_low_i8x16_s(m), high = i16x8.extend_high_i8x16_s(m);
    select(image, values, i32x4.extend_low_i16x8_s(low));
    select(image + 16, values, i32x4.extend_high_i16x8_s(low));
    select(image + 32, values, i32x4.extend_low_i16x8_s(high));
    select(image + 48, values, i32x4.extend_high_i16x8_s(high));
    mask += LANES;
    image += LANES << 2;
  }
  for (; mask < end; mask++, image += 4) if (load<u8>(mask)) store<u32>(image, value);
}

/** Whether none of RUN pixels is bad. */
// @ts-ignore: decorator of AssemblyScript
@inline
function good(mask: usize): bool {
  const low = v128.or(v128.load(mask), v128.load(mask, 16));
  return !v128.any_true(v128.or(low, v128.or(v128.load(mask, 32), v128.load(mask, 48))));
}

/** All bits of the lanes of bad pixels. */
// @ts-ignore: decorator of AssemblyScript
@inline
function bad(mask: usize): v128 {
  return i8x16.ne(v128.load(mask), i8x16.splat(0));
}

// @ts-ignore: decorator of AssemblyScript
@inline
function select(image: usize, values: v128, bad: v128): void {
  v128.store(image, v128.bitselect(values, v128.load(image), bad));
}
