/**
 * Pixels of 4 bit → pixels of 8 bit in the image.
 *
 * A byte of the frame holds two pixels, the first in its low half:
 *
 *   frame: [p1 p0] [p3 p2] …        image: [p0] [p1] [p2] [p3] …
 *
 * The order is that of `eigerHalfModuleData` of slsDetectorPackage: an even column is `byte & 0x0f`, an
 * odd one `byte >> 4`.
 *
 * A module is `rows` rows of `chips` runs of `run` pixels, an even number. In the image each run is
 * followed by `gap` bytes that are never written; rows begin `stride` bytes apart, negative to reverse
 * them. `to` is where the module's first pixel goes.
 */

/** Unpacks a module of 4-bit pixels into the image. */
export function unpackNibbles(
  to: usize,
  from: usize,
  rows: u32,
  chips: u32,
  run: u32,
  gap: u32,
  stride: i32,
): void {
  for (; rows != 0; rows--) {
    let at = to;
    for (let c: u32 = 0; c < chips; c++) {
      unpackRun(at, from, run);
      at += run + gap;
      from += run >> 1;
    }
    to += <usize>stride;
  }
}

/** Unpacks `n` pixels. */
// @ts-ignore: decorator of AssemblyScript
@inline
function unpackRun(to: usize, from: usize, n: u32): void {
  const low = i8x16.splat(0x0f);
  for (; n >= 64; n -= 64) {
    unpack32(to, v128.load(from), low);
    unpack32(to + 32, v128.load(from, 16), low);
    from += 32;
    to += 64;
  }
  for (; n >= 2; n -= 2) {
    const pair = <u32>load<u8>(from);
    store<u16>(to, (pair & 0x0f) | (pair >> 4) << 8);
    from += 1;
    to += 2;
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function unpack32(to: usize, pairs: v128, low: v128): void {
  const even = v128.and(pairs, low);
  const odd = v128.and(i16x8.shr_u(pairs, 4), low);
  v128.store(to, v128.shuffle<u8>(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
  v128.store(to, v128.shuffle<u8>(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16);
}
