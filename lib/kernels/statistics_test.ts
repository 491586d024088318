import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Histogram,
  histogramBytes,
  imageHistogram,
  type ImagePixel,
  imageStatistics,
  kernelMemory,
  percentiles,
  STATISTICS_BYTES,
} from "./mod.ts";
import { anyImage, pixelsOf, putImage, type TestImage, TestMemory } from "./_testing.ts";

const on = kernelMemory(new WebAssembly.Memory({ initial: 32, maximum: 32, shared: true }));
const memory = new TestMemory(on);

/** The values of the valid pixels. */
function validOf({ pixels, mask }: TestImage, masked: boolean): number[] {
  return [...pixels].filter((value, i) => !Number.isNaN(value) && !(masked && mask[i]));
}

/** Minimum, maximum, and the sum: of integers exactly. */
function expectedOf(values: number[]): { min: number; max: number; sum: number; size: number } {
  let min = Infinity, max = -Infinity, sum = 0, size = 0;
  for (const value of values) {
    min = Math.min(min, value), max = Math.max(max, value);
    sum += value;
    size += Math.abs(value);
  }
  return { min, max, sum, size };
}

Deno.test("imageStatistics() finds minimum, maximum and mean of the valid pixels", () => {
  fc.assert(
    fc.property(anyImage, fc.boolean(), (image, masked) => {
      memory.reset();
      const at = putImage(memory, image);
      const result = memory.room(STATISTICS_BYTES).at;
      const mask = memory.put(image.mask, image.skew).at;
      const found = imageStatistics(on, at, result, masked ? mask : undefined);
      memory.checkCanaries();
      const valid = validOf(image, masked);
      assert.equal(found.valid, valid.length);
      if (valid.length === 0) {
        assert.deepEqual(found, { valid: 0, min: NaN, max: NaN, mean: NaN });
        return;
      }
      const { min, max, sum, size } = expectedOf(valid);
      assert.deepEqual([found.min, found.max], [min, max]);
      const mean = sum / valid.length;
      if (image.pixel !== "float32" || !Number.isFinite(size)) assert.deepEqual(found.mean, mean);
      // f32 are added in another order than here.
      else assert.ok(Math.abs(found.mean - mean) <= 1e-12 * size, `${found.mean}, not ${mean}`);
    }),
    { numRuns: 500 },
  );
});

Deno.test("imageStatistics() adds the largest pixels of large images without overflow", () => {
  const n = 1_500_000;
  for (const pixel of ["uint8", "uint16"] as const) {
    const large = kernelMemory(new WebAssembly.Memory({ initial: 60, maximum: 60, shared: true }));
    new Uint8Array(large.memory.buffer).fill(255);
    const image = { at: 65536, width: n, height: 1, pixel };
    const largest = pixel === "uint8" ? 255 : 65535;
    assert.deepEqual(imageStatistics(large, image, 1024), {
      valid: n,
      min: largest,
      max: largest,
      mean: largest,
    });
  }
});

/** Bins by the formula at the top of assembly/histogram.ts. */
function histogramOf(
  image: TestImage,
  masked: boolean,
  { low, binWidth, bins }: { low: number; binWidth: number; bins: number },
): Histogram {
  const result = { low, binWidth, counts: new Uint32Array(bins), below: 0, above: 0, invalid: 0 };
  const f32 = Math.fround;
  image.pixels.forEach((value, i) => {
    const bin = image.pixel === "float32"
      ? f32(f32(value - f32(low)) * f32(1 / binWidth))
      : (value - low) / binWidth;
    if (Number.isNaN(value) || (masked && image.mask[i])) result.invalid++;
    else if (value < (image.pixel === "float32" ? f32(low) : low)) result.below++;
    else if (bin >= bins) result.above++;
    else result.counts[Math.floor(bin)]! += 1;
  });
  return result;
}

const binning = fc.record({
  low: fc.constantFrom(0, 1, 3, 200, 65000, 2 ** 31),
  binWidth: fc.constantFrom(1, 2, 16, 256, 2 ** 24, 2 ** 31),
  bins: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.constantFrom(100, 256, 5000)),
  factor: fc.constantFrom(1, 0.1, 1.7),
});

Deno.test("imageHistogram() counts every pixel once, by the formula", () => {
  fc.assert(
    fc.property(anyImage, fc.boolean(), binning, (image, masked, { factor, ...where }) => {
      memory.reset();
      const float = image.pixel === "float32";
      const options = float
        ? { ...where, low: -factor * where.low, binWidth: factor * where.binWidth }
        : where;
      const at = putImage(memory, image);
      const counts = memory.room(histogramBytes(options.bins)).at;
      const mask = memory.put(image.mask, image.skew).at;
      const found = imageHistogram(on, at, { ...options, counts, ...(masked ? { mask } : {}) });
      memory.checkCanaries();
      assert.deepEqual(found, histogramOf(image, masked, options));
      const sum = found.counts.reduce((a, b) => a + b, found.below + found.above + found.invalid);
      assert.equal(sum, image.width * image.height);
    }),
    { numRuns: 400 },
  );
});

function histogramFrom(pixel: ImagePixel, values: number[], bins: number, binWidth = 1): Histogram {
  memory.reset();
  const pixels = pixelsOf(pixel, values.length);
  pixels.set(values);
  const mask = new Uint8Array(values.length);
  const at = putImage(memory, { pixel, width: values.length, height: 1, pixels, mask, skew: 0 });
  const counts = memory.room(histogramBytes(bins)).at;
  return imageHistogram(on, at, { low: 0, binWidth, bins, counts });
}

Deno.test("percentiles() of bins of one integer are those of the sorted pixels", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const values = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(values, fc.array(share), (values, shares) => {
      const sorted = [...values].sort((a, b) => a - b);
      assert.deepEqual(
        percentiles(histogramFrom("uint16", values, 100), shares),
        shares.map((share) => sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1]),
      );
    }),
    { numRuns: 100 },
  );
});

Deno.test("percentiles() says where a bin begins, and what lies outside the bins", () => {
  const histogram = histogramFrom("float32", [-5, 0.5, 1.5, 1.9, 7, 100], 4, 0.5);
  assert.deepEqual(
    percentiles(histogram, [0, 1 / 6, 2 / 6, 0.5, 4 / 6, 5 / 6, 1]),
    [-Infinity, -Infinity, 0.5, 1.5, 1.5, Infinity, Infinity],
  );
  assert.deepEqual(percentiles(histogramFrom("uint8", [], 4), [0.5]), [NaN]);
  assert.throws(() => percentiles(histogram, [1.01]), { name: "RangeError" });
});

Deno.test("statistics refuse a mask at address 0, which kernels take for none", () => {
  memory.reset();
  const image = { at: memory.room(100).at, width: 10, height: 10, pixel: "uint8" as const };
  const room = memory.room(histogramBytes(10)).at;
  const refused = { name: "RangeError", message: /mask begins at address 0/ };
  assert.throws(() => imageStatistics(on, image, room, 0), refused);
  const bins = { low: 0, binWidth: 1, bins: 10, counts: room };
  assert.throws(() => imageHistogram(on, image, { ...bins, mask: 0 }), refused);
});

Deno.test("imageHistogram() refuses bins that it cannot count", () => {
  memory.reset();
  const image = { at: memory.room(100).at, width: 10, height: 5, pixel: "uint16" as const };
  const good = { low: 0, binWidth: 1, bins: 10, counts: memory.room(histogramBytes(10)).at };
  const refuse = (change: object, pixel: ImagePixel, message: RegExp): void =>
    assert.throws(() => imageHistogram(on, { ...image, pixel }, { ...good, ...change }), {
      name: "RangeError",
      message,
    });
  refuse({ bins: 0 }, "uint16", /histogram of 0 bins: expected 1 to 65536/);
  refuse({ bins: 65537 }, "uint16", /65537 bins/);
  refuse({ binWidth: 3 }, "uint16", /Bins of 3 from 0 on: expected a power of two/);
  refuse({ low: -1 }, "uint16", /from -1 on/);
  refuse({ low: NaN }, "float32", /finite numbers/);
  refuse({ binWidth: 0 }, "float32", /finite numbers/);
  refuse({ binWidth: 1e-40 }, "float32", /finite numbers/);
  refuse({ counts: image.at }, "uint8", /counts .* overlaps the image/);
});
