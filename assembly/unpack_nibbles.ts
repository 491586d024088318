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
import { interleaveHigh, interleaveLow, opaque } from "./common";

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
  const low = opaque(i8x16.splat(0x0f));
  for (; rows != 0; rows--) {
    let at = to;
    for (let c: u32 = 0; c < chips; c++) {
      unpackRun(at, from, run, low);
      at += run + gap;
      from += run >> 1;
    }
    to += <usize>stride;
  }
}

/** Unpacks `n` pixels. */
// @ts-ignore: decorator of AssemblyScript
@inline
function unpackRun(to: usize, from: usize, n: u32, low: v128): void {
  for (; n >= 64; n -= 64) {
    const a = v128.load(from), b = v128.load(from, 16);
    const evenA = v128.and(a, low), oddA = v128.and(i16x8.shr_u(a, 4), low);
    const evenB = v128.and(b, low), oddB = v128.and(i16x8.shr_u(b, 4), low);
    v128.store(to, interleaveLow(evenA, oddA));
    v128.store(to, interleaveHigh(evenA, oddA), 16);
    v128.store(to, interleaveLow(evenB, oddB), 32);
    v128.store(to, interleaveHigh(evenB, oddB), 48);
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
