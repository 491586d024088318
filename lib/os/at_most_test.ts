import assert from "node:assert/strict";
import { atMost } from "./at_most.ts";

Deno.test("atMost() tells whether something was done in time, and passes its failure on", async () => {
  assert.equal(await atMost(1_000, Promise.resolve()), true);
  assert.equal(await atMost(1_000, undefined), true);
  assert.equal(await atMost(1, new Promise(() => {})), false);
  await assert.rejects(atMost(1_000, Promise.reject(new Error("no"))), /no/);
  const late = Promise.withResolvers<void>();
  assert.equal(await atMost(1, late.promise), false);
  late.reject(new Error("nobody hears of it"));
});
