/**
 * Long files: how long their end takes, and what the writer needs for them.
 *
 *   write_long_ours.ts <ring name> <output folder>
 *
 * Images of 1024 pixels of 16 bit. For each line with a number of images it writes a file, and prints
 * {"close_ms", "growth_mb", "live_growth_mb", "us_per_image"}: growth of the process's memory from half of
 * the images to the last one, and of what is in use in it, after a collection of garbage, from a quarter
 * of them on. Wants V8's flags LONG_FLAGS of write.ts.
 *
 * @module
 */
import { monotonicNs, unlink } from "../lib/os/mod.ts";
import { ImageLocator, InlineCompressors } from "../lib/writer/mod.ts";
import { TextLineStream } from "./_lines.ts";
import { printJson } from "./_print.ts";
import {
  check,
  createFile,
  makeRing,
  makeWriter,
  publishNext,
  record,
  writeImage,
} from "./_write_ring.ts";

const SLOTS = 64;
const [name, folder] = Deno.args as [string, string];
using ring = makeRing(name, 1, SLOTS);
const { slotBytes } = ring.spec;
using locator = new ImageLocator(ring.spec);
const compressors = new InlineCompressors({ elementBytes: 2, imageBytes: slotBytes });
using writer = makeWriter({ height: 1, images: locator, compressors, folder });

/** Collects garbage; returns what is left in use of JavaScript's memory and of buffers, bytes. */
function liveBytes(): number {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect !== "function") throw new Error("Start it with --v8-flags=--expose-gc.");
  collect();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const line of lines) {
  const images = Number(line);
  const path = `${folder}/${name}.h5`;
  createFile(writer, path, images, "none");
  let before = 0, liveBefore = 0;
  const start = monotonicNs();
  for (let i = 0; i < images; i++) {
    if (i === Math.floor(images / 4)) liveBefore = liveBytes();
    if (i === Math.floor(images / 2)) before = Deno.memoryUsage().rss;
    writeImage(writer, record(ring, publishNext(ring)));
  }
  const last = monotonicNs();
  const growth = Deno.memoryUsage().rss - before;
  const liveGrowth = liveBytes() - liveBefore;
  const atEnd = monotonicNs();
  check(writer.handle({ action: "close_file" }));
  const closeMs = Number(monotonicNs() - atEnd) / 1e6;
  unlink(path);
  printJson({
    ...{ close_ms: closeMs, growth_mb: growth / 1e6 },
    live_growth_mb: liveGrowth / 1e6,
    us_per_image: Number(last - start) / 1e3 / images,
  });
}
