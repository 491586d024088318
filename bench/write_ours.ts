/**
 * Our side of the write row: the file writer as the writer service uses it, from an image ring.
 *
 *   write_ours.ts <ring name> <rows> <slots> <images> <output folder> [sync]
 *
 * Images of `rows` × 1024 pixels of 16 bit. Makes the ring, prints `ready`, and takes the lines that the
 * yardsticks take (native/write.c): a number has so many more images written, to a new file of at most
 * `images` when there is none, and `end` ends it and prints {"gb_per_s", "create_ms", "close_ms"}.
 *
 * @module
 */
import { cpuTimeMicroseconds, type File, monotonicNs, unlink } from "../lib/os/mod.ts";
import { ImageLocator, InlineCompressors } from "../lib/writer/mod.ts";
import { TextLineStream } from "./_lines.ts";
import { print, printJson } from "./_print.ts";
import {
  check,
  createFile,
  fillRing,
  makeRing,
  makeWriter,
  publishNext,
  record,
  warmUp,
  writeImage,
} from "./_write_ring.ts";

const [name, rows, slotCount, imageCount, folder, sync] = Deno.args as [
  string,
  string,
  string,
  string,
  string,
  string | undefined,
];
const height = Number(rows), slots = Number(slotCount), images = Number(imageCount);
using ring = makeRing(name, height, slots);
const { slotBytes } = ring.spec;
fillRing(ring);
using locator = new ImageLocator(ring.spec);
let output: File | undefined;
using writer = makeWriter({
  ...{ height, images: locator, folder },
  compressors: new InlineCompressors({ elementBytes: 2, imageBytes: slotBytes }),
  onFile: (file) => output = file,
});

/** Time that counts: the thread's own, or that of the clock on the wall where a disk is waited for; s. */
function seconds(): number {
  return sync === undefined ? cpuTimeMicroseconds("thread") / 1e6 : Number(monotonicNs()) / 1e9;
}

const path = `${folder}/${name}.h5`;

/** Has so many images written; the assembler's part is not timed, nor the orders' making. */
function write(images: number): number {
  let took = 0;
  for (let left = images; left > 0; left -= slots) {
    const orders = Array.from(
      { length: Math.min(left, slots) },
      () => record(ring, publishNext(ring)),
    );
    const start = seconds();
    for (const order of orders) writeImage(writer, order);
    took += seconds() - start;
  }
  return took;
}

/** Has what is left written, and on the disk. */
function settle(): number {
  const start = seconds();
  writer.settle(true);
  if (sync !== undefined) output!.sync();
  const took = seconds() - start;
  writer.takeAnswers().forEach(check);
  return took;
}

/** How long it takes, ms by the clock on the wall. */
function milliseconds(work: () => void): number {
  const begin = monotonicNs();
  work();
  return Number(monotonicNs() - begin) / 1e6;
}

warmUp(`${name}-warm`, folder);
print("ready");
let file: { images: number; seconds: number; createMs: number } | undefined;
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const line of lines) {
  if (line !== "end") {
    file ??= {
      ...{ images: 0, seconds: 0 },
      createMs: milliseconds(() => createFile(writer, path, images, "none")),
    };
    file.seconds += write(Number(line));
    file.images += Number(line);
    printJson({});
    continue;
  }
  if (file === undefined) throw new Error("no file to end: say first how many images it has");
  const { images: written, createMs, seconds } = file;
  const took = seconds + settle();
  const closeMs = milliseconds(() => check(writer.handle({ action: "close_file" })));
  unlink(path);
  file = undefined;
  printJson({ gb_per_s: written * slotBytes / 1e9 / took, create_ms: createMs, close_ms: closeMs });
}
