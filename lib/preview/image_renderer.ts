/**
 * Detector images as small pictures: binned, and scaled between percentiles.
 *
 * @module
 */
import { type PixelArray, pixelArray } from "../hdf5/pixel_type.ts";
import {
  binImage,
  binnedImage,
  binWorkBytes,
  bytesOf,
  histogramBytes,
  IMAGE_PIXEL_BYTES,
  type ImageAt,
  imageHistogram,
  type ImagePixel,
  imageRegion,
  imageStatistics,
  type KernelMemory,
  kernelMemory,
  percentiles,
  STATISTICS_BYTES,
} from "../kernels/images.ts";
import { type IndexedImage, NO_VALUE } from "./indexed_image.ts";

/** Which values are the darkest and the brightest colour. */
export interface Range {
  /** Darkest from here down. */
  low: number;
  /** Brightest from here up. */
  high: number;
}

/** Shares of the pixels below the darkest and the brightest colour. */
export const PERCENTILES = [0.01, 0.995] as const;

const WASM_PAGE_BYTES = 65_536;
const BINS = 4096;

/** Images of one shape: finds their range, and draws them. Works in the memory of two images. */
export class ImageRenderer {
  readonly #on: KernelMemory;
  readonly #image: ImageAt;
  readonly #binned: ImageAt[];
  readonly #work: number;
  readonly #counts: number;
  readonly #result: number;

  /**
   * @param shape Of the images, px, and the type of a pixel; int16 and int32 are drawn as float32.
   * @param longestSide Of a picture, at most, px; images that are larger are binned 2, 4, 8, … fold.
   */
  constructor(
    { width, height, pixel }: { width: number; height: number; pixel: ImagePixel },
    longestSide: number,
  ) {
    let end = WASM_PAGE_BYTES; // the kernels' own
    const room = (bytes: number): number => {
      const at = end;
      end += Math.ceil(bytes / 64) * 64;
      return at;
    };
    this.#result = room(STATISTICS_BYTES);
    this.#counts = room(histogramBytes(BINS));
    this.#work = room(binWorkBytes(width));
    const bytes = width * height * IMAGE_PIXEL_BYTES[pixel];
    this.#image = { at: room(bytes), width, height, pixel };
    this.#binned = [this.#image];
    for (let last = this.#image; Math.max(last.width, last.height) > longestSide;) {
      // Of one row or column (a strip detector's) no bins can be made.
      if (Math.min(last.width, last.height) < 2) break;
      const half = binnedImage(last, { factor: 2, mode: "mean", to: 0 });
      last = { ...half, at: room(imageRegion(half).bytes) };
      this.#binned.push(last);
    }
    const pages = Math.ceil(end / WASM_PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.#on = kernelMemory(memory);
  }

  /** The range of an image's values: its percentiles; undefined if it has no values. */
  range(pixels: PixelArray): Range | undefined {
    this.#load(pixels);
    const { valid, min, max } = imageStatistics(this.#on, this.#image, this.#result);
    if (valid === 0) return undefined;
    const isFloat = this.#image.pixel === "float32";
    const width = (max - min) / (BINS - 1);
    const binWidth = isFloat
      ? Math.max(width, 1e-6)
      : 2 ** Math.max(0, Math.ceil(Math.log2((max - min + 1) / BINS)));
    const histogram = imageHistogram(this.#on, this.#image, {
      ...{ low: min, binWidth, bins: BINS, counts: this.#counts },
    });
    const [low = min, high = max] = percentiles(histogram, PERCENTILES)
      .map((value) => Math.min(max, Math.max(min, value)));
    return { low, high };
  }

  /** Draws an image: colour 0 is no value, 1 to 255 are from `low` to `high`. */
  draw(pixels: PixelArray, { low, high }: Range): IndexedImage {
    this.#load(pixels);
    this.#binned.slice(1).forEach((to, i) => {
      binImage(this.#on, this.#binned[i]!, {
        ...{ factor: 2, mode: "mean", to: to.at, work: this.#work },
      });
    });
    const small = this.#binned.at(-1)!;
    const values = pixelArray(bytesOf(this.#on, imageRegion(small)).slice().buffer, small.pixel);
    const scale = 254 / Math.max(high - low, 1e-30);
    const drawn = new Uint8Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      drawn[i] = Number.isNaN(value)
        ? NO_VALUE
        : 1 + Math.round(Math.min(254, Math.max(0, (value - low) * scale)));
    }
    return { width: small.width, height: small.height, pixels: drawn };
  }

  #load(pixels: PixelArray): void {
    const { width, height } = this.#image;
    if (pixels.length !== width * height) {
      throw new RangeError(`An image has ${pixels.length} pixels, not ${width} × ${height}.`);
    }
    const values = pixels instanceof Int16Array || pixels instanceof Int32Array
      ? signedAsFloats(pixels)
      : pixels;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    bytesOf(this.#on, imageRegion(this.#image)).set(bytes);
  }
}

/** Type in which images of a type are drawn. */
export function drawnPixel(type: string): ImagePixel {
  return type === "uint8" || type === "uint16" || type === "uint32" ? type : "float32";
}

/** Photon counts as float32; their least number, which is no value, as NaN. */
function signedAsFloats(pixels: Int16Array | Int32Array): Float32Array {
  const none = pixels instanceof Int16Array ? -(2 ** 15) : -(2 ** 31);
  return Float32Array.from(pixels, (value) => value === none ? NaN : value);
}
