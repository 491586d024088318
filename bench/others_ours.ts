/**
 * Our side of the row of the other kernels, all of them in one run.
 *
 *   others_ours.ts <shm file> <ms>
 *
 * The same work as `native/others.c`. Prints {"<kernel> cold", "<kernel> hot"}: GB per second of CPU
 * time, for `packetise` millions of packets; and "<kernel> sum" of what was written once, which must be the
 * yardstick's.
 *
 * @module
 */
import { HEADER_BYTES, instantiateKernels, SIMULATOR_MODULE } from "../lib/kernels/mod.ts";
import { cpuTimeMicroseconds, File, IOVEC, MMSGHDR } from "../lib/os/mod.ts";
import { SharedMemory } from "../lib/ring/mod.ts";
import { COLUMNS } from "./_geometry.ts";
import {
  BATCH,
  DARK_FRAMES,
  GAP,
  OTHER_BYTES,
  OTHER_KERNELS,
  OTHER_OUTPUT,
  type OtherKernel,
  otherPlan,
} from "./_others.ts";
import { printJson } from "./_print.ts";

const [path, milliseconds] = Deno.args as [string, string];
using file = File.open(path, { write: true });
const memory = new SharedMemory(OTHER_BYTES + 2 ** 20);
const inputAt = memory.map(file, OTHER_BYTES, { writable: true });
const outputAt = inputAt + OTHER_OUTPUT;
const { buffer } = memory.memory;
const u8 = new Uint8Array(buffer);
const kernels = instantiateKernels(memory.memory);

/** A kernel on the first `rows` rows of a module. */
type Step = (from: number, to: number, rows: number, stride: number) => void;

/** Lines of border pixels and the gap beside them, as an Eiger's: two columns in the middle, the last row. */
function lines(
  image: number,
  rows: number,
  stride: number,
  pixel: number,
  line: (at: number, count: number, stride: number, step: number) => void,
): void {
  const gap = image + COLUMNS / 2 * pixel;
  line(gap - pixel, rows, stride, pixel);
  line(gap + 2 * pixel, rows, stride, -pixel);
  line(image + (rows - 1) * stride, COLUMNS, pixel, -stride);
}

function mirror(pixel: number): Step {
  return (from, to, rows, stride) =>
    kernels.assembleMirrored(to, from, rows, 2, COLUMNS / 2 * pixel, GAP * pixel, stride, pixel);
}

function shareSigned(pixel: 2 | 4): Step {
  const invalid = pixel === 2 ? -32768 : -2147483648;
  return (_from, to, rows, stride) =>
    lines(to, rows, stride, pixel, (at, count, next, step) => {
      kernels.shareSigned(at, count, next, step, pixel, invalid);
    });
}

const STEPS: Record<OtherKernel, Step> = {
  mirror8: mirror(1),
  mirror16: mirror(2),
  mirror32: mirror(4),
  shareSigned16: shareSigned(2),
  shareSigned32: shareSigned(4),
  shareFloats: (_from, to, rows, stride) =>
    lines(to, rows, stride, 4, (at, count, next, step) => {
      kernels.shareFloats(at, count, next, step);
    }),
  setPixels: (_from, to, rows, stride) =>
    lines(to, rows, stride, 2, (at, count, next, step) => {
      kernels.setPixels(at, count, next, 2, 65_535);
      kernels.setPixels(at + step, count, next, 2, 65_535);
    }),
  blank: (_from, to, rows, stride) => kernels.blankModule(to, rows, 2, COLUMNS, 2 * GAP, stride),
  fill: (_from, to, rows, stride) =>
    kernels.fillModule(to, rows, 2, 2 * COLUMNS, 4 * GAP, stride, 0x7fc00000),
  isZero: (from, to, rows) => {
    new DataView(buffer).setUint32(to, kernels.isZero(from, 2 * rows * COLUMNS), true);
  },
  countGains: (from, to, rows) => kernels.countGains(from, rows * COLUMNS, to),
  finishPedestal: (from, to, rows) => {
    const pixels = rows * COLUMNS;
    const squares = from + 4 * pixels, wrong = squares + 8 * pixels;
    kernels.finishPedestal(from, squares, wrong, DARK_FRAMES, to, to + 4 * pixels, pixels);
  },
};

/** Writes what a module's input is. */
type Input = (at: number, pixels: number) => void;

const any: Input = (at, pixels) => {
  for (let i = 0; i < 4 * pixels; i++) u8[at + i] = i * 37;
};

const INPUTS: Partial<Record<OtherKernel, Input>> = {
  mirror8: any,
  mirror16: any,
  mirror32: any,
  isZero: (at, pixels) => new Uint16Array(buffer, at, pixels).fill(0),
  // 3 of 100 pixels are not in G0, at random.
  countGains: (at, pixels) => {
    const raw = new Uint16Array(buffer, at, pixels);
    let x = 12345;
    for (let i = 0; i < pixels; i++) {
      x = (Math.imul(x, 1103515245) + 12345) >>> 0;
      raw[i] = ((x >>> 8) % 100 < 3 ? (x >>> 31 ? 0xc000 : 0x4000) : 0) | x >>> 20;
    }
  },
  finishPedestal: (at, pixels) => {
    const sums = new Uint32Array(buffer, at, pixels);
    const squares = new BigUint64Array(buffer, at + 4 * pixels, pixels);
    new Uint32Array(buffer, at + 12 * pixels, pixels).fill(0);
    for (let i = 0; i < pixels; i++) {
      const mean = 2800 + i % 100; // and a variance of 64
      sums[i] = mean * DARK_FRAMES;
      squares[i] = BigInt((mean * mean + 64) * DARK_FRAMES);
    }
  },
};

/** Sum of what is there as u32, modulo 2³². */
function sumOf(at: number, bytes: number): number {
  let sum = 0;
  for (const word of new Uint32Array(buffer, at, bytes / 4)) sum = (sum + word) >>> 0;
  return sum;
}

/** Steps that are done per second of CPU time, ten of them warm it up. */
function stepsPerSecond(step: (i: number) => void, atOnce: number): number {
  let i = 0;
  for (const warm = 10 * atOnce; i < warm; i++) step(i);
  const start = cpuTimeMicroseconds("thread");
  const before = i;
  let now = start;
  while (now - start < 1e3 * Number(milliseconds)) {
    for (const end = i + atOnce; i < end; i++) step(i);
    now = cpuTimeMicroseconds("thread");
  }
  return 1e6 * (i - before) / (now - start);
}

const results: Record<string, number> = {};
for (const kernel of OTHER_KERNELS) {
  const step = STEPS[kernel];
  for (const mode of ["cold", "hot"] as const) {
    const { rows, from, to, stride, count, bytes } = otherPlan(kernel, mode);
    const input = INPUTS[kernel];
    if (input !== undefined) {
      input(inputAt, rows * COLUMNS);
      for (let i = 1; i < count; i++) u8.copyWithin(inputAt + i * from, inputAt, inputAt + from);
    }
    if (mode === "cold") {
      // Small calls first: a long first call stays in the compiler's slow tier.
      for (let i = 0; i < 10_000; i++) step(inputAt, outputAt, 2, stride);
      for (let i = 0; i < to; i++) u8[outputAt + i] = i * 37;
      step(inputAt, outputAt, rows, stride);
      results[`${kernel} sum`] = sumOf(outputAt, to);
    }
    u8.fill(0, outputAt, outputAt + count * to);
    const steps = stepsPerSecond(
      (i) => step(inputAt + i % count * from, outputAt + i % count * to, rows, stride),
      mode === "cold" ? 8 : 32,
    );
    results[`${kernel} ${mode}`] = steps * bytes / 1e9;
  }
}

// A simulator's vector of packets of a Jungfrau: always the same memory.
const state = memory.allocate(SIMULATOR_MODULE.$bytes);
const headersAt = memory.allocate(BATCH * HEADER_BYTES);
const settings: Partial<Record<keyof typeof SIMULATOR_MODULE, number>> = {
  batch: BATCH,
  segments: 1,
  header_bytes: HEADER_BYTES,
  payload_bytes: 8192,
  last_payload_bytes: 8192,
  packets_per_frame: 128,
  sources_at: inputAt,
  sources: 8,
  blocks: 1,
  frames_per_block: 2 ** 32 - 1,
  headers_at: headersAt,
  messages_at: memory.allocate(BATCH * MMSGHDR.bytes),
  iovecs_at: memory.allocate(BATCH * 2 * IOVEC.bytes),
  has_bunch: 1,
  daq_record: 1,
};
for (const [field, value] of Object.entries(settings)) {
  memory.dv.setUint32(
    state + SIMULATOR_MODULE[field as keyof typeof SIMULATOR_MODULE],
    value,
    true,
  );
}
memory.dv.setBigUint64(state + SIMULATOR_MODULE.frame_ticks, 10_000n, true);
for (let i = 0; i < HEADER_BYTES; i++) u8[state + SIMULATOR_MODULE.template + i] = i * 37;
const packetise = (i: number): void => {
  kernels.packetiseFrame(state, i >>> 1, (i & 1) * BATCH, BATCH);
};
for (let i = 0; i < 10_000; i++) packetise(i);
packetise(7);
results["packetise sum"] = sumOf(headersAt, BATCH * HEADER_BYTES);
results["packetise hot"] = stepsPerSecond(packetise, 32) * BATCH / 1e6;
printJson(results);
