/**
 * Our side of the write row: the file writer as the writer service uses it, from an image ring.
 *
 *   write_ours.ts <ring name> <rows> <slots> <images> <output folder> [sync]
 *
 * Images of `rows` × 1024 pixels of 16 bit. Makes the ring, prints `ready`, waits for a line on stdin,
 * then writes a file and prints {"gb_per_s", "create_ms", "close_ms"}; again for every further line.
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

/** Writes one file; returns how long its images took, and its creation and end. */
function writeFile(): { seconds: number; createMs: number; closeMs: number } {
  const path = `${folder}/${name}.h5`;
  const begin = monotonicNs();
  createFile(writer, path, images, "none");
  const created = monotonicNs();
  let took = 0;
  for (let left = images; left > 0; left -= slots) {
    // The assembler's part is not timed, nor the orders' making.
    const orders = Array.from(
      { length: Math.min(left, slots) },
      () => record(ring, publishNext(ring)),
    );
    const start = seconds();
    for (const order of orders) writeImage(writer, order);
    took += seconds() - start;
  }
  const start = seconds();
  writer.settle(true);
  if (sync !== undefined) output!.sync();
  took += seconds() - start;
  writer.takeAnswers().forEach(check);
  const last = monotonicNs();
  check(writer.handle({ action: "close_file" }));
  const closeMs = Number(monotonicNs() - last) / 1e6;
  unlink(path);
  return { seconds: took, createMs: Number(created - begin) / 1e6, closeMs };
}

warmUp(`${name}-warm`, folder);
print("ready");
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const _ of lines) {
  const { seconds, createMs, closeMs } = writeFile();
  printJson({
    ...{ gb_per_s: images * slotBytes / 1e9 / seconds, create_ms: createMs, close_ms: closeMs },
  });
}
