/**
 * Our side of the kernels row: the assembly kernel on memory that is mapped as in a converter.
 *
 *   assemble_ours.ts <shm file> <pixel bytes> <cold|ring|hot> <ms>
 *
 * The same work as `native/assemble.c`. Prints {"gb_per_s"}: bytes of frames per second of CPU time.
 *
 * @module
 */
import { instantiateKernels } from "../lib/kernels/mod.ts";
import { cpuTimeMicroseconds, File } from "../lib/os/mod.ts";
import { SharedMemory } from "../lib/ring/mod.ts";
import { type AssemblyMode, assemblyPlan, ROWS, RUN, STEP_X, STEP_Y } from "./_assembly.ts";
import { printJson } from "./_print.ts";

const [path, pixelBytes, mode, milliseconds] = Deno.args as [string, string, AssemblyMode, string];
const pixel = Number(pixelBytes);
const plan = assemblyPlan(pixel, mode);
const { columns, modules, frame, frames, image, images, stride, gap, bytes } = plan;
using file = File.open(path, { write: true });
const memory = new SharedMemory(bytes + 2 ** 20);
const framesAt = memory.map(file, bytes, { writable: true });
const imagesAt = framesAt + frames * frame;
const { assembleModule } = instantiateKernels(memory.memory);

// A function in its own right, so that the compiler gets at it.
function assembleImage(hot: boolean, firstFrame: number, i: number): number {
  let f = firstFrame;
  for (let m = 0; m < modules; m++) {
    const place = hot
      ? 0
      : i * image + Math.floor(m / columns) * STEP_Y * stride + (m % columns) * STEP_X * pixel;
    assembleModule(imagesAt + place, framesAt + f * frame, ROWS, 2, RUN * pixel, gap, stride);
    if (!hot && ++f === frames) f = 0;
  }
  return f;
}

const hot = mode === "hot";
// Small calls first: a long first call stays in the compiler's slow tier.
for (let i = 0; i < 20_000; i++) assembleModule(imagesAt, framesAt, 1, 2, RUN * pixel, gap, stride);
let f = 0, i = 0, done = 0;
const step = (): void => {
  f = assembleImage(hot, f, i);
  if (++i === images) i = 0;
};
for (let round = 0; round < 20; round++) step();
const start = cpuTimeMicroseconds("thread");
let now = start;
while (now - start < 1e3 * Number(milliseconds)) {
  step();
  done += modules;
  now = cpuTimeMicroseconds("thread");
}
printJson({ gb_per_s: done * frame / 1e3 / (now - start) });
