/**
 * Masking of bad pixels.
 *
 * @module
 */
import { type ImageAt, type ImagePixel, imageRegion, maskRegion } from "./image_at.ts";
import { checkRegions, type KernelMemory } from "./kernel_memory.ts";

const LARGEST: Readonly<Record<Exclude<ImagePixel, "float32">, number>> = {
  uint8: 0xff,
  uint16: 0xffff,
  uint32: 0xffffffff,
};

/**
 * Sets an image's bad pixels to a value, in place.
 *
 * @param mask Address of the mask: a byte per pixel, 0 for good ones.
 * @param value What bad pixels become; for float32 any number, NaN too.
 * @throws {RangeError} If the value is none of the pixel's type or something lies outside the memory.
 */
export function applyMask(on: KernelMemory, image: ImageAt, mask: number, value: number): void {
  checkRegions(on, { mask: maskRegion(image, mask) }, { image: imageRegion(image) });
  const { at, width, height, pixel } = image;
  const bytes = pixel === "uint8" ? 1 : pixel === "uint16" ? 2 : 4;
  on.kernels.applyMask(at, mask, width * height, bytes, bitsOf(value, pixel));
}

/** The bits of a pixel of this value. */
function bitsOf(value: number, pixel: ImagePixel): number {
  if (pixel === "float32") {
    const bits = new DataView(new ArrayBuffer(4));
    bits.setFloat32(0, value);
    return bits.getUint32(0);
  }
  if (Number.isInteger(value) && value >= 0 && value <= LARGEST[pixel]) return value;
  throw new RangeError(
    `A bad pixel cannot be ${value}: expected a whole number from 0 to ${LARGEST[pixel]}`,
  );
}
