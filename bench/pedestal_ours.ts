/**
 * Our side of the pedestal row: the kernel, 16 frames at a time.
 *
 *   pedestal_ours.ts <shm file> <hot|cold> <ms>
 *
 * The same work as `native/pedestal.c`. Prints {"gb_per_s"}: bytes of frames per second of CPU time.
 *
 * @module
 */
import { accumulatePedestal, kernelMemory, PEDESTAL_BATCH } from "../lib/kernels/mod.ts";
import { cpuTimeMicroseconds, File } from "../lib/os/mod.ts";
import { SharedMemory } from "../lib/ring/mod.ts";
import { darkPlan } from "./_dark.ts";
import { printJson } from "./_print.ts";

const [path, mode, milliseconds] = Deno.args as [string, "hot" | "cold", string];
const { pixels, stride, bytes } = darkPlan(mode);
using file = File.open(path);
const memory = new SharedMemory(bytes + 16 * pixels + 2 ** 20);
const at = memory.map(file, bytes);
const on = kernelMemory(memory.memory);
const state = {
  sums: memory.allocate(4 * pixels),
  squares: memory.allocate(8 * pixels),
  wrong: memory.allocate(4 * pixels),
  pixels,
};

// A function in its own right, so that the compiler gets at it.
function step(some: typeof state): void {
  accumulatePedestal(on, { at, stride, count: PEDESTAL_BATCH }, 0, some);
}

// Small calls first: a long first call stays in the compiler's slow tier.
for (let i = 0; i < 20_000; i++) step({ ...state, pixels: 64 });
const [warm, atOnce] = mode === "cold" ? [3, 1] : [100, 100];
for (let i = 0; i < warm; i++) step(state);
const start = cpuTimeMicroseconds("thread");
let now = start, done = 0;
while (now - start < 1e3 * Number(milliseconds)) {
  for (let i = 0; i < atOnce; i++) step(state);
  done += atOnce;
  now = cpuTimeMicroseconds("thread");
}
printJson({ gb_per_s: done * PEDESTAL_BATCH * pixels * 2 / 1e3 / (now - start) });
