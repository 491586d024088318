/**
 * Minimum, maximum and mean of images that were read from a file.
 *
 * @module
 */
import type { PixelArray } from "../hdf5/mod.ts";
import {
  bytesOf,
  type ImagePixel,
  imageStatistics,
  type KernelMemory,
  kernelMemory,
  WASM_PAGE,
} from "../kernels/images.ts";

/** What is known of pixels. */
export interface PixelStatistics {
  /** Images that were read. */
  images_read: number;
  /** Least value; null without valid pixels. */
  min: number | null;
  /** Largest value. */
  max: number | null;
  /** Mean of the valid pixels. */
  mean: number | null;
  /** Pixels without a value (NaN). */
  invalid: number;
}

/** Collects statistics, in the memory of one image. */
export class PixelCollector {
  #on: KernelMemory | undefined;
  #images = 0;
  #valid = 0;
  #invalid = 0;
  #sum = 0;
  #min = Infinity;
  #max = -Infinity;

  /** Adds an image. */
  add(image: PixelArray): void {
    const { valid, min, max, mean } = image instanceof Int16Array || image instanceof Int32Array
      ? ofSigned(image)
      : this.#ofImage(image);
    this.#images++;
    this.#invalid += image.length - valid;
    if (valid === 0) return;
    this.#valid += valid;
    this.#sum += valid * mean;
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
  }

  /** What was found so far. */
  get statistics(): PixelStatistics {
    const any = this.#valid > 0;
    return {
      images_read: this.#images,
      min: any ? this.#min : null,
      max: any ? this.#max : null,
      mean: any ? this.#sum / this.#valid : null,
      invalid: this.#invalid,
    };
  }

  #ofImage(
    image: Uint8Array | Uint16Array | Uint32Array | Float32Array,
  ): ReturnType<typeof imageStatistics> {
    // A page for the kernels, one for the result.
    const at = 2 * WASM_PAGE;
    const pages = 2 + Math.ceil(image.byteLength / WASM_PAGE);
    if (this.#on === undefined || this.#on.memory.buffer.byteLength < pages * WASM_PAGE) {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
      this.#on = kernelMemory(memory);
    }
    const bytes = new Uint8Array(image.buffer, image.byteOffset, image.byteLength);
    bytesOf(this.#on, { at, bytes: image.byteLength }).set(bytes);
    const where = { at, width: image.length, height: 1, pixel: pixelOf(image) };
    return imageStatistics(this.#on, where, WASM_PAGE);
  }
}

function pixelOf(image: Uint8Array | Uint16Array | Uint32Array | Float32Array): ImagePixel {
  if (image instanceof Uint8Array) return "uint8";
  if (image instanceof Uint16Array) return "uint16";
  return image instanceof Uint32Array ? "uint32" : "float32";
}

/** Photon counts that may be negative, for which there is no kernel; their least number is no value. */
function ofSigned(image: Int16Array | Int32Array): ReturnType<typeof imageStatistics> {
  const none = image instanceof Int16Array ? -(2 ** 15) : -(2 ** 31);
  let valid = 0, sum = 0, min = Infinity, max = -Infinity;
  for (const value of image) {
    if (value === none) continue;
    valid++;
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { valid, min, max, mean: sum / valid };
}
