import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { addressOf, copyFrom } from "./address.ts";

Deno.test("addressOf() of a view is its buffer's address plus its offset", () => {
  const buffer = new Uint8Array(4096);
  strictEqual(addressOf(buffer.subarray(100, 200)) - addressOf(buffer), 100n);
});

Deno.test("addressOf() accepts shared and unshared WebAssembly memory", () => {
  for (const shared of [false, true]) {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared });
    const bytes = new Uint8Array(memory.buffer);
    const base = addressOf(bytes);
    strictEqual(base % 65536n, 0n);
    bytes.set([1, 2, 3, 4], 70_000);
    const copy = new Uint8Array(4);
    copyFrom(base + 70_000n, copy);
    deepStrictEqual([...copy], [1, 2, 3, 4]);
  }
});
