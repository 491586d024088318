import assert from "node:assert/strict";
import { IMAGE_RING_COUNTERS, type ImageRingCounter } from "../assemble/mod.ts";
import { FRAME_RING_COUNTERS, type FrameRingCounter } from "../receive/mod.ts";
import { RingWriter } from "../ring/mod.ts";
import { TRANSFORM_COUNTERS, transformCounterIndex } from "../transform/counters.ts";
import {
  entryOf,
  indexAtEveryStore,
  indexMemory,
  publishRange,
  ringLeftAs,
  TestName,
  tinyRing,
} from "../ring/_test_ring.ts";
import { accountingDifference, AccountingReader } from "./accounting.ts";
import { RingCounters } from "./ring_counters.ts";
import { TransformCountsReader } from "./transform_counts.ts";

function makeRing(
  name: string,
  counters: Record<string, number>,
  names: readonly string[],
): RingWriter {
  const writer = RingWriter.create(indexMemory(), tinyRing(name));
  for (const [counter, value] of Object.entries(counters)) {
    writer.index.setCounter(names.indexOf(counter), BigInt(value));
  }
  return writer;
}

function frames(name: string, counters: Partial<Record<FrameRingCounter, number>>): RingWriter {
  return makeRing(name, counters, FRAME_RING_COUNTERS);
}

function images(name: string, counters: Partial<Record<ImageRingCounter, number>>): RingWriter {
  return makeRing(name, counters, IMAGE_RING_COUNTERS);
}

Deno.test("read() sums the modules; sent is the sum of what arrived and what was lost", () => {
  using names = new DisposableStack();
  const [a, b, image] = [0, 1, 2].map(() => names.use(new TestName()).name) as [
    string,
    string,
    string,
  ];
  // Two modules of 8 packets, 10 images sent: 160 packets. Image 4 never came at all (16 packets), of
  // image 7 module b lost 3, one of which came late and one malformed; one frame was dropped.
  using _a = frames(a, { accepted: 72, duplicate: 2, frames_good: 9 });
  using _b = frames(b, {
    accepted: 69,
    late: 1,
    malformed: 4,
    foreign: 5,
    damaged: 1,
    frames_good: 8,
    frames_incomplete: 1,
    kernel_drops: 7,
  });
  using _i = images(image, {
    images_good: 7,
    images_incomplete: 2,
    images_skipped: 1,
    missing_packets: 3 + 8,
    dropped_packets: 8,
    restarts: 1,
    pixels_masked: 5,
    pixels_saturated: 6,
    pixels_invalid_gain: 7,
  });
  using reader = new AccountingReader({ frames: [a, b], image, packetsPerFrame: 8 });
  assert.deepEqual(reader.read(), {
    packets_received: 153n,
    packets_accepted: 141n,
    packets_duplicate: 2n,
    packets_late: 1n,
    packets_malformed: 4n,
    packets_foreign: 5n,
    packets_lost: 17n,
    packets_dropped: 8n,
    kernel_drops: 7n,
    frames_good: 17n,
    frames_incomplete: 1n,
    images_good: 7n,
    images_incomplete: 2n,
    images_skipped: 1n,
    restarts: 1n,
    pixels_masked: 5n,
    pixels_saturated: 6n,
    pixels_invalid_gain: 7n,
  });
  // 160 packets of this detector: accepted, late, the malformed one of a frame that missed it, lost.
  assert.equal(141n + 1n + 1n + 17n, 160n);
});

Deno.test("read() gives zeros while there are no rings", () => {
  using reader = new AccountingReader({
    frames: [`accounting-none-${Deno.pid}`],
    image: `accounting-none-${Deno.pid}`,
    packetsPerFrame: 8,
  });
  assert.ok(Object.values(reader.read()).every((value) => value === 0n));
});

Deno.test("RingCounters go on over the restart of a ring's writer", () => {
  using ring = new TestName();
  using counters = new RingCounters(ring.name, FRAME_RING_COUNTERS.length);
  const accepted = (): bigint => counters.read()[0]!;
  assert.equal(accepted(), 0n);
  {
    using writer = frames(ring.name, { accepted: 10 });
    publishRange(writer, 0, 3);
    assert.equal(accepted(), 10n);
    assert.equal(counters.head, 3n);
    assert.equal(counters.writer, Deno.pid);
    writer.index.addCounter(0, 5n); // just before the end
  }
  assert.equal(accepted(), 15n);
  assert.equal(counters.writer, 0);
  assert.equal(accepted(), 15n);
  using writer = frames(ring.name, { accepted: 2 });
  assert.equal(accepted(), 17n);
  writer.index.addCounter(0, 1n);
  assert.equal(accepted(), 18n);
});

Deno.test("RingCounters count an entry when it is published, whenever they are read", () => {
  using ring = new TestName();
  using writer = frames(ring.name, { accepted: 10 });
  const entry = entryOf(0n, writer.spec.slots);
  const states = indexAtEveryStore(ring.name, () => writer.publish(entry, [[0, 5n], [1, 1n]]));
  const seen = states.map((index) => {
    using left = ringLeftAs(writer.spec, index);
    using counters = new RingCounters(left.name, 2);
    const values = counters.read().join();
    return `${counters.head}: ${values}`;
  });
  assert.deepEqual([...new Set(seen)], ["0: 10,0", "1: 15,1"]);
});

Deno.test("an image ring that std_data_decompress makes is not taken for an assembler's", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  TRANSFORM_COUNTERS.forEach((name, i) =>
    writer.index.setCounter(transformCounterIndex(name), BigInt(i + 1))
  );
  using counts = new TransformCountsReader(ring.name);
  assert.deepEqual(
    Object.entries(counts.read()),
    TRANSFORM_COUNTERS.map((n, i) => [n, BigInt(i + 1)]),
  );
  using reader = new AccountingReader({ frames: [], image: ring.name, packetsPerFrame: 8 });
  assert.ok(Object.values(reader.read()).every((value) => value === 0n));
});

Deno.test("accountingDifference() is what happened in between, never negative", () => {
  using reader = new AccountingReader({
    frames: [`accounting-none-${Deno.pid}`],
    image: `accounting-none-${Deno.pid}`,
    packetsPerFrame: 1,
  });
  const none = reader.read();
  const before = { ...none, packets_accepted: 5n, packets_lost: 9n };
  const after = { ...none, packets_accepted: 12n, packets_lost: 8n, images_good: 3n };
  assert.deepEqual(accountingDifference(before, after), {
    ...none,
    packets_accepted: 7n,
    images_good: 3n,
  });
});
