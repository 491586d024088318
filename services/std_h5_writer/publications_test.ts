import assert from "node:assert/strict";
import { Publications, PUBLISH_EVERY_NS } from "./publications.ts";

const MS = 1_000_000n;

/** Waits for actions as the writer does, and publishes; when each one began, ms. */
function follow(everyMs: number, takesMs: number, until: number): number[] {
  let now = 0n;
  const begun: number[] = [];
  const publications = new Publications(BigInt(everyMs) * MS, () => now);
  while (now < BigInt(until) * MS) {
    const began = now;
    publications.runIfDue(() => {
      begun.push(Number(now / MS));
      now += BigInt(takesMs) * MS;
    });
    // No action comes; whoever waits for nothing would never end.
    now += BigInt(Math.ceil(publications.waitMs)) * MS;
    if (now === began) now += MS;
  }
  return begun;
}

Deno.test("publications keep their period, whatever they take and however the wait for actions falls", () => {
  assert.deepEqual(follow(900, 0, 3000), [900, 1800, 2700]);
  assert.deepEqual(follow(900, 30, 3000), [900, 1800, 2700]);
});

Deno.test("a publication that is late is made up for", () => {
  let now = 0n;
  const publications = new Publications(900n * MS, () => now);
  now = 1000n * MS; // an action took so long
  assert.ok(publications.runIfDue(() => {}));
  now = 1799n * MS;
  assert.ok(!publications.runIfDue(() => {}));
  assert.ok(publications.waitMs <= 1);
  now = 1800n * MS;
  assert.ok(publications.runIfDue(() => {}));
});

Deno.test("publications that take long leave as much time for images, up to a period", () => {
  assert.deepEqual(follow(900, 600, 4000), [900, 2100, 3300]);
  assert.deepEqual(follow(900, 3000, 9000), [900, 4800, 8700]);
});

Deno.test("images become visible within a second, by what publications leave of it", () => {
  assert.ok(PUBLISH_EVERY_NS <= 950n * MS);
});
