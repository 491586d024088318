/**
 * Our side of the correction row: a module's correction as a converter does it.
 *
 *   correction_ours.ts <shm file> <float32|int16|uint16|int32> <switched> <hot|cold> <ms>
 *
 * The same work as `native/correct.c`. Prints {"gb_per_s", "sum"}: bytes of frames per second of CPU
 * time, and the sum of the first frame's results, which must be the yardstick's.
 */
import {
  instantiateKernels,
  JungfrauCorrector,
  jungfrauMapBytes,
  packJungfrauMaps,
  SATURATED,
} from "../lib/kernels/mod.ts";
import { cpuTimeMicroseconds, File } from "../lib/os/mod.ts";
import { SharedMemory } from "../lib/ring/mod.ts";
import { COLUMNS, correctionPlan, PIXEL_BYTES } from "./_correction.ts";
import { printJson } from "./_print.ts";

const [path, type, switchedShare, mode, milliseconds] = Deno.args as [
  string,
  keyof typeof PIXEL_BYTES,
  string,
  "hot" | "cold",
  string,
];
const { rows, pixels, frames, images, bytes } = correctionPlan(type, mode);
const imageBytes = PIXEL_BYTES[type] * pixels;
using file = File.open(path, { write: true });
const maps = jungfrauMapBytes(rows, COLUMNS);
const memory = new SharedMemory(bytes + maps.g0 + maps.switched + 2 ** 20);
const framesAt = memory.map(file, bytes, { writable: true });
const imagesAt = framesAt + frames * 2 * pixels;
const { buffer } = memory.memory;

const g0 = memory.allocate(maps.g0), switched = memory.allocate(maps.switched);
/** One value for each stage's pixels, to which `more` adds something for G0's. */
function stages(
  values: readonly [number, number, number],
  more = (_pixel: number): number => 0,
): Float64Array {
  const all = new Float64Array(3 * pixels);
  values.forEach((value, i) => all.fill(value, i * pixels, (i + 1) * pixels));
  for (let i = 0; i < pixels; i++) all[i]! += more(i);
  return all;
}
packJungfrauMaps(
  {
    rows,
    columns: COLUMNS,
    gains: stages([41, -1.4, -0.1]),
    pedestals: stages([2600, 13_000, 13_500], (i) => i % 100),
    mask: new Uint8Array(pixels),
  },
  { pixelType: type, photonEnergyKev: 1 },
  new Float32Array(buffer, g0, maps.g0 / 4),
  new Float32Array(buffer, switched, maps.switched / 4),
);
const raw = new Uint16Array(buffer, framesAt, frames * pixels);
// Some frames, over and over: more pixels than a branch predictor remembers.
const fresh = Math.min(raw.length, 8 * pixels);
let x = 12345;
for (let i = 0; i < fresh; i++) {
  x = (Math.imul(x, 1103515245) + 12345) >>> 0;
  const charge = (x >>> 20) % 300;
  const isSwitched = (x >>> 8) % 100 < Number(switchedShare);
  raw[i] = isSwitched ? (x >>> 31 ? 0xc000 : 0x4000) | (12000 + charge) : 2600 + charge;
}
for (let at = fresh; at < raw.length; at += fresh) raw.copyWithin(at, 0, fresh);

const kernels = instantiateKernels(memory.memory);
const work = memory.allocate(JungfrauCorrector.workBytes(COLUMNS));
const corrector = new JungfrauCorrector(memory.memory, kernels, work, COLUMNS);
const module = {
  to: imagesAt,
  stride: COLUMNS * PIXEL_BYTES[type],
  from: framesAt,
  rows,
  columns: COLUMNS,
  g0,
  switched,
  saturated: SATURATED.dynamic,
};
// Small calls first: a long first call stays in the compiler's slow tier.
for (let i = 0; i < 20_000; i++) corrector.correct(type, { ...module, rows: 1 });
corrector.correct(type, module);
let sum = 0;
const Pixels = {
  float32: Float32Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
}[type];
for (const value of new Pixels(buffer, imagesAt, pixels)) sum += value;
let frame = 0, image = 0, done = 0;
const step = (): void => {
  for (let i = 0; i < (mode === "cold" ? 1 : 32); i++) {
    module.to = imagesAt + image * imageBytes;
    module.from = framesAt + frame * 2 * pixels;
    corrector.correct(type, module);
    if (++frame === frames) frame = 0;
    if (++image === images) image = 0;
    done++;
  }
};
for (let round = 0; round < 20; round++) step();
done = 0;
const start = cpuTimeMicroseconds("thread");
let now = start;
while (now - start < 1e3 * Number(milliseconds)) {
  step();
  now = cpuTimeMicroseconds("thread");
}
printJson({ gb_per_s: done * 2 * pixels / 1e3 / (now - start), sum });
