import assert from "node:assert/strict";
import { RingMismatchError } from "../ring/mod.ts";
import { TestFrameRing, uniqueRing } from "./_test_ring.ts";
import { DarkModule } from "./dark_module.ts";

const PIXELS = 64;

/** A frame of gain code `code` and level 2000 + n. */
function frame(n: number, code = 0): Uint16Array {
  return new Uint16Array(PIXELS).fill(code << 14 | 2000 + n);
}

function darkModule(ring: string, frames: number, settle = 0): DarkModule {
  return new DarkModule({ ring, pixels: PIXELS, frames, settle });
}

Deno.test("a DarkModule takes the frames published since it began, until it has enough", () => {
  using ring = new TestFrameRing(uniqueRing(), PIXELS);
  using module = darkModule(ring.name, 3);
  ring.publish(frame(900));
  module.begin(0);
  assert.equal(module.poll(16), false);
  for (let n = 0; n < 5; n++) ring.publish(frame(n));
  assert.equal(module.poll(2), true);
  assert.equal(module.frames, 2);
  assert.equal(module.poll(16), true);
  assert.ok(module.complete);
  assert.equal(module.poll(16), false);
  const { pedestal, imageIds } = module.finish();
  assert.deepEqual(imageIds, BigUint64Array.of(1n, 2n, 3n));
  assert.ok(pedestal.means.every((mean) => mean === 2001));
  assert.deepEqual(module.skipped, { incomplete: 0, overwritten: 0, otherGain: 0, settling: 0 });
});

Deno.test("a DarkModule begins a gain with the frames to come, not with those that it did not read", () => {
  using ring = new TestFrameRing(uniqueRing(), PIXELS);
  using module = darkModule(ring.name, 1);
  module.begin(0);
  ring.publish(frame(0));
  module.poll(16);
  assert.ok(module.complete);
  ring.publish(frame(100, 1)); // before the gain was settled
  module.begin(1);
  assert.equal(module.poll(16), false);
  const id = ring.publish(frame(200, 1));
  module.poll(16);
  const { pedestal, imageIds } = module.finish();
  assert.deepEqual([...imageIds], [id]);
  assert.equal(pedestal.means[0], 2200);
});

Deno.test("a DarkModule leaves out incomplete frames, other gains and those that settle, and counts them", () => {
  using ring = new TestFrameRing(uniqueRing(), PIXELS);
  using module = darkModule(ring.name, 3, 2);
  module.begin(1);
  ring.publish(frame(0, 0));
  ring.publish(frame(1, 1)); // settling
  ring.publish(frame(2, 3)); // not settled after all
  ring.publish(frame(3, 1)); // settling
  ring.publish(frame(4, 1), 5);
  ring.publish(frame(5, 1)); // settling
  const good = [6, 7, 8].map((n) => ring.publish(frame(n, 1)));
  module.poll(16);
  assert.deepEqual(module.skipped, { incomplete: 1, overwritten: 0, otherGain: 2, settling: 3 });
  const { pedestal, imageIds, firstNs, lastNs } = module.finish();
  assert.deepEqual([...imageIds], good);
  assert.deepEqual([firstNs, lastNs], [100n * good[0]!, 100n * good.at(-1)! + 50n]);
  assert.equal(pedestal.means[0], 2007);
});

Deno.test("a DarkModule counts the frames that were overwritten before it came to read them", () => {
  using ring = new TestFrameRing(uniqueRing(), PIXELS);
  using module = darkModule(ring.name, 1000);
  module.begin(0);
  for (let n = 0; n < 50; n++) ring.publish(frame(n));
  while (module.poll(16));
  assert.ok(module.skipped.overwritten >= 34);
  assert.equal(module.frames + module.skipped.overwritten, 50);
});

Deno.test("a DarkModule does not take a frame whose slot is being written again", () => {
  using ring = new TestFrameRing(uniqueRing(), PIXELS);
  using module = darkModule(ring.name, 1000);
  module.begin(0);
  const first = ring.publish(frame(1));
  ring.publish(frame(3));
  ring.writer.lockSlot(Number(first % 16n));
  while (module.poll(16));
  assert.deepEqual(module.skipped, { incomplete: 0, overwritten: 1, otherGain: 0, settling: 0 });
  assert.equal(module.finish().pedestal.means[0], 2003);
});

Deno.test("a DarkModule waits for its ring, and follows the one that replaces it", () => {
  const name = uniqueRing();
  using module = darkModule(name, 2);
  module.begin(0);
  assert.equal(module.attached, false);
  assert.equal(module.poll(16), false);
  for (const slots of [16, 32]) {
    using ring = new TestFrameRing(name, PIXELS, slots);
    assert.equal(module.poll(16), false);
    assert.ok(module.attached);
    ring.publish(frame(slots));
    assert.equal(module.poll(16), true);
  }
  assert.ok(module.complete);
  assert.equal(module.finish().pedestal.means[0], 2024);
});

Deno.test("a DarkModule refuses the ring of another detector", () => {
  using ring = new TestFrameRing(uniqueRing(), 2 * PIXELS);
  using module = darkModule(ring.name, 2);
  assert.throws(() => module.begin(0), RingMismatchError);
});
