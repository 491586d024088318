/**
 * Puts one module's pixels into the image.
 *
 * A module is `rows` rows of `chips` runs of `run` bytes, contiguous at `from`. In the image each
 * run is followed by `gap` bytes (the chip gap, never written), each row starts `stride` bytes after
 * the one before; a negative stride reverses the rows. `to` is where the module's first pixel goes.
 *
 *   from: [run][run] [run][run] …          to: [run] gap [run]   +stride
 *                                              [run] gap [run]   …
 */
import { copyRow, opaque } from "./common";

/** Copies a module of `rows` × `chips` runs of `run` bytes into the image. */
export function assembleModule(
  to: usize,
  from: usize,
  rows: u32,
  chips: u32,
  run: u32,
  gap: u32,
  stride: i32,
): void {
  if (gap == 0 && stride == <i32>(chips * run)) {
    memory.copy(to, from, <usize>rows * chips * run); // the image is the module, or a band of it
    return;
  }
  if (chips == 2 && run >= 64) {
    const second = <usize>(run + gap);
    do {
      copyRow(to, from, run);
      copyRow(to + second, from + run, run);
      from += <usize>run << 1;
      to += <usize>stride;
    } while (--rows);
    return;
  }
  do {
    let at = to;
    for (let c: u32 = 0; c < chips; c++) {
      memory.copy(at, from, run);
      at += run + gap;
      from += run;
    }
    to += <usize>stride;
  } while (--rows);
}

/** Same as assembleModule with the columns mirrored; `pixel` is 1, 2 or 4 bytes, `run` a multiple of 16. */
export function assembleMirrored(
  to: usize,
  from: usize,
  rows: u32,
  chips: u32,
  run: u32,
  gap: u32,
  stride: i32,
  pixel: u32,
): void {
  // The first pixel goes right-most: the row is read from its end towards its start.
  const reverse = opaque(pixel == 1
    ? i8x16(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
    : pixel == 2
    ? i8x16(14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1)
    : i8x16(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
  do {
    // Rows are read forwards, so that the machine sees what comes next, and written backwards.
    let at = to + <usize>(chips * (run + gap));
    for (let c: u32 = 0; c < chips; c++) {
      at -= gap;
      const stop = at - run;
      v128.store(at - 16, i8x16.relaxed_swizzle(v128.load(from), reverse));
      const head = at & (16 - pixel); // whole pixels, from which on stores are aligned
      at -= head;
      from += head;
      while (at >= stop + 64) {
        at -= 64;
        const a = i8x16.relaxed_swizzle(v128.load(from), reverse);
        const b = i8x16.relaxed_swizzle(v128.load(from, 16), reverse);
        const c = i8x16.relaxed_swizzle(v128.load(from, 32), reverse);
        const d = i8x16.relaxed_swizzle(v128.load(from, 48), reverse);
        v128.store(at, d);
        v128.store(at, c, 16);
        v128.store(at, b, 32);
        v128.store(at, a, 48);
        from += 64;
      }
      while (at >= stop + 16) {
        at -= 16;
        v128.store(at, i8x16.relaxed_swizzle(v128.load(from), reverse));
        from += 16;
      }
      from += at - stop;
      at = stop;
      v128.store(at, i8x16.relaxed_swizzle(v128.load(from - 16), reverse));
    }
    to += <usize>stride;
  } while (--rows);
}

/** Sets a module's runs in the image to zero, leaving the gaps alone. */
export function blankModule(to: usize, rows: u32, chips: u32, run: u32, gap: u32, stride: i32): void {
  do {
    let at = to;
    for (let c: u32 = 0; c < chips; c++) {
      memory.fill(at, 0, run);
      at += run + gap;
    }
    to += <usize>stride;
  } while (--rows);
}

/** Sets a module's runs in the image to a pattern of 4 bytes, leaving the gaps alone; `run` is a multiple of 4. */
export function fillModule(
  to: usize,
  rows: u32,
  chips: u32,
  run: u32,
  gap: u32,
  stride: i32,
  pattern: u32,
): void {
  const patterns = i32x4.splat(pattern);
  do {
    let at = to;
    for (let c: u32 = 0; c < chips; c++) {
      const end = at + run;
      for (; at + 64 <= end; at += 64) {
        v128.store(at, patterns);
        v128.store(at, patterns, 16);
        v128.store(at, patterns, 32);
        v128.store(at, patterns, 48);
      }
      for (; at < end; at += 4) store<u32>(at, pattern);
      at += gap;
    }
    to += <usize>stride;
  } while (--rows);
}
