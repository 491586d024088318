import assert from "node:assert/strict";
import { after } from "./_timer.ts";

Deno.test("after() calls back once, unless it is taken back", async () => {
  const called = Promise.withResolvers<void>();
  let taken = 0;
  const takeBack = after(0, () => taken++);
  takeBack();
  after(1, called.resolve);
  await called.promise;
  assert.equal(taken, 0);
});

Deno.test("after() of more than 24.8 days does not go off at once", async () => {
  let calls = 0;
  const takeBack = [30 * 24 * 3600 * 1000, Infinity].map((ms) => after(ms, () => calls++));
  const later = Promise.withResolvers<void>();
  after(5, later.resolve);
  await later.promise;
  for (const back of takeBack) back();
  assert.equal(calls, 0);
});
