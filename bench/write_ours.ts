/**
 * Our side of the write row: the file writer as the writer service uses it, from an image ring.
 *
 *   write_ours.ts <ring name> <rows> <slots> <images> <output folder> [sync | beside]
 *
 * Images of `rows` × 1024 pixels of 16 bit. Makes the ring, prints `ready`, and takes the lines that the
 * yardsticks take (native/write.c): a number has so many more images written, to a new file of at most
 * `images` when there is none, and `end` ends it and prints {"gb_per_s", "create_ms", "close_ms",
 * "beside_ms"}. That is what is left of the time, with `beside`, without the kernel's writing of pixels.
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

const [name, rows, slotCount, imageCount, folder, how] = Deno.args as [
  string,
  string,
  string,
  string,
  string,
  "sync" | "beside" | undefined,
];
const height = Number(rows), slots = Number(slotCount), images = Number(imageCount);
using ring = makeRing(name, height, slots);
const { slotBytes } = ring.spec;
fillRing(ring);
using locator = new ImageLocator(ring.spec);
let output: File | undefined;
/** Time in writes of pixels, s. */
let inWrite = 0;
using writer = makeWriter({
  ...{ height, images: locator, folder },
  compressors: new InlineCompressors({ elementBytes: 2, imageBytes: slotBytes }),
  onFile: (file) => {
    output = file;
    if (how === "beside") timeWrites(file);
  },
});

/** Has the time in writes of pixels added up. */
function timeWrites(file: File): void {
  const timed = <Arguments extends unknown[]>(
    write: (...args: Arguments) => void,
  ): (...args: Arguments) => void =>
  (...args) => {
    const start = seconds();
    write.apply(file, args);
    inWrite += seconds() - start;
  };
  file.writeFrom = timed(file.writeFrom);
  file.writeAllFrom = timed(file.writeAllFrom);
}

/** Time that counts: the thread's own, or that of the clock on the wall where a disk is waited for; s. */
function seconds(): number {
  return how === "sync" ? Number(monotonicNs()) / 1e9 : cpuTimeMicroseconds("thread") / 1e6;
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
  if (how === "sync") output!.sync();
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
    if (file === undefined) inWrite = 0;
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
  printJson({
    ...{ gb_per_s: written * slotBytes / 1e9 / took, create_ms: createMs, close_ms: closeMs },
    beside_ms: (took - inWrite) * 1e3,
  });
}
