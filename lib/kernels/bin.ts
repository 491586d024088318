/**
 * Binning of images.
 *
 * @module
 */
import { IMAGE_PIXEL_BYTES, type ImageAt, type ImagePixel, imageRegion } from "./image_at.ts";
import { checkRegions, type KernelMemory } from "./kernel_memory.ts";

/** Pixels of a bin in each direction. */
export type BinFactor = 2 | 4 | 8;

/** What becomes of a bin's pixels. */
export type BinMode = "sum" | "mean";

/** How to bin, and where. */
export interface BinOptions {
  /** Pixels of a bin in each direction. */
  factor: BinFactor;
  /** What becomes of them. */
  mode: BinMode;
  /** Address of the binned image. */
  to: number;
  /** Address of {@link binWorkBytes} bytes that the kernel works in. */
  work: number;
}

const SUMS: Readonly<Record<ImagePixel, ImagePixel>> = {
  uint8: "uint16",
  uint16: "uint32",
  uint32: "uint32",
  float32: "float32",
};

/**
 * The image that binning makes: rows and columns that do not fill a bin are left out. The mean has the
 * image's type. The sum of uint8 is uint16, that of uint16 is uint32, both exact; that of uint32 is
 * uint32, 2^32 − 1 where it is larger.
 */
export function binnedImage(
  { width, height, pixel }: ImageAt,
  { factor, mode, to }: Pick<BinOptions, "factor" | "mode" | "to">,
): ImageAt {
  return {
    at: to,
    width: Math.floor(width / factor),
    height: Math.floor(height / factor),
    pixel: mode === "sum" ? SUMS[pixel] : pixel,
  };
}

/** Bytes that binning of an image of this width works in. */
export function binWorkBytes(width: number): number {
  return 4 * width + 64;
}

/**
 * Bins an image: `factor` × `factor` pixels become one. Means of integers are exact and rounded, halves
 * up; the order in which float32 are added is at the top of `assembly/bin.ts`.
 *
 * @returns The binned image, {@link binnedImage}.
 * @throws {RangeError} If the factor is not 2, 4 or 8, or something lies outside the memory or overlaps.
 */
export function binImage(on: KernelMemory, image: ImageAt, options: BinOptions): ImageAt {
  const { factor, mode, work } = options;
  if (![2, 4, 8].includes(factor)) throw new RangeError(`Bins of ${factor} px: expected 2, 4 or 8`);
  const binned = binnedImage(image, options);
  checkRegions(on, { image: imageRegion(image) }, {
    "binned image": imageRegion(binned),
    "work memory": { at: work, bytes: binWorkBytes(image.width) },
  });
  const kernel = {
    uint8: on.kernels.binU8,
    uint16: on.kernels.binU16,
    uint32: on.kernels.binU32,
    float32: on.kernels.binF32,
  }[image.pixel];
  const stride = image.width * IMAGE_PIXEL_BYTES[image.pixel];
  const mean = mode === "mean" ? 1 : 0;
  kernel(binned.at, image.at, binned.height, binned.width, stride, factor, mean, work);
  return binned;
}
