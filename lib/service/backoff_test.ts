import assert from "node:assert/strict";
import fc from "fast-check";
import { Backoff } from "./backoff.ts";

Deno.test("Backoff.next() doubles up to the limit and starts afresh after a healthy run", () => {
  const backoff = new Backoff();
  const waits = [0, 0, 0, 9_999, 0, 0, 0, 0].map((healthy) => backoff.next(healthy));
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  assert.equal(backoff.next(10_000), 100);
  assert.equal(backoff.next(0), 200);
});

Deno.test("Backoff.next() stays within its limits for any history", () => {
  fc.assert(fc.property(fc.array(fc.nat(20_000)), (history) => {
    const backoff = new Backoff({ firstMs: 7, maxMs: 100 });
    for (const healthy of history) {
      const wait = backoff.next(healthy);
      assert.ok(wait >= 7 && wait <= 100);
    }
  }));
});
