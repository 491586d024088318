import assert from "node:assert/strict";
import fc from "fast-check";
import { parseJson, stringifyJson } from "./mod.ts";

Deno.test("parseJson() reads integers past 2^53 exactly, and only those, as bigint", () => {
  assert.deepEqual(
    parseJson('{"id":1784000000123456789,"n":5,"x":1.5,"e":1e300,"neg":-9007199254740993}'),
    { id: 1784000000123456789n, n: 5, x: 1.5, e: 1e300, neg: -9007199254740993n },
  );
});

Deno.test("stringifyJson() writes bigint as integers", () => {
  assert.equal(
    stringifyJson({ id: 2n ** 64n - 1n, list: [0n] }),
    `{"id":${2n ** 64n - 1n},"list":[0]}`,
  );
});

Deno.test("parseJson() gives back what stringifyJson() wrote, big integers included", () => {
  const uint64 = fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n });
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.oneof(uint64, fc.integer())), (value) => {
    assert.deepEqual(
      Object.entries(Object(parseJson(stringifyJson(value)))),
      Object.entries(value),
    );
  }));
});
