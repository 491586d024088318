import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type BinFactor,
  binImage,
  type BinMode,
  binnedImage,
  binWorkBytes,
  imageRegion,
  KERNEL_MEMORY_END,
  kernelMemory,
} from "./mod.ts";
import {
  anyImage,
  type Pixels,
  pixelsOf,
  putImage,
  takeImage,
  type TestImage,
  TestMemory,
} from "./_testing.ts";

const on = kernelMemory(new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true }));
const memory = new TestMemory(on);

/** Bins by the formula at the top of assembly/bin.ts. */
function binned(image: TestImage, factor: number, mode: BinMode): Pixels {
  const { pixel, pixels } = image;
  const width = Math.floor(image.width / factor), height = Math.floor(image.height / factor);
  const type = mode === "mean" || pixel === "float32" || pixel === "uint32"
    ? pixel
    : pixel === "uint8"
    ? "uint16"
    : "uint32";
  const output = pixelsOf(type, width * height);
  // Sums of 64 integers of 32 bits are exact in f64; f32 are rounded after every addition.
  const add = (a: number, b: number): number => pixel === "float32" ? Math.fround(a + b) : a + b;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sums = Array.from({ length: factor / 2 }, (_, pair) => {
        const rows = Array.from({ length: factor }, (_, row) => {
          const at = (y * factor + row) * image.width + x * factor + 2 * pair;
          return add(pixels[at]!, pixels[at + 1]!);
        });
        return rows.reduce(add);
      });
      while (sums.length > 1) {
        sums = Array.from(
          { length: sums.length / 2 },
          (_, i) => add(sums[2 * i]!, sums[2 * i + 1]!),
        );
      }
      const sum = sums[0]!, n = factor * factor;
      output[y * width + x] = pixel === "float32"
        ? mode === "mean" ? sum / n : sum
        : mode === "mean"
        ? Math.floor((sum + n / 2) / n)
        : Math.min(sum, 2 ** 32 - 1);
    }
  }
  return output;
}

const factors = fc.constantFrom<BinFactor>(2, 4, 8);
const modes = fc.constantFrom<BinMode>("sum", "mean");

Deno.test("binImage() makes sums and means by the formula, of any image", () => {
  fc.assert(
    fc.property(anyImage, factors, modes, (image, factor, mode) => {
      memory.reset();
      const from = putImage(memory, image);
      const { bytes } = imageRegion(binnedImage(from, { factor, mode, to: 0 }));
      const to = memory.room(bytes, image.skew).at;
      const work = memory.room(binWorkBytes(image.width)).at;
      const result = binImage(on, from, { factor, mode, to, work });
      memory.checkCanaries();
      assert.deepEqual(takeImage(on, from), image.pixels);
      assert.deepEqual([...takeImage(on, result)], [...binned(image, factor, mode)]);
    }),
    { numRuns: 600 },
  );
});

Deno.test("binImage() does not overflow: 64 of the largest pixels", () => {
  for (
    const [pixel, sum] of [
      ["uint8", 64 * 255],
      ["uint16", 64 * 65535],
      ["uint32", 2 ** 32 - 1],
    ] as const
  ) {
    memory.reset();
    const largest = pixelsOf(pixel, 64 * 7).fill(2 ** 32 - 1);
    const mask = new Uint8Array(64 * 7);
    const from = putImage(memory, { pixel, width: 56, height: 8, pixels: largest, mask, skew: 0 });
    const to = memory.room(4 * 7).at, work = memory.room(binWorkBytes(56)).at;
    const sums = binImage(on, from, { factor: 8, mode: "sum", to, work });
    assert.deepEqual([...takeImage(on, sums)], Array(7).fill(sum));
    const means = binImage(on, from, { factor: 8, mode: "mean", to, work });
    assert.deepEqual([...takeImage(on, means)], Array(7).fill(largest[0]));
  }
});

Deno.test("binImage() refuses other factors, and places that do not fit", () => {
  memory.reset();
  const image = { at: memory.room(800).at, width: 20, height: 20, pixel: "uint16" as const };
  const to = memory.room(400).at, work = memory.room(binWorkBytes(20)).at;
  const bin = (change: object): unknown =>
    binImage(on, image, { factor: 2, mode: "sum", to, work, ...change });
  assert.throws(() => bin({ factor: 3 }), { message: /Bins of 3 px: expected 2, 4 or 8/ });
  assert.throws(() => bin({ work: to + 10 }), {
    message: /binned image .* overlaps the work memory/,
  });
  assert.throws(() => bin({ to: 2 ** 20 - 10 }), { message: /binned image of 400 bytes/ });
});

Deno.test("binImage() is exact where the largest memory ends, and refuses what lies beyond", () => {
  const pages = 65_536;
  const largest = kernelMemory(
    new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }),
  );
  const image = { width: 64, height: 64, pixel: "uint8" as const };
  const [to, work] = [65_536, 2 * 65_536];
  const at = KERNEL_MEMORY_END - 64 * 64;
  new Uint8Array(largest.memory.buffer, at, 64 * 64).fill(1);
  const bin = (at: number): void => {
    binImage(largest, { ...image, at }, { factor: 2, mode: "sum", to, work });
  };
  bin(at);
  assert.ok(new Uint16Array(largest.memory.buffer, to, 32 * 32).every((sum) => sum === 4));
  assert.throws(() => bin(at + 1), /outside the memory/);
});
