/**
 * Sizes of the assembly measurement; `native/assemble.c` has the same.
 *
 * @module
 */

/** Rows of a half module. */
export const ROWS = 256;
/** Pixels of a chip's row. */
export const RUN = 256;
/** From one module's place to the next, px. */
export const STEP_X = 518, STEP_Y = 272;
const GAP = 2;
/** More than the caches hold. */
const RING_BYTES = 128 * 2 ** 20;

/**
 * What is assembled: images of 72 half modules in rings larger than the caches; those of 4 half modules in rings
 * of 8 images; one frame to one place.
 */
export type AssemblyMode = "cold" | "ring" | "hot";

/** Sizes for a pixel of so many bytes; all in bytes but `columns`, `modules`, `frames` and `images`. */
export function assemblyPlan(pixel: number, mode: AssemblyMode): {
  columns: number;
  modules: number;
  frame: number;
  frames: number;
  image: number;
  images: number;
  stride: number;
  gap: number;
  bytes: number;
} {
  const [columns, modules] = mode === "ring" ? [2, 4] : [6, 72];
  const width = columns * STEP_X - 2, height = modules / columns * STEP_Y;
  const frame = ROWS * 2 * RUN * pixel;
  const image = width * height * pixel;
  const images = mode === "ring" ? 8 : Math.floor(RING_BYTES / image) + 1;
  const frames = mode === "ring" ? images * modules : Math.floor(RING_BYTES / frame);
  const bytes = frames * frame + images * image;
  return {
    columns,
    modules,
    frame,
    frames,
    image,
    images,
    stride: width * pixel,
    gap: GAP * pixel,
    bytes,
  };
}
