import fc from "fast-check";
import { Sandbox } from "./_sandbox.ts";

const sandbox = new Sandbox();

type Pixels = Uint8Array | Uint16Array | Uint32Array | Int16Array | Int32Array | Float32Array;

const MAKE = {
  1: (n: number): Pixels => new Uint8Array(n),
  2: (n: number): Pixels => new Uint16Array(n),
  4: (n: number): Pixels => new Uint32Array(n),
} as const;

function bytes(pixels: Pixels): Uint8Array {
  return new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
}

const line = fc.record({
  pixel: fc.constantFrom(1 as const, 2 as const, 4 as const),
  values: fc.array(fc.nat(2 ** 32 - 1), { minLength: 1, maxLength: 70 }),
  stretch: fc.constantFrom(0, 0, 1, 3, 7),
  forward: fc.boolean(),
  limit: fc.constantFrom(15, 255, 4095, 65_535, 2 ** 32 - 1),
  skew: fc.integer({ min: 0, max: 15 }),
});

/** An image of two rows: border pixels `1 + stretch` apart in one of them, gap pixels in the other. */
function rows(
  { values, stretch, forward }: { values: number[]; stretch: number; forward: boolean },
): { width: number; at: (i: number) => number; gap: (i: number) => number; every: number } {
  const every = 1 + stretch;
  const width = values.length * every;
  const border = forward ? 0 : width;
  return { width, every, at: (i) => border + i * every, gap: (i) => width - border + i * every };
}

Deno.test("shareCounts() halves every border pixel, keeps sums and saturation, writes nothing besides", () => {
  fc.assert(
    fc.property(line, ({ pixel, limit, skew, ...s }) => {
      const { width, every, at, gap } = rows(s);
      const before = MAKE[pixel](2 * width).fill(77);
      const top = Math.min(limit, 2 ** (8 * pixel) - 1);
      s.values.forEach((value, i) => before[at(i)] = i % 3 === 0 ? top : value);
      const after = before.slice();
      s.values.forEach((_, i) => {
        const value = before[at(i)]!;
        const half = value === top ? top : Math.floor(value / 2);
        after[gap(i)] = half;
        after[at(i)] = value === top ? top : value - half;
      });
      sandbox.check(new Uint8Array(0), [...bytes(after)], (_, to) => {
        const step = (s.forward ? width : -width) * pixel;
        const { kernels } = sandbox;
        const first = to + at(0) * pixel;
        kernels.shareCounts(first, s.values.length, every * pixel, step, pixel, top);
      }, { skew, before: bytes(before) });
    }),
    { numRuns: 400 },
  );
});

Deno.test("shareSigned() shares counts below 0 too, and leaves invalid ones invalid", () => {
  fc.assert(
    fc.property(line, fc.boolean(), ({ skew, ...s }, wide) => {
      const { width, every, at, gap } = rows(s);
      const pixel = wide ? 4 : 2;
      const invalid = wide ? -(2 ** 31) : -(2 ** 15);
      const before = wide ? new Int32Array(2 * width) : new Int16Array(2 * width);
      s.values.forEach((value, i) => before[at(i)] = i % 3 === 0 ? invalid : value);
      const after = before.slice();
      s.values.forEach((_, i) => {
        const value = before[at(i)]!;
        const half = value === invalid ? invalid : Math.floor(value / 2);
        after[gap(i)] = half;
        after[at(i)] = value === invalid ? invalid : value - half;
      });
      sandbox.check(new Uint8Array(0), [...bytes(after)], (_, to) => {
        const step = (s.forward ? width : -width) * pixel;
        const { kernels } = sandbox;
        const first = to + at(0) * pixel;
        kernels.shareSigned(first, s.values.length, every * pixel, step, pixel, invalid);
      }, { skew, before: bytes(before) });
    }),
    { numRuns: 200 },
  );
});

Deno.test("shareFloats() halves every border pixel, not a number where it is none", () => {
  fc.assert(
    fc.property(line, fc.array(fc.float()), ({ skew, ...s }, floats) => {
      const { width, every, at, gap } = rows(s);
      const before = new Float32Array(2 * width).fill(-1);
      s.values.forEach((value, i) => before[at(i)] = floats[i] ?? value);
      const after = before.slice();
      s.values.forEach((_, i) => after[gap(i)] = after[at(i)] = before[at(i)]! * 0.5);
      sandbox.check(new Uint8Array(0), [...bytes(after)], (_, to) => {
        const step = (s.forward ? width : -width) * 4;
        sandbox.kernels.shareFloats(to + at(0) * 4, s.values.length, every * 4, step);
      }, { skew, before: bytes(before) });
    }),
    { numRuns: 200 },
  );
});

Deno.test("setPixels() sets a line of pixels and nothing besides", () => {
  fc.assert(
    fc.property(line, ({ pixel, limit, skew, ...s }) => {
      const { width, every, at } = rows(s);
      const before = MAKE[pixel](2 * width).fill(9);
      const after = before.slice();
      s.values.forEach((_, i) => after[at(i)] = limit);
      sandbox.check(new Uint8Array(0), [...bytes(after)], (_, to) => {
        const { kernels } = sandbox;
        kernels.setPixels(to + at(0) * pixel, s.values.length, every * pixel, pixel, limit);
      }, { skew, before: bytes(before) });
    }),
    { numRuns: 200 },
  );
});
