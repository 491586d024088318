/**
 * Images in a kernel's memory.
 *
 * @module
 */
import type { Region } from "./kernel_memory.ts";

/** What a pixel of these kernels can be. */
export type ImagePixel = "uint8" | "uint16" | "uint32" | "float32";

/** An image in memory, row after row. */
export interface ImageAt {
  /** Address of its first pixel. */
  readonly at: number;
  /** Pixels of a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** What a pixel is. */
  readonly pixel: ImagePixel;
}

/** Size of a pixel, bytes. */
export const IMAGE_PIXEL_BYTES: Readonly<Record<ImagePixel, 1 | 2 | 4>> = {
  uint8: 1,
  uint16: 2,
  uint32: 4,
  float32: 4,
};

/**
 * Where an image lies.
 *
 * @throws {RangeError} If width and height are no whole numbers from 0 on.
 */
export function imageRegion({ at, width, height, pixel }: ImageAt): Region {
  if (!(Number.isInteger(width) && width >= 0 && Number.isInteger(height) && height >= 0)) {
    throw new RangeError(`An image is ${width} × ${height} px: expected whole numbers from 0 on`);
  }
  return { at, bytes: width * height * IMAGE_PIXEL_BYTES[pixel] };
}

/** Where an image's mask lies, a byte for each pixel. */
export function maskRegion({ width, height }: ImageAt, at: number): Region {
  return { at, bytes: width * height };
}
