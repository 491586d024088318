/**
 * Our side of the images row: the image kernels by their wrappers.
 *
 *   images_ours.ts <shm file> <pixel>
 *
 * The same work as `native/images.c` and `native/bitshuffle.c`. Prints `ready`, takes lines
 * `<case> <hot|cold> <ms>`, and answers each with {"gb_per_s", "share"}: GB of images per second of CPU time,
 * and what is left of them when compressed.
 *
 * @module
 */
import {
  applyMask,
  binImage,
  binWorkBytes,
  BITSHUFFLE,
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
  FILE_BYTES,
  HOT_BYTES,
  IMAGE_BYTES,
  IMAGES,
  type Pixel,
  PIXELS,
  WIDTH,
} from "./_images.ts";
import { TextLineStream } from "./_lines.ts";
import { print, printJson } from "./_print.ts";

const BINS = 4096;
const WARM_BYTES = 16384, WARM_US = 250_000;

const [path, pixel] = Deno.args as [string, Pixel];
const elementBytes = PIXELS[pixel];
const BLOCK = defaultBlockElements(elementBytes);
const BLOCK_BYTES = elementBytes * BLOCK;
/** The largest value of a pixel; there are no image kernels for those of 64 bit, which are compressed only. */
const LARGEST =
  { uint8: 0xff, uint16: 0xffff, uint32: 0xffff_ffff, float32: Infinity, uint64: NaN }[pixel];
const imagePixel = pixel === "uint64" ? "uint32" : pixel;
using file = File.open(path);
const room = compressedBound(IMAGE_BYTES / elementBytes, elementBytes);
const memory = new SharedMemory(FILE_BYTES + IMAGES * (2 * IMAGE_BYTES + room) + 2 ** 22);
const images = memory.map(file, FILE_BYTES);
const mask = images + IMAGES * IMAGE_BYTES;
const outputs = memory.allocate(IMAGES * IMAGE_BYTES, 4096);
const shuffled = memory.allocate(IMAGES * IMAGE_BYTES, 4096);
const chunks = memory.allocate(IMAGES * room);
// Pages are made now, not while measuring.
memory.u8.copyWithin(outputs, images, images + IMAGES * IMAGE_BYTES);
memory.u8.copyWithin(shuffled, images, images + IMAGES * IMAGE_BYTES);
memory.u8.fill(1, chunks, chunks + IMAGES * room);
const on = kernelMemory(memory.memory);
const scratch = {
  at: memory.allocate(2 ** 20),
  bytes: bitshuffleScratchBytes(IMAGE_BYTES / elementBytes, elementBytes),
};
const work = memory.allocate(binWorkBytes(WIDTH));
const counts = memory.allocate(histogramBytes(BINS));
const result = memory.allocate(STATISTICS_BYTES);
const xxh3 = new Xxh3(on, memory.allocate(XXH3_SECRET_BYTES));
const { kernels } = on;

/** What is done to image `i`, or to a part of an image, of so many bytes. */
function step(what: string, i: number, bytes: number): void {
  const image: ImageAt = {
    at: images + i * bytes,
    width: WIDTH,
    height: bytes / elementBytes / WIDTH,
    pixel: imagePixel,
  };
  const to = outputs + i * bytes;
  switch (what) {
    case "mask":
      return applyMask(on, { ...image, at: to }, mask, LARGEST);
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
      return shuffle(i, bytes, to);
    case "unshuffle":
      for (let at = 0; at < bytes; at += BLOCK_BYTES) {
        kernels.bitunshuffle(to + at, shuffled + i * bytes + at, BLOCK, elementBytes, scratch.at);
      }
      return;
    case "lz4":
      return compressShuffled(i, bytes);
    case "unlz4":
      blockBytes[i]!.reduce((from, size, block) => {
        kernels.lz4Decompress(to + block * BLOCK_BYTES, BLOCK_BYTES, from, size);
        return from + size;
      }, chunks + i * room);
      return;
    case "compress":
      return compress(i, bytes);
    case "decompress":
      decompressChunk(on, {
        from: { at: chunks + i * room, bytes: chunkBytes[i]! },
        elementBytes,
        to: { at: to, bytes },
        scratch,
      });
  }
}

/** Sizes of the chunks of images, and of the blocks of those that were shuffled before. */
const chunkBytes: number[] = [];
const blockBytes: number[][] = [];

/** GB of images per second of CPU time: all images one after the other, or the start of the first. */
function measure(what: string, mode: string, milliseconds: number, warm: boolean): number {
  const [bytes, count] = mode === "hot" ? [HOT_BYTES, 1] : [IMAGE_BYTES, IMAGES];
  if (!warm) {
    warmUp(what);
    for (let i = 0; i < count; i++) prepare(what, i, bytes);
  }
  let start = cpuTimeMicroseconds("thread"), now = start, done = 0;
  for (let pass = warm ? 1 : 0; pass === 0 || now - start < 1e3 * milliseconds; pass++) {
    for (let i = 0; i < Math.max(count, 16); i++, done += bytes) step(what, i % count, bytes);
    now = cpuTimeMicroseconds("thread");
    if (pass === 0) start = now, done = 0; // the first pass of a case is not counted
  }
  return done / 1e3 / (now - start);
}

/** Small calls first: a long first call stays in the compiler's slow tier. */
function warmUp(what: string): void {
  const start = cpuTimeMicroseconds("thread");
  prepare(what, 0, WARM_BYTES);
  while (cpuTimeMicroseconds("thread") - start < WARM_US) step(what, 0, WARM_BYTES);
}

/** Makes what a case begins with. */
function prepare(what: string, i: number, bytes: number): void {
  if (what === "decompress") return compress(i, bytes);
  if (what === "unshuffle" || what === "lz4" || what === "unlz4") {
    shuffle(i, bytes, shuffled + i * bytes);
  }
  if (what === "unlz4") compressShuffled(i, bytes);
}

function shuffle(i: number, bytes: number, to: number): void {
  for (let at = 0; at < bytes; at += BLOCK_BYTES) {
    kernels.bitshuffle(to + at, images + i * bytes + at, BLOCK, elementBytes, scratch.at);
  }
}

function compressShuffled(i: number, bytes: number): void {
  const sizes = blockBytes[i] = new Array<number>(bytes / BLOCK_BYTES);
  const table = scratch.at + BITSHUFFLE.table;
  for (let block = 0, to = chunks + i * room; block < sizes.length; block++) {
    const from = shuffled + i * bytes + block * BLOCK_BYTES;
    to += sizes[block] = kernels.lz4Compress(to, from, BLOCK_BYTES, table);
  }
}

function compress(i: number, bytes: number): void {
  chunkBytes[i] = compressChunk(on, {
    from: { at: images + i * bytes, bytes },
    elementBytes,
    to: { at: chunks + i * room, bytes: room },
    scratch,
  });
}

print("ready");
let before = "";
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const line of lines) {
  const [what, mode, milliseconds] = line.split(" ") as [string, string, string];
  const asked = `${what} ${mode}`;
  const gb_per_s = measure(what, mode, Number(milliseconds), asked === before);
  before = asked;
  const units = mode === "hot" ? HOT_BYTES : IMAGES * IMAGE_BYTES;
  const left = chunkBytes.slice(0, mode === "hot" ? 1 : IMAGES).reduce((a, b) => a + b, 0);
  printJson({ gb_per_s, share: left / units });
}
