import assert from "node:assert/strict";
import { compare, type Figure, median, percentile, table, verdict } from "./_figure.ts";

const figure: Figure = {
  row: "write",
  name: "a figure",
  unit: "GB/s",
  ours: 1.9,
  theirs: 2,
  ratio: 0.95,
};

Deno.test("median() is the middle value, or the mean of the middle two", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

Deno.test("percentile() takes the value below which that share lies", () => {
  const values = Array.from({ length: 100 }, (_, i) => i);
  assert.equal(percentile(values, 0.5), 50);
  assert.equal(percentile(values, 0.99), 99);
  assert.equal(percentile([7], 0.99), 7);
});

Deno.test("compare() takes the median of the ratios of neighbours, not the ratio of the medians", () => {
  // A machine that grows slower in the middle: each pair agrees that ours is twice theirs.
  assert.deepEqual(compare([20, 2, 4], [10, 1, 2]), { ours: 4, theirs: 2, ratio: 2 });
});

Deno.test("verdict() compares ratio or value with what is asked, in the given sense", () => {
  const atLeast = { of: "ratio", sense: "at least", limit: 0.9 } as const;
  assert.equal(verdict(figure), "");
  assert.equal(verdict({ ...figure, floor: atLeast }), "ok");
  assert.equal(verdict({ ...figure, floor: { ...atLeast, limit: 0.96 } }), "short");
  assert.equal(verdict({ ...figure, floor: { ...atLeast, sense: "at most" } }), "short");
  assert.equal(verdict({ ...figure, floor: { ...atLeast, of: "value", limit: 1.9 } }), "ok");
});

Deno.test("verdict() of a figure that is no number is short where something is asked", () => {
  const floor = { of: "value", sense: "at least", limit: 200 } as const;
  assert.equal(verdict({ ...figure, ours: "180 with loss,", floor }), "short");
});

Deno.test("table() aligns its columns and says what was asked", () => {
  const floor = { of: "ratio", sense: "at least", limit: 0.9 } as const;
  const lines = table([{ ...figure, floor }, { ...figure, name: "another, longer name" }]).split(
    "\n",
  );
  assert.equal(new Set(lines.map((line) => line.length)).size, 1);
  assert.match(
    lines[2]!,
    /\| a figure +\| 1\.90 GB\/s +\| 2\.00 GB\/s +\| 0\.95 +\| ≥ 0\.9 × +\| ok/,
  );
});
