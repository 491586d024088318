/**
 * Sizes of the correction measurement; `native/correct.c` has the same.
 *
 * @module
 */

/** Columns of a module, px. */
export const COLUMNS = 1024;
/** Bytes of a corrected pixel. */
export const PIXEL_BYTES = { float32: 4, int16: 2, uint16: 2, int32: 4 } as const;
/** More than the caches hold. */
const RING_BYTES = 128 * 2 ** 20;

/** Sizes for one run; bytes are those of all frames and images. */
export function correctionPlan(
  type: keyof typeof PIXEL_BYTES,
  mode: "hot" | "cold",
): { rows: number; pixels: number; frames: number; images: number; bytes: number } {
  const rows = mode === "cold" ? 512 : 16;
  const pixels = rows * COLUMNS;
  const frames = mode === "cold" ? RING_BYTES / (2 * pixels) : 1;
  const images = mode === "cold" ? RING_BYTES / (PIXEL_BYTES[type] * pixels) : 1;
  return {
    rows,
    pixels,
    frames,
    images,
    bytes: (2 * frames + PIXEL_BYTES[type] * images) * pixels,
  };
}
