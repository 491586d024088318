/**
 * The pixel types an image file can hold.
 *
 * @module
 */

/** What one pixel is. */
export type PixelType = "uint8" | "uint16" | "uint32" | "int16" | "int32" | "float32";

/** Pixels of one image or of several, in row order. */
export type PixelArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int16Array
  | Int32Array
  | Float32Array;

/** Size of one pixel, bytes. */
export const PIXEL_BYTES = {
  uint8: 1,
  uint16: 2,
  uint32: 4,
  int16: 2,
  int32: 4,
  float32: 4,
} as const satisfies Record<PixelType, number>;

/** The pixels that a whole buffer holds. */
export function pixelArray(buffer: ArrayBuffer, type: PixelType): PixelArray {
  switch (type) {
    case "uint8":
      return new Uint8Array(buffer);
    case "uint16":
      return new Uint16Array(buffer);
    case "uint32":
      return new Uint32Array(buffer);
    case "int16":
      return new Int16Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "float32":
      return new Float32Array(buffer);
  }
}
