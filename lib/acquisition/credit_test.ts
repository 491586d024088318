import assert from "node:assert/strict";
import { creditOf, ringShare } from "./credit.ts";

Deno.test("ringShare() divides half of the ring among the writers, and leaves each one image", () => {
  const shares = [[1000, 1], [1000, 3], [7, 2], [2, 3], [1, 1]].map(([slots, writers]) =>
    ringShare(slots!, writers!)
  );
  assert.deepEqual(shares, [500, 166, 1, 1, 1]);
});

Deno.test("creditOf() keeps a writer busy, within half of the ring and what a socket holds", () => {
  const credits = [
    [1000, 1, 1], // its share
    [100, 8, 12], // twice what it compresses at once
    [40, 8, 32], // half of the ring
    [200_000, 1, 1], // as many as a socket holds
    [1, 1, 1],
  ].map(([slots, writers, atOnce]) =>
    creditOf({ slots: slots!, writers: writers!, atOnce: atOnce! })
  );
  assert.deepEqual(credits, [500, 24, 20, 50_000, 1]);
});
