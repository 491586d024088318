import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addRange,
  idCount,
  type IdSet,
  NO_IDS,
  rangesText,
  wholeRange,
  withoutRanges,
} from "./id_ranges.ts";

const setOf = (ids: readonly number[], step = 1n): IdSet =>
  ids.reduce((set, id) => addRange(set, wholeRange(BigInt(id), BigInt(id), step), step), NO_IDS);

Deno.test("addRange() joins neighbours, in whatever order they come", () => {
  const shuffled = fc.uniqueArray(fc.nat(60), { maxLength: 60 });
  fc.assert(fc.property(shuffled, (ids) => {
    const { ranges, hasMore } = setOf(ids);
    const listed = ranges.flatMap(({ from, to }) =>
      Array.from({ length: Number(to - from) + 1 }, (_, i) => Number(from) + i)
    );
    assert.deepEqual(listed, ids.toSorted((a, b) => a - b));
    assert.ok(ranges.every(({ from }, i) => i === 0 || ranges[i - 1]!.to + 1n < from));
    assert.equal(hasMore, false);
  }));
  assert.equal(rangesText(setOf([104, 100, 112, 108], 4n).ranges, 4n), "100-112");
});

Deno.test("withoutRanges() leaves what is in the first alone", () => {
  const some = fc.uniqueArray(fc.nat(40), { maxLength: 40 });
  fc.assert(fc.property(some, some, (ids, taken) => {
    const rest = withoutRanges(setOf(ids).ranges, setOf(taken).ranges, 1n);
    const left = ids.filter((id) => !taken.includes(id));
    assert.equal(rangesText(rest, 1n), rangesText(setOf(left).ranges, 1n));
    assert.equal(Number(idCount(rest)), left.length);
  }));
});

Deno.test("rangesText() says how many of a range it is where they are not known one by one", () => {
  const some = { from: 20n, to: 29n, count: 3n };
  assert.equal(rangesText([wholeRange(5n, 7n, 1n), some], 1n), "5-7, 3 of 20-29");
  const rest = withoutRanges([wholeRange(10n, 40n, 1n)], [some], 1n);
  assert.equal(rangesText(rest, 1n), "28 of 10-40");
});

Deno.test("a set of ids stays small, and says that there are more", () => {
  const { ranges, hasMore } = setOf(Array.from({ length: 1000 }, (_, i) => 2 * i));
  assert.deepEqual([ranges.length, hasMore], [100, true]);
  assert.match(rangesText(ranges, 1n, hasMore), /^0, 2, .*, …$/);
});
