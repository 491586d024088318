/**
 * Sizes of the geometry measurements; `native/geometry.c` has the same.
 *
 * @module
 */

/** What is measured. */
export const GEOMETRY_KERNELS = ["unpack", "rotate8", "rotate16", "rotate32", "share"] as const;

/** Name of one. */
export type GeometryKernel = typeof GEOMETRY_KERNELS[number];

/** Rows and columns of a module: two chips of an Eiger. */
export const ROWS = 256, COLUMNS = 512;

/** Bytes between rows of the image: so that rows do not share sets of the cache. */
export const SKEW = 64;

/** More than the caches hold. */
const RING_BYTES = 128 * 2 ** 20;

/** What a kernel reads and writes; bytes but for `count`. */
export function geometryPlan(kernel: GeometryKernel, mode: "hot" | "cold"): {
  pixel: number;
  from: number;
  to: number;
  count: number;
} {
  const pixel = { unpack: 1, rotate8: 1, rotate16: 2, rotate32: 4, share: 2 }[kernel];
  const pixels = ROWS * COLUMNS;
  const from = kernel === "unpack" ? pixels / 2 : pixels * pixel;
  const to = kernel.startsWith("rotate")
    ? COLUMNS * (ROWS * pixel + SKEW)
    : ROWS * (COLUMNS * pixel + SKEW);
  return { pixel, from, to, count: mode === "hot" ? 1 : Math.ceil(RING_BYTES / to) };
}
