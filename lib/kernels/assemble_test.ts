import assert from "node:assert/strict";
import fc from "fast-check";
import { instantiateKernels } from "./mod.ts";

const memory = new WebAssembly.Memory({ initial: 256, maximum: 256, shared: true });
const kernels = instantiateKernels(memory);
const u8 = new Uint8Array(memory.buffer);

/** Where modules lie; images begin at {@link IMAGE}. */
const MODULE = 65536;
const IMAGE = 4 * 2 ** 20;
const CANARY = 0xa5;

/** A module and its place in an image; a negative stride turns the rows upside down. */
interface Shape {
  pixel: number;
  rows: number;
  chips: number;
  /** Pixels of a run. */
  runPixels: number;
  /** Pixels between runs. */
  gapPixels: number;
  /** Pixels to the right of the module. */
  besides: number;
  reversed: boolean;
  /** Displacement of the image, bytes. */
  skew: number;
  seed: number;
}

function shapes(runUnit: number): fc.Arbitrary<Shape> {
  return fc.record({
    pixel: fc.constantFrom(1, 2, 4),
    rows: fc.integer({ min: 1, max: 12 }),
    chips: fc.integer({ min: 1, max: 5 }),
    runPixels: fc.integer({ min: 1, max: Math.ceil(300 / runUnit) }).map((n) => n * runUnit),
    gapPixels: fc.integer({ min: 0, max: 5 }),
    besides: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 })),
    reversed: fc.boolean(),
    skew: fc.integer({ min: 0, max: 15 }),
    seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  });
}

/** A shape in bytes, as the kernels take it. */
function inBytes(
  s: Shape,
): { run: number; gap: number; stride: number; first: number; size: number } {
  const run = s.runPixels * s.pixel;
  const gap = s.gapPixels * s.pixel;
  const width = s.chips * run + (s.chips - 1) * gap + s.besides * s.pixel;
  return {
    run,
    gap,
    stride: s.reversed ? -width : width,
    first: s.reversed ? (s.rows - 1) * width : 0,
    size: s.rows * width,
  };
}

function fillModule(bytes: number, seed: number): void {
  let x = seed;
  for (let i = 0; i < bytes; i++) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    u8[MODULE + i] = x >>> 16;
  }
}

/**
 * Places a module pixel by pixel.
 *
 * @param value Byte `b` of the pixel at `row`, `column` of the module; the image's byte is set to it.
 */
function place(
  image: Uint8Array,
  s: Shape,
  value: (row: number, column: number, b: number) => number,
): void {
  const { run, gap, stride, first } = inBytes(s);
  for (let row = 0; row < s.rows; row++) {
    for (let column = 0; column < s.chips * s.runPixels; column++) {
      const chip = Math.floor(column / s.runPixels);
      const at = first + row * stride + chip * (run + gap) + (column % s.runPixels) * s.pixel;
      for (let b = 0; b < s.pixel; b++) image[at + b] = value(row, column, b);
    }
  }
}

/** Runs a kernel on an image of canaries and compares the image, and 64 bytes around it. */
function check(
  s: Shape,
  kernel: (to: number, run: number, gap: number, stride: number) => void,
  value: (row: number, column: number, b: number) => number,
): void {
  const { run, gap, stride, first, size } = inBytes(s);
  const moduleBytes = s.rows * s.chips * run;
  fillModule(moduleBytes, s.seed);
  const begin = IMAGE + 64 + s.skew;
  u8.fill(CANARY, begin - 64, begin + size + 64);
  kernel(begin + first, run, gap, stride);
  const expected = new Uint8Array(size + 128).fill(CANARY);
  place(expected.subarray(64, 64 + size), s, value);
  const found = u8.slice(begin - 64, begin + size + 64);
  assert.ok(
    found.every((byte, i) => byte === expected[i]),
    `byte ${
      found.findIndex((byte, i) => byte !== expected[i]) - 64
    } of an image of ${size} differs`,
  );
}

function pixelOf(s: Shape, row: number, column: number, b: number): number {
  return u8[MODULE + (row * s.chips * s.runPixels + column) * s.pixel + b]!;
}

Deno.test("assembleModule() places every pixel, and writes nothing between and around the chips", () => {
  fc.assert(
    fc.property(shapes(1), (s) => {
      check(
        s,
        (to, run, gap, stride) =>
          kernels.assembleModule(to, MODULE, s.rows, s.chips, run, gap, stride),
        (row, column, b) => pixelOf(s, row, column, b),
      );
    }),
    { numRuns: 400 },
  );
});

Deno.test("assembleMirrored() mirrors the columns, and writes nothing between and around the chips", () => {
  fc.assert(
    fc.property(shapes(16), (s) => {
      check(
        s,
        (to, run, gap, stride) =>
          kernels.assembleMirrored(to, MODULE, s.rows, s.chips, run, gap, stride, s.pixel),
        (row, column, b) => pixelOf(s, row, s.chips * s.runPixels - 1 - column, b),
      );
    }),
    { numRuns: 300 },
  );
});

Deno.test("blankModule() zeroes every pixel of a module, and writes nothing between and around the chips", () => {
  fc.assert(
    fc.property(shapes(1), (s) => {
      check(
        s,
        (to, run, gap, stride) => kernels.blankModule(to, s.rows, s.chips, run, gap, stride),
        () => 0,
      );
    }),
    { numRuns: 200 },
  );
});

for (const pixel of [1, 2, 4]) {
  Deno.test(`assembleModule() places a half module of Eiger with ${pixel}-byte pixels either way up`, () => {
    for (const reversed of [false, true]) {
      const s: Shape = {
        pixel,
        rows: 256,
        chips: 2,
        runPixels: 256,
        gapPixels: 2,
        besides: 6,
        reversed,
        skew: 0,
        seed: pixel,
      };
      check(
        s,
        (to, run, gap, stride) => kernels.assembleModule(to, MODULE, 256, 2, run, gap, stride),
        (row, column, b) => pixelOf(s, row, column, b),
      );
    }
  });
}
