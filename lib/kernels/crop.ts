/**
 * Regions of interest.
 *
 * @module
 */
import { IMAGE_PIXEL_BYTES, type ImageAt, imageRegion } from "./image_at.ts";
import { checkRegions, type KernelMemory } from "./kernel_memory.ts";

/** A rectangle of an image, px. */
export interface RegionOfInterest {
  /** Its first column. */
  x: number;
  /** Its first row. */
  y: number;
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
}

/**
 * Copies a region of interest out of an image.
 *
 * @param to Where its pixels go, row after row.
 * @returns The region as an image.
 * @throws {RangeError} If it is not all in the image, or something lies outside the memory or overlaps.
 */
export function cropImage(
  on: KernelMemory,
  image: ImageAt,
  { x, y, width, height }: RegionOfInterest,
  to: number,
): ImageAt {
  const inside = [x, y, width, height].every((n) => Number.isInteger(n) && n >= 0) &&
    x + width <= image.width && y + height <= image.height;
  if (!inside) {
    throw new RangeError(
      `The region of ${width} × ${height} px at (${x}, ${y}) is not in the image of ` +
        `${image.width} × ${image.height} px`,
    );
  }
  const cropped = { at: to, width, height, pixel: image.pixel };
  checkRegions(on, { image: imageRegion(image) }, { region: imageRegion(cropped) });
  const bytes = IMAGE_PIXEL_BYTES[image.pixel];
  const first = image.at + (y * image.width + x) * bytes;
  on.kernels.crop(to, first, height, width * bytes, image.width * bytes);
  return cropped;
}
