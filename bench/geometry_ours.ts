/**
 * Our side of the geometry row.
 *
 *   geometry_ours.ts <shm file> <kernel> <hot|cold> <ms>
 *
 * The same work as `native/geometry.c`. Prints {"gb_per_s"}: bytes of frames per second of CPU time.
 *
 * @module
 */
import { instantiateKernels } from "../lib/kernels/mod.ts";
import { cpuTimeMicroseconds, File } from "../lib/os/mod.ts";
import { SharedMemory } from "../lib/ring/mod.ts";
import { COLUMNS, type GeometryKernel, geometryPlan, ROWS, SKEW } from "./_geometry.ts";
import { printJson } from "./_print.ts";

const [path, kernel, mode, milliseconds] = Deno.args as [
  string,
  GeometryKernel,
  "hot" | "cold",
  string,
];
const { pixel, from, to, count } = geometryPlan(kernel, mode);
using file = File.open(path, { write: true });
const memory = new SharedMemory(count * (from + to) + 2 ** 20);
const framesAt = memory.map(file, count * (from + to), { writable: true });
const imagesAt = framesAt + count * from;
const kernels = instantiateKernels(memory.memory);

// A function in its own right, so that the compiler gets at it.
function step(frame: number, image: number, rows: number): void {
  switch (kernel) {
    case "unpack":
      return kernels.unpackNibbles(image, frame, rows, 2, COLUMNS / 2, 0, COLUMNS + SKEW);
    case "share": {
      // Both sides of the gap between two chips, and the row towards the other half.
      const stride = COLUMNS * pixel + SKEW;
      const gap = image + COLUMNS / 2 * pixel;
      kernels.shareCounts(gap - pixel, rows, stride, pixel, pixel, 65_535);
      kernels.shareCounts(gap + 2 * pixel, rows, stride, -pixel, pixel, 65_535);
      const last = image + (rows - 1) * stride;
      return kernels.shareCounts(last, COLUMNS, pixel, -stride, pixel, 65_535);
    }
    default: {
      const row = ROWS * pixel + SKEW;
      return kernels.transposeModule(image, row, frame, COLUMNS * pixel, rows, COLUMNS, pixel);
    }
  }
}

// Small calls first: a long first call stays in the compiler's slow tier.
for (let i = 0; i < 20_000; i++) step(framesAt, imagesAt, 8);
let done = 0;
const round = (): void => {
  const i = done++ % count;
  step(framesAt + i * from, imagesAt + i * to, ROWS);
};
for (let i = 0; i < Math.max(count, 200); i++) round();
const start = cpuTimeMicroseconds("thread");
const before = done;
let now = start;
while (now - start < 1e3 * Number(milliseconds)) {
  for (let i = 0; i < 32; i++) round();
  now = cpuTimeMicroseconds("thread");
}
printJson({ gb_per_s: (done - before) * from / 1e3 / (now - start) });
