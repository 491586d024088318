/**
 * The images that the image kernels are measured on; `native/images.c` and `bitshuffle.c` are told the
 * same sizes.
 *
 * @module
 */
import { File } from "../lib/os/mod.ts";

/** Pixels of a row and rows of an image of 16 bit, 1 MiB. */
export const WIDTH = 1024, HEIGHT = 512;
/** Size of an image, bytes. */
export const IMAGE_BYTES = 2 * WIDTH * HEIGHT;
/** Images: more than the caches hold. */
export const IMAGES = 64;
/** What is taken of the first image for the measurement in the cache, bytes. */
export const HOT_BYTES = 65536;
/** Images and a mask, bytes. */
export const FILE_BYTES = IMAGES * IMAGE_BYTES + WIDTH * HEIGHT;

/** Cases of the plain loops. */
export const LOOPS = ["mask", "bin2", "bin8", "statistics", "histogram", "crop", "xxh3"] as const;

/** Cases of bitshuffle and LZ4. */
export const COMPRESSION = ["shuffle", "compress", "decompress"] as const;

/**
 * Writes images as of a counting detector: a background of 3 photons a pixel (Poisson), 200 reflections of
 * hundreds; and a mask: 2 rows and columns between chips, and every 500th pixel.
 */
export function writeImages(path: string): void {
  using file = File.open(path, { write: true, create: "exclusive" });
  file.truncate(FILE_BYTES);
  let x = 1;
  const random = (): number => {
    x = (x + 0x6d2b79f5) >>> 0;
    let y = Math.imul(x ^ (x >>> 15), 1 | x);
    y ^= y + Math.imul(y ^ (y >>> 7), 61 | y);
    return ((y ^ (y >>> 14)) >>> 0) / 2 ** 32;
  };
  // One image's background, begun elsewhere in each: a new one for each would take too long.
  const background = Uint16Array.from({ length: WIDTH * HEIGHT }, () => {
    let photons = 0;
    for (let p = random(); p > Math.exp(-3); p *= random()) photons++;
    return photons;
  });
  const image = new Uint16Array(WIDTH * HEIGHT);
  for (let i = 0; i < IMAGES; i++) {
    const first = Math.floor(random() * image.length);
    image.set(background.subarray(first));
    image.set(background.subarray(0, first), image.length - first);
    for (let spot = 0; spot < 200; spot++) {
      const at = Math.floor(random() * (image.length - 2 * WIDTH));
      for (const offset of [0, 1, WIDTH, WIDTH + 1]) image[at + offset]! += 200 + 400 * random();
    }
    file.writeAt(new Uint8Array(image.buffer), i * IMAGE_BYTES);
  }
  const mask = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
    const column = i % WIDTH, row = Math.floor(i / WIDTH);
    return column % 258 >= 256 || row % 258 >= 256 || i % 500 === 123 ? 1 : 0;
  });
  file.writeAt(mask, IMAGES * IMAGE_BYTES);
}
