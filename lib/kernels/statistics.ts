/**
 * Statistics of an image's valid pixels: those that are good by its mask and, for float32, not NaN.
 *
 * @module
 */
import { type ImageAt, type ImagePixel, imageRegion, maskRegion } from "./image_at.ts";
import {
  bytesOf,
  checkRegions,
  type KernelMemory,
  type NamedRegions,
  type Region,
} from "./kernel_memory.ts";
import { HISTOGRAM_OTHERS, HISTOGRAM_TABLES, IMAGE_STATISTICS } from "./layout.ts";

/** Bytes of the result of {@link imageStatistics}. */
export const STATISTICS_BYTES: number = IMAGE_STATISTICS.$bytes;

/** Most bins of a histogram. */
export const MOST_BINS = 65536;

/** What an image's valid pixels are like. */
export interface ImageStatistics {
  /** How many there are. */
  valid: number;
  /** The least; NaN if there are none. */
  min: number;
  /** The largest; NaN if there are none. */
  max: number;
  /** Their mean; NaN if there are none. */
  mean: number;
}

/** What {@link imageHistogram} counts, and where. */
export interface HistogramOptions {
  /** Address of the mask, not 0: a byte per pixel, 0 for good ones; without it, all are good. */
  mask?: number;
  /** Where the first bin begins. */
  low: number;
  /** Width of a bin: of integers a power of two. */
  binWidth: number;
  /** How many bins, at most {@link MOST_BINS}. */
  bins: number;
  /** Address of {@link histogramBytes} bytes that the kernel counts in. */
  counts: number;
}

/** How many pixels have which values. Every pixel of the image is counted once. */
export interface Histogram {
  /** Where bin 0 begins. */
  low: number;
  /** Width of a bin. */
  binWidth: number;
  /** Valid pixels in each bin. */
  counts: Uint32Array;
  /** Valid pixels below the first bin. */
  below: number;
  /** Valid pixels above the last bin. */
  above: number;
  /** Pixels that are not valid. */
  invalid: number;
}

/**
 * Finds minimum, maximum and mean of an image.
 *
 * @param result Address of {@link STATISTICS_BYTES} bytes, a multiple of 8.
 * @param mask Address of the mask, not 0: a byte per pixel, 0 for good ones; without it, all are good.
 * @throws {RangeError} If something lies outside the memory or overlaps.
 */
export function imageStatistics(
  on: KernelMemory,
  image: ImageAt,
  result: number,
  mask?: number,
): ImageStatistics {
  checkRegions(on, inputs(image, mask), { result: { at: result, bytes: STATISTICS_BYTES } });
  const kernel = {
    uint8: on.kernels.statisticsU8,
    uint16: on.kernels.statisticsU16,
    uint32: on.kernels.statisticsU32,
    float32: on.kernels.statisticsF32,
  }[image.pixel];
  kernel(image.at, mask ?? 0, image.width * image.height, result);
  const view = new DataView(on.memory.buffer, result, STATISTICS_BYTES);
  const valid = Number(view.getBigUint64(IMAGE_STATISTICS.valid, true));
  if (valid === 0) return { valid, min: NaN, max: NaN, mean: NaN };
  const { min, max, sum } = IMAGE_STATISTICS;
  return image.pixel === "float32"
    ? {
      valid,
      min: view.getFloat32(min, true),
      max: view.getFloat32(max, true),
      mean: view.getFloat64(sum, true) / valid,
    }
    : {
      valid,
      min: view.getUint32(min, true),
      max: view.getUint32(max, true),
      mean: Number(view.getBigUint64(sum, true)) / valid,
    };
}

/** Bytes in which a histogram of so many bins is counted. */
export function histogramBytes(bins: number): number {
  return 4 * HISTOGRAM_TABLES * (bins + HISTOGRAM_OTHERS);
}

/**
 * Counts an image's pixels by their values. The bin of an integer is `(pixel − low) / binWidth` rounded
 * down; of float32 the same in their own precision, by multiplication with 1 / binWidth.
 *
 * @throws {RangeError} If the bins are not as {@link HistogramOptions} asks, or something lies outside the
 * memory or overlaps.
 */
export function imageHistogram(
  on: KernelMemory,
  image: ImageAt,
  { mask, low, binWidth, bins, counts }: HistogramOptions,
): Histogram {
  if (!(Number.isInteger(bins) && bins >= 1 && bins <= MOST_BINS)) {
    throw new RangeError(`A histogram of ${bins} bins: expected 1 to ${MOST_BINS}`);
  }
  checkBins(image.pixel, low, binWidth);
  const region: Region = { at: counts, bytes: histogramBytes(bins) };
  checkRegions(on, inputs(image, mask), { counts: region });
  const pixels = image.width * image.height;
  if (image.pixel === "float32") {
    on.kernels.histogramF32(image.at, mask ?? 0, pixels, low, 1 / binWidth, bins, counts);
  } else {
    const kernel = {
      uint8: on.kernels.histogramU8,
      uint16: on.kernels.histogramU16,
      uint32: on.kernels.histogramU32,
    }[image.pixel];
    kernel(image.at, mask ?? 0, pixels, low, Math.log2(binWidth), bins, counts);
  }
  const table = new Uint32Array(
    bytesOf(on, { at: counts, bytes: 4 * (bins + HISTOGRAM_OTHERS) }).slice().buffer,
  );
  return {
    low,
    binWidth,
    counts: table.subarray(1, bins + 1),
    below: table[0]!,
    above: table[bins + 1]!,
    invalid: table[bins + 2]!,
  };
}

/**
 * Values that shares of the valid pixels do not exceed, from a histogram.
 *
 * @param shares Of the valid pixels, 0 to 1: 0.5 for the median.
 * @returns For each share the beginning of the first bin by whose end so many pixels are counted: exact
 * for bins of one integer. Of pixels below the first bin −∞, above the last one +∞; NaN without pixels.
 * @throws {RangeError} If a share is not from 0 to 1.
 */
export function percentiles(histogram: Histogram, shares: readonly number[]): number[] {
  const { low, binWidth, counts, below, above } = histogram;
  const valid = counts.reduce((sum, count) => sum + count, below + above);
  return shares.map((share) => {
    if (!(share >= 0 && share <= 1)) throw new RangeError(`A share of ${share}: expected 0 to 1`);
    if (valid === 0) return NaN;
    const wanted = Math.max(1, Math.ceil(share * valid));
    let sum = below;
    if (sum >= wanted) return -Infinity;
    const bin = counts.findIndex((count) => (sum += count) >= wanted);
    return bin < 0 ? Infinity : low + bin * binWidth;
  });
}

function inputs(image: ImageAt, mask: number | undefined): NamedRegions {
  // What the kernels take for no mask at all.
  if (mask === 0) throw new RangeError("A mask begins at address 0; give it another place");
  const region = imageRegion(image);
  return mask === undefined ? { image: region } : { image: region, mask: maskRegion(image, mask) };
}

function checkBins(pixel: ImagePixel, low: number, binWidth: number): void {
  if (pixel === "float32") {
    if (Number.isFinite(low) && binWidth > 0 && Number.isFinite(Math.fround(1 / binWidth))) return;
    throw new RangeError(
      `Bins of ${binWidth} from ${low} on: expected finite numbers, the width above 1e-38`,
    );
  }
  const integer = Number.isInteger(low) && low >= 0 && low < 2 ** 32;
  if (integer && Number.isInteger(Math.log2(binWidth)) && binWidth >= 1 && binWidth <= 2 ** 31) {
    return;
  }
  throw new RangeError(
    `Bins of ${binWidth} from ${low} on: expected a power of two up to 2^31, and a whole number ` +
      "from 0 to 2^32 − 1",
  );
}
