import assert from "node:assert/strict";
import { missingCount, missingText, NOTHING_SEEN, see, type SeenImages } from "./missing_images.ts";

const seen = (...ids: number[]): SeenImages =>
  ids.map(BigInt).reduce<SeenImages>(see, NOTHING_SEEN);

Deno.test("missingText() names the ids between those that came", () => {
  assert.equal(missingText(seen()), "");
  assert.equal(missingText(seen(5)), "");
  assert.equal(missingText(seen(5, 6, 8, 9, 13)), "7, 10-12");
  assert.equal(missingCount(seen(5, 6, 8, 9, 13)), 4);
});

Deno.test("missingText() knows detectors that do not count by 1, once two neighbours came", () => {
  assert.equal(missingText(seen(100, 104, 112, 116)), "108");
  assert.equal(missingText(seen(100, 112, 116, 120)), "104-108");
  assert.equal(missingCount(seen(100, 112, 116, 120)), 2);
});

Deno.test("missingText() tells how many of the ids between one of several writers' images", () => {
  const of3 = (...ids: number[]): SeenImages =>
    ids.map(BigInt).reduce<SeenImages>(see, { ...NOTHING_SEEN, writers: 3n });
  assert.equal(missingText(of3(1, 4, 7, 10)), "");
  // All of these miss image 4, and each of them sees no more than that one is missing.
  assert.equal(missingText(of3(0, 3, 7, 10)), "1 of 4-6");
  assert.equal(missingText(of3(1, 5, 8)), "1 of 2-4");
  assert.equal(missingText(of3(2, 6)), "1 of 3-5");
  assert.equal(missingCount(of3(100, 400, 900, 1200)), 2, "counts by 100");
  const many = Array.from({ length: 300 }, (_, i) => 3 * i + (i % 2 === 0 ? i / 2 : (i + 1) / 2));
  assert.equal(missingCount(of3(...many)), 150);
});

Deno.test("missingText() sees no gap in a restart, nor in a very long jump", () => {
  assert.equal(missingText(seen(500, 501, 0, 1, 2)), "");
  assert.equal(missingText(seen(0, 1, 5_000_000, 5_000_001)), "");
});

Deno.test("missingText() has the ends of a range", () => {
  const range = { startImageId: 10n, stopImageId: 20n };
  assert.equal(missingText(seen(12, 13, 15, 18), range), "10-11, 14, 16-17, 19-20");
  assert.equal(missingCount(seen(12, 13, 15, 18), range), 7);
  assert.equal(missingText(seen(), range), "10-20");
  assert.equal(missingCount(seen(), range), 11);
  assert.equal(missingText(seen(10, 12, 14, 16, 18, 20), range), "");
  assert.equal(missingText(seen(10, 12, 14), { startImageId: 9n, stopImageId: 21n }), "16-20");
});

Deno.test("missingText() leaves out what is not there for another reason", () => {
  const lost = [{ from: 14n, to: 14n, count: 1n }, { from: 16n, to: 17n, count: 1n }];
  assert.equal(missingText(seen(12, 13, 15, 18), {}, lost), "1 of 16-17");
});

Deno.test("missingText() stays short, however much is missing", () => {
  const ids = Array.from({ length: 5000 }, (_, i) => i + Math.floor(i / 2) + 10 ** 15);
  const text = missingText(seen(...ids));
  assert.ok(text.length < 1100 && text.endsWith(", …"), text);
  assert.equal(missingCount(seen(...ids)), 2499);
});
