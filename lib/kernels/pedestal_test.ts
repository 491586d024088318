import assert from "node:assert/strict";
import fc from "fast-check";
import { TestMemory } from "./_testing.ts";
import {
  accumulatePedestal,
  countGains,
  finishPedestal,
  type GainCode,
  kernelMemory,
  PEDESTAL_BATCH,
  PEDESTAL_MOST_FRAMES,
  type PedestalState,
} from "./mod.ts";

const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
const on = kernelMemory(memory);
const u8 = new Uint8Array(memory.buffer);
const view = new DataView(memory.buffer);

/** Places for arrays, zeroed, with canaries around each. */
class Places {
  readonly #places = new TestMemory(on);

  constructor(readonly skew: number) {}

  take(bytes: number): number {
    const { at } = this.#places.room(bytes, this.skew);
    u8.fill(0, at, at + bytes);
    return at;
  }

  takeState(pixels: number): PedestalState {
    return {
      sums: this.take(4 * pixels),
      squares: this.take(8 * pixels),
      wrong: this.take(4 * pixels),
      pixels,
    };
  }

  /** Frames, `stride` bytes from one to the next; returns where. */
  put(frames: readonly Uint16Array[], stride: number): number {
    const at = this.take((frames.length - 1) * stride + (frames[0]?.byteLength ?? 0));
    frames.forEach((frame, i) =>
      u8.set(new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength), at + i * stride)
    );
    return at;
  }

  checkCanaries(): void {
    this.#places.checkCanaries();
  }
}

/** The sums pixel by pixel, in whole numbers. */
function referenceSums(
  frames: readonly Uint16Array[],
  gain: GainCode,
  pixel: number,
): { sum: bigint; square: bigint; wrong: number } {
  let sum = 0n, square = 0n, wrong = 0;
  for (const frame of frames) {
    const charge = BigInt(frame[pixel]! & 0x3fff);
    if (frame[pixel]! >> 14 !== gain) wrong++;
    else {
      sum += charge;
      square += charge * charge;
    }
  }
  return { sum, square, wrong };
}

/** Mean and RMS by the formula on top of assembly/pedestal.ts. */
function referenceResult(sum: bigint, square: bigint, n: number): { mean: number; rms: number } {
  if (n === 0) return { mean: NaN, rms: NaN };
  const k = sum / BigInt(n);
  const s = Number(sum - BigInt(n) * k);
  const q = Number(square - 2n * k * sum + BigInt(n) * k * k);
  return { mean: Math.fround(Number(sum) / n), rms: Math.fround(Math.sqrt((q - s * s / n) / n)) };
}

const GAINS = [0, 1, 2, 3] as const;

/** What a pixel may be: anything, the extremes, or (mostly) the forced gain with some noise. */
function raws(gain: GainCode): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 2000, max: 3000 }).map((v) => gain << 14 | v) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 0x3fff, 0x4000, 0x7fff, 0x8000, 0xc000, 0xffff) },
    { weight: 1, arbitrary: fc.constantFrom(gain << 14, gain << 14 | 0x3fff) },
  );
}

const cases = fc.record({
  gain: fc.constantFrom(...GAINS),
  pixels: fc.integer({ min: 0, max: 70 }),
  batches: fc.array(fc.integer({ min: 1, max: PEDESTAL_BATCH }), { minLength: 1, maxLength: 3 }),
  skew: fc.integer({ min: 0, max: 15 }),
  gap: fc.integer({ min: 0, max: 40 }),
}).chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    frames: fc.tuple(
      ...shape.batches.map((count) =>
        fc.array(
          fc.array(raws(shape.gain), { minLength: shape.pixels, maxLength: shape.pixels }),
          { minLength: count, maxLength: count },
        )
      ),
    ),
  })
);

Deno.test("accumulatePedestal() sums charges and squares exactly, counts other gains, and writes nothing else", () => {
  fc.assert(
    fc.property(cases, ({ shape: { gain, pixels, skew, gap }, frames }) => {
      const places = new Places(skew);
      const state = places.takeState(pixels);
      const { sums, squares, wrong } = state;
      const all = frames.flat().map((pixels) => Uint16Array.from(pixels));
      for (const batch of frames) {
        const stride = Math.max(1, 2 * pixels + gap); // 0 is refused, also of frames without pixels
        const at = places.put(batch.map((pixels) => Uint16Array.from(pixels)), stride);
        accumulatePedestal(on, { at, stride, count: batch.length }, gain, state);
      }
      for (let i = 0; i < pixels; i++) {
        const expected = referenceSums(all, gain, i);
        assert.deepEqual({
          sum: BigInt(view.getUint32(sums + 4 * i, true)),
          square: view.getBigUint64(squares + 8 * i, true),
          wrong: view.getUint32(wrong + 4 * i, true),
        }, expected);
      }
      places.checkCanaries();
    }),
    { numRuns: 150 },
  );
});

Deno.test("finishPedestal() computes mean and RMS to the last bit, and writes nothing else", () => {
  const sums = fc.record({
    n: fc.oneof(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: PEDESTAL_MOST_FRAMES }),
    ),
    wrong: fc.integer({ min: 0, max: 20 }),
    values: fc.array(fc.integer({ min: 0, max: 0x3fff }), { minLength: 1, maxLength: 5 }),
  });
  fc.assert(
    fc.property(
      fc.array(sums, { maxLength: 20 }),
      fc.integer({ min: 0, max: 15 }),
      (list, skew) => {
        const pixels = list.length;
        const places = new Places(skew);
        const state = places.takeState(pixels);
        const { sums, squares, wrong } = state;
        const means = places.take(4 * pixels), noises = places.take(4 * pixels);
        const count = Math.min(PEDESTAL_MOST_FRAMES, Math.max(1, ...list.map(({ n }) => n)));
        const expected = list.map(({ wrong: bad, values }, i) => {
          // Values in turn, as many as there are good frames.
          const n = Math.max(0, count - bad);
          let sum = 0n, square = 0n;
          values.forEach((value, j) => {
            const times = BigInt(Math.floor((n + values.length - 1 - j) / values.length));
            sum += times * BigInt(value);
            square += times * BigInt(value) ** 2n;
          });
          view.setUint32(sums + 4 * i, Number(sum), true);
          view.setBigUint64(squares + 8 * i, square, true);
          view.setUint32(wrong + 4 * i, count - n, true);
          return referenceResult(sum, square, n);
        });
        finishPedestal(on, state, count, means, noises);
        expected.forEach(({ mean, rms }, i) => {
          assert.equal(view.getFloat32(means + 4 * i, true), mean);
          assert.equal(view.getFloat32(noises + 4 * i, true), rms);
        });
        places.checkCanaries();
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("a pedestal of 262 144 frames of the largest charge is exact", () => {
  const pixels = 9; // one step and one pixel more
  const places = new Places(0);
  const state = places.takeState(pixels);
  const { sums, squares } = state;
  const means = places.take(4 * pixels), noises = places.take(4 * pixels);
  const frame = new Uint16Array(pixels).fill(0xffff);
  const at = places.put(Array.from({ length: PEDESTAL_BATCH }, () => frame), 2 * pixels);
  const frames = { at, stride: 2 * pixels, count: PEDESTAL_BATCH };
  for (let n = 0; n < PEDESTAL_MOST_FRAMES; n += PEDESTAL_BATCH) {
    accumulatePedestal(on, frames, 3, state);
  }
  finishPedestal(on, state, PEDESTAL_MOST_FRAMES, means, noises);
  for (let i = 0; i < pixels; i++) {
    assert.equal(view.getUint32(sums + 4 * i, true), PEDESTAL_MOST_FRAMES * 0x3fff);
    assert.equal(
      view.getBigUint64(squares + 8 * i, true),
      BigInt(PEDESTAL_MOST_FRAMES) * 0x3fffn ** 2n,
    );
    assert.equal(view.getFloat32(means + 4 * i, true), 0x3fff);
    assert.equal(view.getFloat32(noises + 4 * i, true), 0);
  }
});

Deno.test("finishPedestal() finds a noise of one ADU on the highest pedestal", () => {
  const places = new Places(0);
  const state = places.takeState(1);
  const { sums, squares } = state;
  const means = places.take(4), noises = places.take(4);
  const half = PEDESTAL_MOST_FRAMES / 2;
  view.setUint32(sums, half * 16_381 + half * 16_383, true);
  view.setBigUint64(squares, BigInt(half) * (16_381n ** 2n + 16_383n ** 2n), true);
  finishPedestal(on, state, PEDESTAL_MOST_FRAMES, means, noises);
  assert.equal(view.getFloat32(means, true), 16_382);
  assert.equal(view.getFloat32(noises, true), 1);
});

Deno.test("countGains() counts every pixel once, by its code", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 100 }),
      fc.integer({ min: 0, max: 15 }),
      (pixels, skew) => {
        const places = new Places(skew);
        const counts = places.take(16);
        const at = places.put([Uint16Array.from(pixels)], 0);
        const expected = GAINS.map((code) => pixels.filter((raw) => raw >> 14 === code).length);
        assert.deepEqual(countGains(on, at, pixels.length, counts), expected);
        places.checkCanaries();
      },
    ),
  );
});

Deno.test("countGains() counts more pixels of one code than 16 bits can", () => {
  const pixels = 600_001;
  const places = new Places(0);
  const at = places.put([new Uint16Array(pixels).fill(0xffff)], 0);
  assert.deepEqual(countGains(on, at, pixels, places.take(16)), [0, 0, 0, pixels]);
});

const FRAMES = 65_536;
const OUTPUT = 2 ** 20;

for (
  const [what, call] of [
    ["no frames", (state) => accumulatePedestal(on, { at: FRAMES, stride: 8, count: 0 }, 0, state)],
    [
      "17 frames",
      (state) => accumulatePedestal(on, { at: FRAMES, stride: 8, count: 17 }, 0, state),
    ],
    [
      "frames past the memory",
      (state) => accumulatePedestal(on, { at: u8.length - 7, stride: 8, count: 1 }, 0, state),
    ],
    [
      "a frame that is none apart from the next one",
      (state) => accumulatePedestal(on, { at: FRAMES, stride: 0, count: 1 }, 0, state),
    ],
    [
      "frames over each other",
      (state) => accumulatePedestal(on, { at: FRAMES, stride: 6, count: 2 }, 0, state),
    ],
    [
      "sums past the memory",
      (state) =>
        accumulatePedestal(on, { at: FRAMES, stride: 8, count: 1 }, 0, {
          ...state,
          sums: u8.length - 15,
        }),
    ],
    [
      "half a pixel",
      (state) =>
        accumulatePedestal(on, { at: FRAMES, stride: 8, count: 1 }, 0, { ...state, pixels: 0.3 }),
    ],
    [
      "one and a half pixels",
      (state) =>
        accumulatePedestal(on, { at: FRAMES, stride: 8, count: 1 }, 0, { ...state, pixels: 1.5 }),
    ],
    [
      "a gain code of three bits",
      (state) => accumulatePedestal(on, { at: FRAMES, stride: 8, count: 1 }, 7 as 0, state),
    ],
    [
      "too many frames",
      (state) => finishPedestal(on, state, PEDESTAL_MOST_FRAMES + 1, OUTPUT, OUTPUT),
    ],
    ["means past the memory", (state) => finishPedestal(on, state, 1, u8.length - 15, OUTPUT)],
    ["a frame before the memory", () => countGains(on, -1, 4, OUTPUT)],
  ] as [string, (state: PedestalState) => void][]
) {
  Deno.test(`the pedestal kernels refuse ${what}`, () => {
    const state = { sums: OUTPUT, squares: OUTPUT + 64, wrong: OUTPUT + 128, pixels: 4 };
    assert.throws(() => call(state), RangeError);
  });
}
