/**
 * The images that the image kernels are measured on; `native/images.c` and `bitshuffle.c` are told the
 * same sizes.
 *
 * @module
 */
import { File } from "../lib/os/mod.ts";

/** Types of a pixel, and their sizes, bytes. */
export const PIXELS = { uint8: 1, uint16: 2, uint32: 4, float32: 4, uint64: 8 } as const;

/** Type of a pixel. */
export type Pixel = keyof typeof PIXELS;

/** Pixels of a row. */
export const WIDTH = 1024;
/** Size of an image, bytes: 512 rows of 16 bit. */
export const IMAGE_BYTES = 2 ** 20;
/** Images: more than the caches hold. */
export const IMAGES = 64;
/** What is taken of the first image for the measurement in the cache, bytes. */
export const HOT_BYTES = 65536;
/** Images and the largest mask, bytes. */
export const FILE_BYTES = (IMAGES + 1) * IMAGE_BYTES;

/** Cases of the plain loops. */
export const LOOPS = ["mask", "bin2", "bin8", "statistics", "histogram", "crop", "xxh3"] as const;

/** Cases of bitshuffle and LZ4. */
export const COMPRESSION = ["shuffle", "compress", "decompress"] as const;

/** Cases of the parts that these are made of; of 16 bit only. */
export const PARTS = ["unshuffle", "lz4", "unlz4"] as const;

/** What the images are for other pixels than those of 16 bit: float32 are compressed as uint32 are. */
export const OTHER_PIXELS: Readonly<Record<Exclude<Pixel, "uint16">, readonly string[]>> = {
  uint8: ["mask", "bin2", "bin8", "statistics", "histogram", ...COMPRESSION],
  uint32: ["mask", "bin2", "bin8", "statistics", "histogram", ...COMPRESSION],
  float32: ["bin2", "bin8", "statistics", "histogram"],
  uint64: COMPRESSION,
};

/**
 * Writes images as of a counting detector: a background of 3 photons a pixel (Poisson), 200 reflections of
 * hundreds; and a mask: 2 rows and columns between chips, and every 500th pixel.
 */
export function writeImages(path: string, pixel: Pixel): void {
  using file = File.open(path, { write: true, create: "exclusive" });
  file.truncate(FILE_BYTES);
  let x = 1;
  const random = (): number => {
    x = (x + 0x6d2b79f5) >>> 0;
    let y = Math.imul(x ^ (x >>> 15), 1 | x);
    y ^= y + Math.imul(y ^ (y >>> 7), 61 | y);
    return ((y ^ (y >>> 14)) >>> 0) / 2 ** 32;
  };
  const pixels = IMAGE_BYTES / PIXELS[pixel];
  // One image's background, begun elsewhere in each: a new one for each would take too long.
  const background = Uint16Array.from({ length: pixels }, () => {
    let photons = 0;
    for (let p = random(); p > Math.exp(-3); p *= random()) photons++;
    return photons;
  });
  const image = new Uint16Array(pixels);
  for (let i = 0; i < IMAGES; i++) {
    const first = Math.floor(random() * pixels);
    image.set(background.subarray(first));
    image.set(background.subarray(0, first), pixels - first);
    for (let spot = 0; spot < 200; spot++) {
      const at = Math.floor(random() * (pixels - 2 * WIDTH));
      for (const offset of [0, 1, WIDTH, WIDTH + 1]) image[at + offset]! += 200 + 400 * random();
    }
    file.writeAt(bytesAs(pixel, image), i * IMAGE_BYTES);
  }
  const mask = Uint8Array.from({ length: pixels }, (_, i) => {
    const column = i % WIDTH, row = Math.floor(i / WIDTH);
    return column % 258 >= 256 || row % 258 >= 256 || i % 500 === 123 ? 1 : 0;
  });
  file.writeAt(mask, IMAGES * IMAGE_BYTES);
}

/** The same counts as another type of pixel; those of 8 bit keep to their largest value. */
function bytesAs(pixel: Pixel, image: Uint16Array): Uint8Array {
  switch (pixel) {
    case "uint8":
      return Uint8Array.from(image, (count) => Math.min(count, 255));
    case "uint16":
      return new Uint8Array(image.buffer, image.byteOffset, image.byteLength);
    case "uint32":
      return new Uint8Array(Uint32Array.from(image).buffer);
    case "float32":
      return new Uint8Array(Float32Array.from(image).buffer);
    case "uint64":
      return new Uint8Array(BigUint64Array.from(image, BigInt).buffer);
  }
}
