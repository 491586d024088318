import assert from "node:assert/strict";
import type { StagePedestal } from "./pedestal_accumulator.ts";
import {
  DEFAULT_PEDESTAL_LIMITS,
  makePedestalMask,
  type PedestalLimits,
  PIXEL_MASK_BITS,
} from "./pedestal_mask.ts";

const PIXELS = 10;
const FRAMES = 100;
const { dead, noisy, wrongGain } = PIXEL_MASK_BITS;

/** Pedestals of good pixels, with changes by pixel. */
function stage(
  mean: number,
  changes: Record<number, { mean?: number; rms?: number; wrong?: number }> = {},
): StagePedestal {
  const values = (name: "mean" | "rms" | "wrong", usual: number): number[] =>
    Array.from({ length: PIXELS }, (_, i) => changes[i]?.[name] ?? usual);
  return {
    means: Float32Array.from(values("mean", mean)),
    noises: Float32Array.from(values("rms", 4)),
    wrong: Uint32Array.from(values("wrong", 0)),
    frames: FRAMES,
  };
}

const GOOD = [stage(2800), stage(15_000), stage(14_500)];

Deno.test("makePedestalMask() masks nothing of a good module", () => {
  assert.deepEqual(makePedestalMask(GOOD), {
    mask: new Uint32Array(PIXELS),
    reasons: { dead: 0, noisy: 0, wrongGain: 0 },
    masked: 0,
    medianNoises: [4, 4, 4],
  });
});

Deno.test("makePedestalMask() marks dead, noisy and wrong pixels of any gain, each for all its reasons", () => {
  const { mask, reasons, masked } = makePedestalMask([
    stage(2800, { 0: { rms: 0 }, 1: { mean: 499 }, 2: { mean: 500 }, 3: { rms: 20.1 } }),
    stage(15_000, { 3: { wrong: 2 }, 4: { rms: 20 }, 5: { wrong: 1 }, 6: { mean: 16_301 } }),
    stage(14_500, { 7: { mean: NaN, rms: NaN, wrong: 100 }, 8: { rms: 30 } }),
  ]);
  assert.deepEqual([...mask], [
    dead,
    dead,
    0, // at the limit
    noisy | wrongGain,
    0, // 5 times the median: at the limit
    0, // one frame of a hundred: at the limit
    dead,
    wrongGain, // it never had the gain: neither dead nor noisy
    noisy,
    0,
  ]);
  assert.deepEqual(reasons, { dead: 3, noisy: 2, wrongGain: 2 });
  assert.equal(masked, 6);
});

Deno.test("makePedestalMask() goes by the limits it is given", () => {
  const limits: PedestalLimits = {
    ranges: [[2700, 2900], [0, 20_000], [14_600, 15_000]],
    noise: 2,
    wrongGain: 0.5,
  };
  const stages = [
    stage(2800, { 0: { mean: 2901 } }),
    stage(15_000, { 1: { rms: 9 }, 2: { wrong: 50 }, 3: { wrong: 51 } }),
    stage(14_700, { 4: { mean: 14_500 } }),
  ];
  const { mask } = makePedestalMask(stages, limits);
  assert.deepEqual([...mask], [dead, noisy, 0, wrongGain, dead, 0, 0, 0, 0, 0]);
});

for (
  const [what, change, message] of [
    ["a range upside down", { ranges: [[2, 1], [0, 1], [0, 1]] }, /G0 from 2 to 1 ADU/],
    ["a noise limit that masks half of the pixels", { noise: 1 }, /give more than 1/],
    ["a share above 1", { wrongGain: 1.5 }, /give 0 to below 1/],
    ["a limit that is no number", { noise: NaN }, /NaN × the median/],
  ] as [string, Partial<PedestalLimits>, RegExp][]
) {
  Deno.test(`makePedestalMask() refuses ${what}`, () => {
    const limits = { ...DEFAULT_PEDESTAL_LIMITS, ...change };
    assert.throws(() => makePedestalMask(GOOD, limits), (error) => {
      assert.ok(error instanceof RangeError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("makePedestalMask() refuses pedestals of two gains only", () => {
  assert.throws(() => makePedestalMask(GOOD.slice(1)), /G0, G1 and G2, of the same pixels/);
});
