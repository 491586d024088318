import assert from "node:assert/strict";
import { lookup3 } from "./_lookup3.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

Deno.test("lookup3() gives the values of its author's driver5()", () => {
  assert.equal(lookup3(new Uint8Array()), 0xdeadbeef);
  assert.equal(lookup3(text("Four score and seven years ago")), 0x17770551);
});

Deno.test("lookup3() does not depend on where the bytes lie", () => {
  for (let length = 0; length < 40; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 37);
    const shifted = new Uint8Array(length + 3).subarray(3);
    shifted.set(bytes);
    assert.equal(lookup3(shifted), lookup3(bytes));
  }
});
