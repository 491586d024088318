/**
 * Copies a region of interest out of an image.
 *
 *   from: the region's first pixel; rows begin `stride` bytes apart
 *   to:   `rows` rows of `run` bytes, one after the other
 */

/** Copies `rows` rows of `run` bytes that lie `stride` bytes apart to where they follow each other. */
export function crop(to: usize, from: usize, rows: u32, run: usize, stride: usize): void {
  if (run == stride) {
    memory.copy(to, from, <usize>rows * run);
    return;
  }
  for (; rows > 0; rows--) {
    memory.copy(to, from, run);
    to += run;
    from += stride;
  }
}
