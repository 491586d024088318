/**
 * Sizes of the GigaFRoST measurement; `native/gigafrost.c` has the same.
 *
 * @module
 */

/** More than the caches hold. */
const RING_BYTES = 128 * 2 ** 20;

/** Modules of an image: two links of each quadrant. */
export const MODULES = 8;

/** Sizes: image and frames in bytes, a link's rows and columns in px. */
export interface GigafrostPlan {
  columns: number;
  rows: number;
  frame: number;
  frames: number;
  image: number;
  images: number;
  bytes: number;
}

/** cold: the largest image, from rings that no cache holds. hot: a small one that stays in the cache. */
export function gigafrostPlan(mode: "cold" | "hot"): GigafrostPlan {
  const [width, height] = mode === "cold" ? [2016, 2016] : [504, 252];
  const columns = width / 2, rows = height / 4;
  const frame = columns * rows * 3 / 2;
  const image = width * height * 2;
  const frames = mode === "cold" ? Math.floor(RING_BYTES / frame / MODULES) * MODULES : MODULES;
  const images = mode === "cold" ? Math.floor(RING_BYTES / image) : 1;
  return { columns, rows, frame, frames, image, images, bytes: frames * frame + images * image };
}

/** Where a module's first row goes in the image, and how far it is to its next: px. */
export function linkPlace(
  { columns, rows }: GigafrostPlan,
  module: number,
): { first: number; step: number } {
  const width = 2 * columns, height = 4 * rows;
  const link = module & 1, right = module >> 1 & 1, upper = module >> 2;
  const row = upper ? height / 2 - 1 - link : height / 2 + link;
  return { first: row * width + right * columns, step: (upper ? -2 : 2) * width };
}
