/**
 * Our side of the images row: the image kernels by their wrappers.
 *
 *   images_ours.ts <shm file> <case> <ms>
 *
 * The same work as `native/images.c` and `native/bitshuffle.c`. Prints {"hot", "cold"}: GB of images per
 * second of CPU time, and {"share"}, what is left of them when compressed.
 *
 * @module
 */
import {
  applyMask,
  binImage,
  binWorkBytes,
  bitshuffleScratchBytes,
  compressChunk,
  compressedBound,
  cropImage,
  decompressChunk,
  defaultBlockElements,
  histogramBytes,
  type ImageAt,
  imageHistogram,
  imageRegion,
  imageStatistics,
  kernelMemory,
  STATISTICS_BYTES,
  Xxh3,
  XXH3_SECRET_BYTES,
} from "../lib/kernels/mod.ts";
import { cpuTimeMicroseconds, File } from "../lib/os/mod.ts";
import { SharedMemory } from "../lib/ring/mod.ts";
import {
  type COMPRESSION,
  FILE_BYTES,
  HOT_BYTES,
  IMAGE_BYTES,
  IMAGES,
  type LOOPS,
  WIDTH,
} from "./_images.ts";
import { printJson } from "./_print.ts";

const BINS = 4096;
const WARM_BYTES = 16384, WARM_US = 250_000;
const BLOCK = defaultBlockElements(2);

const [path, what, milliseconds] = Deno.args as [
  string,
  typeof LOOPS[number] | typeof COMPRESSION[number],
  string,
];
using file = File.open(path);
const room = compressedBound(IMAGE_BYTES / 2, 2);
const memory = new SharedMemory(FILE_BYTES + IMAGES * (IMAGE_BYTES + room) + 2 ** 22);
const images = memory.map(file, FILE_BYTES);
const mask = images + IMAGES * IMAGE_BYTES;
const outputs = memory.allocate(IMAGES * IMAGE_BYTES, 4096);
const chunks = memory.allocate(IMAGES * room);
// Pages are made now, not while measuring.
memory.u8.copyWithin(outputs, images, images + IMAGES * IMAGE_BYTES);
memory.u8.fill(1, chunks, chunks + IMAGES * room);
const on = kernelMemory(memory.memory);
const scratch = {
  at: memory.allocate(2 ** 20),
  bytes: bitshuffleScratchBytes(IMAGE_BYTES / 2, 2),
};
const work = memory.allocate(binWorkBytes(WIDTH));
const counts = memory.allocate(histogramBytes(BINS));
const result = memory.allocate(STATISTICS_BYTES);
const xxh3 = new Xxh3(on, memory.allocate(XXH3_SECRET_BYTES));
const { kernels } = on;

/** What is done to image `i`, or to a part of an image, of so many bytes. */
function step(i: number, bytes: number): void {
  const image: ImageAt = {
    at: images + i * bytes,
    width: WIDTH,
    height: bytes / 2 / WIDTH,
    pixel: "uint16",
  };
  const to = outputs + i * bytes;
  switch (what) {
    case "mask":
      return applyMask(on, { ...image, at: to }, mask, 0xffff);
    case "bin2":
      binImage(on, image, { factor: 2, mode: "sum", to, work });
      return;
    case "bin8":
      binImage(on, image, { factor: 8, mode: "mean", to, work });
      return;
    case "statistics":
      imageStatistics(on, image, result, mask);
      return;
    case "histogram":
      imageHistogram(on, image, { mask, low: 0, binWidth: 1, bins: BINS, counts });
      return;
    case "crop": {
      const { height } = image;
      cropImage(
        on,
        image,
        { x: 128, y: height / 8, width: WIDTH * 3 / 4, height: height * 3 / 4 },
        to,
      );
      return;
    }
    case "xxh3":
      xxh3.hash(imageRegion(image));
      return;
    case "shuffle":
      for (let at = 0; at < bytes; at += 2 * BLOCK) {
        kernels.bitshuffle(to + at, image.at + at, BLOCK, 2, scratch.at);
      }
      return;
    case "compress":
      return compress(i, bytes);
    case "decompress":
      decompressChunk(on, {
        from: { at: chunks + i * room, bytes: chunkBytes[i]! },
        elementBytes: 2,
        to: { at: to, bytes },
        scratch,
      });
  }
}

const chunkBytes: number[] = [];
const speeds: Record<string, number> = {};
// Small calls first: a long first call stays in the compiler's slow tier.
if (what === "decompress") compress(0, WARM_BYTES);
for (
  const start = cpuTimeMicroseconds("thread");
  cpuTimeMicroseconds("thread") - start < WARM_US;
) {
  step(0, WARM_BYTES);
}
for (const mode of ["hot", "cold"]) {
  const [bytes, count] = mode === "hot" ? [HOT_BYTES, 1] : [IMAGE_BYTES, IMAGES];
  for (let i = 0; i < count; i++) if (what === "decompress") compress(i, bytes);
  let start = 0, now = 0, done = 0, i = 0;
  const atOnce = mode === "hot" ? 16 : 1;
  for (let round = 0; start === 0 || now - start < 1e3 * Number(milliseconds); round++) {
    for (let n = 0; n < atOnce; n++) {
      step(i, bytes);
      if (++i === count) i = 0;
      if (start !== 0) done += bytes;
    }
    now = cpuTimeMicroseconds("thread");
    if (start === 0 && round >= 4) start = now, done = 0;
  }
  speeds[mode] = done / 1e3 / (now - start);
}
const share = chunkBytes.reduce((a, b) => a + b, 0) / chunkBytes.length / IMAGE_BYTES;
printJson({ ...speeds, ...(chunkBytes.length > 0 ? { share } : {}) });

function compress(i: number, bytes: number): void {
  chunkBytes[i] = compressChunk(on, {
    from: { at: images + i * bytes, bytes },
    elementBytes: 2,
    to: { at: chunks + i * room, bytes: room },
    scratch,
  });
}
