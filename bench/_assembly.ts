/**
 * Sizes of the assembly measurement; `native/assemble.c` has the same.
 *
 * @module
 */

/** Rows of a half module. */
export const ROWS = 256;
/** Pixels of a chip's row. */
export const RUN = 256;
/** Places of modules in the image: in a row, and from one to the next, px. */
export const COLUMNS = 6, STEP_X = 518, STEP_Y = 272;
const WIDTH = 3106, HEIGHT = 3264, GAP = 2;
/** More than the caches hold. */
const RING_BYTES = 128 * 2 ** 20;

/** Sizes for a pixel of so many bytes; all in bytes but `frames` and `images`. */
export function assemblyPlan(pixel: number): {
  frame: number;
  frames: number;
  image: number;
  images: number;
  stride: number;
  gap: number;
  bytes: number;
} {
  const frame = ROWS * 2 * RUN * pixel;
  const frames = Math.floor(RING_BYTES / frame);
  const image = WIDTH * HEIGHT * pixel;
  const images = Math.floor(RING_BYTES / image) + 1;
  const bytes = frames * frame + images * image;
  return { frame, frames, image, images, stride: WIDTH * pixel, gap: GAP * pixel, bytes };
}
