/**
 * Our side of the gigafrost row: the unpacking kernel on memory that is mapped as in a converter.
 *
 *   gigafrost_ours.ts <shm file> <hot|cold> <ms>
 *
 * The same work as `native/gigafrost.c`. Prints {"gb_per_s"}: bytes of packed frames per second of CPU time.
 *
 * @module
 */
import { instantiateKernels } from "../lib/kernels/mod.ts";
import { cpuTimeMicroseconds, File } from "../lib/os/mod.ts";
import { SharedMemory } from "../lib/ring/mod.ts";
import { gigafrostPlan, linkPlace, MODULES } from "./_gigafrost.ts";
import { printJson } from "./_print.ts";

const [path, mode, milliseconds] = Deno.args as [string, "hot" | "cold", string];
const plan = gigafrostPlan(mode);
const { columns, rows, frame, frames, image, images, bytes } = plan;
using file = File.open(path, { write: true });
const memory = new SharedMemory(bytes + 2 ** 20);
const framesAt = memory.map(file, bytes, { writable: true });
const imagesAt = framesAt + frames * frame;
const { unpackGigafrost } = instantiateKernels(memory.memory);
const places = Array.from({ length: MODULES }, (_, module) => linkPlace(plan, module));

// A function in its own right, so that the compiler gets at it.
function unpackImage(f: number, i: number): void {
  for (let m = 0; m < MODULES; m++) {
    const { first, step } = places[m]!;
    const to = imagesAt + i * image + 2 * first;
    unpackGigafrost(to, framesAt + (f + m) * frame, rows, columns, 2 * step);
  }
}

// Small calls first: a long first call stays in the compiler's slow tier.
for (let i = 0; i < 20_000; i++) unpackGigafrost(imagesAt, framesAt, 1, columns, 0);
let f = 0, i = 0, done = 0;
const step = (): void => {
  unpackImage(f, i);
  f = (f + MODULES) % frames;
  if (++i === images) i = 0;
};
const warm = mode === "cold" ? 20 : 2000, atOnce = mode === "cold" ? 1 : 100;
for (let round = 0; round < warm; round++) step();
const start = cpuTimeMicroseconds("thread");
let now = start;
while (now - start < 1e3 * Number(milliseconds)) {
  for (let n = 0; n < atOnce; n++) step();
  done += atOnce;
  now = cpuTimeMicroseconds("thread");
}
printJson({ gb_per_s: done * MODULES * frame / 1e3 / (now - start) });
