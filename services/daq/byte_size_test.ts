import assert from "node:assert/strict";
import { parseByteSize } from "./byte_size.ts";

for (
  const [text, bytes] of [
    ["4G", 4 * 2 ** 30],
    ["512M", 2 ** 29],
    ["1.5GiB", 1.5 * 2 ** 30],
    ["8kb", 8192],
    ["1000000", 1_000_000],
  ] as const
) {
  Deno.test(`parseByteSize() reads ${text}`, () => assert.equal(parseByteSize(text), bytes));
}

for (const text of ["", "G", "-1G", "0", "4 X", "1e9", "0.1", "9999999T"]) {
  Deno.test(`parseByteSize() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseByteSize(text), /expected a size such as 4G/);
  });
}
