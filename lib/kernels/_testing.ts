/**
 * What the tests of the kernels share: places in a memory, with canaries between them.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type ImageAt, type ImagePixel, imageRegion } from "./image_at.ts";
import { bytesOf, type KernelMemory, type Region } from "./kernel_memory.ts";

const CANARY = 0xa5;
const FENCE = 64; // bytes before and after each place
const FIRST = 65536;

/** Makes canaries of bytes. */
export function fillCanaries(bytes: Uint8Array): void {
  bytes.fill(CANARY);
}

/** Hands out places of a memory, one after the other. */
export class TestMemory {
  readonly #on: KernelMemory;
  readonly #taken: Region[] = [];
  #next = FIRST;

  /** @param on The memory, of which the first 64 KiB are not used. */
  constructor(on: KernelMemory) {
    this.#on = on;
  }

  /** Gives all places back. */
  reset(): void {
    this.#taken.length = 0;
    this.#next = FIRST;
  }

  /** A place of so many bytes, filled with canaries, `skew` bytes after a multiple of 16. */
  room(bytes: number, skew = 0): Region {
    const at = Math.ceil((this.#next + FENCE) / 16) * 16 + skew;
    const end = at + bytes + FENCE;
    fillCanaries(bytesOf(this.#on, { at: this.#next, bytes: end - this.#next }));
    this.#next = end;
    const region = { at, bytes };
    this.#taken.push(region);
    return region;
  }

  /** A place with these bytes. */
  put(content: Uint8Array, skew = 0): Region {
    const region = this.room(content.byteLength, skew);
    bytesOf(this.#on, region).set(content);
    return region;
  }

  /** Fails if something was written outside the places. */
  checkCanaries(): void {
    let from = FIRST;
    const end = { at: this.#next, bytes: 0 };
    for (const { at, bytes } of [...this.#taken, end]) {
      const fence = bytesOf(this.#on, { at: from, bytes: at - from });
      const wrong = fence.findIndex((byte) => byte !== CANARY);
      assert.equal(wrong, -1, `a byte ${wrong} after the place that ends at ${from} was written`);
      from = at + bytes;
    }
  }
}

/** Pixels of an image. */
export type Pixels =
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>;

/** An image to try a kernel on. */
export interface TestImage {
  pixel: ImagePixel;
  width: number;
  height: number;
  pixels: Pixels;
  /** A byte per pixel, 0 for good ones. */
  mask: Uint8Array<ArrayBuffer>;
  /** Bytes after a multiple of 16 at which the image lies. */
  skew: number;
}

const ARRAYS = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  float32: Float32Array,
};

/** Pixels of a type, all 0 or those of some bytes. */
export function pixelsOf(pixel: ImagePixel, from: number | ArrayBuffer): Pixels {
  return typeof from === "number" ? new ARRAYS[pixel](from) : new ARRAYS[pixel](from);
}

/** Generates values from a seed: a linear congruence, of which the upper bits are used. */
export function randomOf(seed: number): () => number {
  let x = seed;
  return () => (x = (Math.imul(x, 1664525) + 1013904223) >>> 0) >>> 8;
}

/** Images of all types and odd sizes: low counts, any bits, extremes; few, no, all or any bad pixels. */
export const anyImage: fc.Arbitrary<TestImage> = fc.record({
  pixel: fc.constantFrom<ImagePixel>("uint8", "uint16", "uint32", "float32"),
  width: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 200 })),
  height: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 40 })),
  content: fc.constantFrom("counts", "bits", "extremes", "largest"),
  bad: fc.constantFrom(0, 0.002, 0.3, 1),
  skew: fc.constantFrom(0, 1, 2, 7, 15),
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
}).map(({ pixel, width, height, content, bad, skew, seed }) => {
  const random = randomOf(seed);
  const pixels = pixelsOf(pixel, width * height);
  const extremes = pixel === "float32"
    ? [NaN, Infinity, -Infinity, -0, 0, 1e-45, 3.4028234663852886e38, -1.5, 16777217]
    : [0, 1, 127, 128, 255, 256, 32767, 32768, 65535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
  if (content === "bits") {
    const bytes = new Uint8Array(pixels.buffer);
    bytes.forEach((_, i) => bytes[i] = random());
  } else {
    pixels.forEach((_, i) => {
      if (content === "counts") pixels[i] = random() % 9;
      else pixels[i] = content === "largest" ? 2 ** 32 - 1 : extremes[random() % extremes.length]!;
    });
  }
  const mask = new Uint8Array(width * height);
  mask.forEach((_, i) => mask[i] = random() % 1000 < 1000 * bad ? 1 << random() % 8 : 0);
  return { pixel, width, height, pixels, mask, skew };
});

/** Puts an image into the memory. */
export function putImage(memory: TestMemory, { pixels, skew, ...image }: TestImage): ImageAt {
  const { at } = memory.put(new Uint8Array(pixels.buffer), skew);
  return { at, width: image.width, height: image.height, pixel: image.pixel };
}

/** The pixels of an image in the memory. */
export function takeImage(on: KernelMemory, image: ImageAt): Pixels {
  return pixelsOf(image.pixel, bytesOf(on, imageRegion(image)).slice().buffer);
}
