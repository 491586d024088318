/**
 * Our side of the pedestal row: the kernels, 16 frames at a time or frame after frame.
 *
 *   pedestal_ours.ts <shm file> <batch|track> <hot|cold> <ms>
 *
 * The same work as `native/pedestal.c`. Prints {"gb_per_s"}: bytes of frames per second of CPU time.
 *
 * @module
 */
import {
  accumulatePedestal,
  jungfrauMapBytes,
  kernelMemory,
  PEDESTAL_BATCH,
} from "../lib/kernels/mod.ts";
import { cpuTimeMicroseconds, File } from "../lib/os/mod.ts";
import { SharedMemory } from "../lib/ring/mod.ts";
import { darkPlan } from "./_dark.ts";
import { printJson } from "./_print.ts";

const [path, what, mode, milliseconds] = Deno.args as [string, string, "hot" | "cold", string];
const { pixels, stride, bytes } = darkPlan(mode);
using file = File.open(path);
const memory = new SharedMemory(bytes + 32 * pixels + 2 ** 20);
const at = memory.map(file, bytes);
const on = kernelMemory(memory.memory);
const state = {
  sums: memory.allocate(4 * pixels),
  squares: memory.allocate(8 * pixels),
  wrong: memory.allocate(4 * pixels),
  pixels,
};

const mapBytes = jungfrauMapBytes(1, pixels).g0;
const g0 = memory.allocate(mapBytes), limits = memory.allocate(4 * pixels);
new Float32Array(memory.memory.buffer, g0, mapBytes / 4).fill(2816);
new Float32Array(memory.memory.buffer, limits, pixels).fill(24);

// Functions in their own right, so that the compiler gets at them.
function sum(some: number): void {
  const frames = { at, stride, count: PEDESTAL_BATCH };
  accumulatePedestal(on, frames, 0, { ...state, pixels: some });
}

function track(some: number): void {
  for (let i = 0; i < PEDESTAL_BATCH; i++) {
    on.kernels.trackPedestal(at + i * stride, 1, some, g0, limits, 1 / 1024);
  }
}

const step = what === "track" ? track : sum;
// Small calls first: a long first call stays in the compiler's slow tier.
for (let i = 0; i < 20_000; i++) step(64);
const [warm, atOnce] = mode === "cold" ? [3, 1] : [100, 100];
for (let i = 0; i < warm; i++) step(pixels);
const start = cpuTimeMicroseconds("thread");
let now = start, done = 0;
while (now - start < 1e3 * Number(milliseconds)) {
  for (let i = 0; i < atOnce; i++) step(pixels);
  done += atOnce;
  now = cpuTimeMicroseconds("thread");
}
printJson({ gb_per_s: done * PEDESTAL_BATCH * pixels * 2 / 1e3 / (now - start) });
