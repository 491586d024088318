import assert from "node:assert/strict";
import { File } from "../os/mod.ts";
import { dataBytes, dataPath, indexPath, RingMismatchError, RingWriter } from "../ring/mod.ts";
import {
  entryOf,
  indexMemory,
  publishRange,
  RingProcess,
  TestName,
  tinyRing,
} from "../ring/_test_ring.ts";
import { ModuleSource, type PublishedImage, type SourceFrame } from "./module_source.ts";

/** A source of a ring of 16 slots, with a clock. */
class Bench implements Disposable {
  readonly source: ModuleSource;
  attachments = 0;
  #now = 1_000_000_000n;

  constructor(name: string, resumeAfter?: PublishedImage) {
    this.source = new ModuleSource({
      name,
      slotBytes: 64,
      slots: 16,
      memory: indexMemory(),
      resumeAfter,
      onAttach: () => void this.attachments++,
    });
  }

  /** Lets time pass, so that a ring is looked for again. */
  wait(): void {
    this.#now += 1_000_000_000n;
  }

  next(): SourceFrame | undefined {
    return this.source.next(this.#now);
  }

  offer(imageId: bigint, missing = 0): void {
    this.source.offer(imageId, missing, new Uint8Array(64).fill(7), this.#now);
  }

  /** All frames that are there: ids, with `!` where the stream started anew. */
  all(): string {
    const told = [];
    for (let frame = this.next(); frame !== undefined; frame = this.next()) {
      told.push(`${frame.imageId}${frame.restarted ? "!" : ""}`);
    }
    return told.join(" ");
  }

  [Symbol.dispose](): void {
    this.source[Symbol.dispose]();
  }
}

/** An image of frames as `entryOf` makes them. */
function image(imageId: bigint): PublishedImage {
  return { imageId, firstNs: imageId + 1n, completeNs: imageId + 2n, frameIndex: imageId + 3n };
}

function makeRing(name: string): RingWriter {
  return RingWriter.create(indexMemory(), tinyRing(name));
}

Deno.test("next() gives all that a frame's record says", () => {
  using ring = new TestName();
  using writer = makeRing(ring.name);
  using bench = new Bench(ring.name);
  assert.equal(bench.next(), undefined);
  writer.publish(
    entryOf(20n, 16, { missingPackets: 3, damagedPackets: 2, metadata: Uint8Array.of(9) }),
  );
  const frame = bench.next();
  assert.deepEqual({ ...frame, slotLock: 0n }, {
    entry: 0n,
    imageId: 20n,
    slot: 4,
    slotLock: 0n,
    missingPackets: 3,
    damagedPackets: 2,
    firstNs: 21n,
    completeNs: 22n,
    frameIndex: 23n,
    restarted: false,
    message: Uint8Array.of(9),
  });
});

Deno.test("a source gives no frames from before it began, of a ring that was there", () => {
  using ring = new TestName();
  using writer = makeRing(ring.name);
  publishRange(writer, 0, 5);
  using bench = new Bench(ring.name);
  assert.equal(bench.all(), "");
  publishRange(writer, 5, 7);
  assert.equal(bench.all(), "5 6");
});

Deno.test("a source gives every frame of a ring that appears after it", () => {
  using ring = new TestName();
  using bench = new Bench(ring.name);
  assert.equal(bench.all(), "");
  assert.equal(bench.source.attached, false);
  using writer = makeRing(ring.name);
  publishRange(writer, 0, 4);
  assert.equal(bench.all(), "", "it looks again after a while only");
  bench.wait();
  assert.equal(bench.all(), "0 1 2 3");
  assert.equal(bench.attachments, 1);
  assert.ok(bench.source.indexed);
});

Deno.test("a source goes on with the ring of a receiver that ended and came again", () => {
  using ring = new TestName();
  using bench = new Bench(ring.name);
  bench.next();
  {
    using writer = makeRing(ring.name);
    publishRange(writer, 0, 3);
    bench.wait();
    assert.equal(bench.all(), "0 1 2");
    publishRange(writer, 3, 5);
  }
  assert.equal(bench.all(), "3 4", "what was published before the end");
  assert.equal(bench.source.attached, false);
  using writer = makeRing(ring.name);
  publishRange(writer, 9, 11);
  bench.wait();
  assert.equal(bench.all(), "9! 10");
  assert.equal(bench.attachments, 2);
});

Deno.test("a source follows a ring that is taken over after its writer was killed", async () => {
  using ring = new TestName();
  await using process = new RingProcess("write", ring.name, 3);
  await process.answer();
  using bench = new Bench(ring.name, image(-1n));
  assert.equal(bench.all(), "0 1 2");
  await process.kill();
  assert.equal(bench.all(), "");
  using writer = makeRing(ring.name);
  assert.ok(writer.takenOver);
  publishRange(writer, 3, 5);
  assert.equal(bench.all(), "3! 4");
  assert.equal(bench.attachments, 1, "it is the same ring");
});

Deno.test("a source tells of a restart of the detector's counter", () => {
  using ring = new TestName();
  using writer = makeRing(ring.name);
  using bench = new Bench(ring.name);
  bench.next();
  publishRange(writer, 7, 9);
  for (const id of [1n, 2n]) writer.publish(entryOf(id, 16, { epoch: 2 }));
  assert.equal(bench.all(), "7 8 1! 2");
});

Deno.test("takeOverruns() counts frames that were overwritten unread, once", () => {
  using ring = new TestName();
  using bench = new Bench(ring.name);
  bench.next();
  {
    using writer = makeRing(ring.name);
    publishRange(writer, 0, 1);
    bench.wait();
    assert.equal(bench.all(), "0");
    publishRange(writer, 1, 41);
    const read = BigInt(bench.all().split(" ").length);
    const overruns = bench.source.takeOverruns();
    assert.equal(read + overruns, 40n);
    assert.equal(bench.source.takeOverruns(), 0n);
  }
  bench.next();
  assert.equal(bench.source.takeOverruns(), 0n);
});

Deno.test("isIntact() says no once the frame's slot is written again", () => {
  using ring = new TestName();
  using writer = makeRing(ring.name);
  using bench = new Bench(ring.name);
  bench.next();
  publishRange(writer, 0, 1);
  const frame = bench.next()!;
  assert.ok(bench.source.isIntact(frame));
  writer.lockSlot(0);
  assert.ok(!bench.source.isIntact(frame));
});

Deno.test("a source that resumes skips what a former assembler has used, and nothing else", () => {
  using ring = new TestName();
  using writer = makeRing(ring.name);
  publishRange(writer, 0, 6);
  using bench = new Bench(ring.name, image(3n));
  assert.equal(bench.all(), "4 5");
});

for (
  const [what, epochs, last, expected] of [
    ["larger ids before it", [[100, 101], [0, 1, 2, 3, 4, 5]], [3, 1], "4 5"],
    ["it as the first of a count", [[0, 100], [0, 1, 2]], [0, 1], "1 2"],
    ["a count anew behind it", [[7, 8], [0, 1, 8, 9]], [8, 0], "0! 1 8 9"],
    ["both", [[50], [7, 8], [0, 100]], [8, 1], "0! 100"],
    ["nothing behind it", [[50], [7, 8]], [8, 1], ""],
  ] as const
) {
  Deno.test(`a source that resumes goes on behind the last image: ${what}`, () => {
    using ring = new TestName();
    using writer = makeRing(ring.name);
    let resumeAfter: PublishedImage | undefined;
    let now = 1000n;
    for (const [epoch, ids] of epochs.entries()) {
      for (const id of ids) {
        const times = { firstNs: now++, completeNs: now };
        const entry = entryOf(BigInt(id), writer.spec.slots, { epoch: 1 + epoch, ...times });
        writer.lockSlot(entry.slot);
        writer.publish(entry);
        if (id === last[0] && epoch === last[1]) resumeAfter = entry;
      }
    }
    using bench = new Bench(ring.name, resumeAfter);
    assert.equal(bench.all(), expected);
    assert.equal(bench.source.takeOverruns(), 0n);
  });
}

Deno.test("a source that resumes too late counts what was overwritten meanwhile", () => {
  using ring = new TestName();
  using writer = makeRing(ring.name);
  publishRange(writer, 0, 40);
  using bench = new Bench(ring.name, image(3n));
  assert.equal(bench.all(), "24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39");
  assert.equal(bench.source.takeOverruns(), 20n);
});

Deno.test("a source goes on where one before it left off, once", () => {
  using ring = new TestName();
  using writer = makeRing(ring.name);
  {
    using former = new Bench(ring.name);
    former.next();
    publishRange(writer, 0, 6);
    assert.equal(former.all(), "0 1 2 3 4 5");
    former.source.leaveOff(4n, 6n);
  }
  publishRange(writer, 6, 8);
  {
    using next = new Bench(ring.name);
    assert.equal(next.all(), "4 5 6 7");
    assert.equal(next.source.leftFrame, 6n);
    assert.equal(next.source.takeOverruns(), 0n);
  }
  using another = new Bench(ring.name);
  assert.equal(another.all(), "");
  assert.equal(another.source.leftFrame, undefined);
});

Deno.test("a source that goes on too late counts what was overwritten meanwhile", () => {
  using ring = new TestName();
  using writer = makeRing(ring.name);
  {
    using former = new Bench(ring.name);
    former.next();
    publishRange(writer, 0, 6);
    former.all();
    former.source.leaveOff(undefined, 8n);
  }
  publishRange(writer, 6, 46);
  using bench = new Bench(ring.name);
  const read = BigInt(bench.all().split(" ").length);
  assert.equal(read + bench.source.takeOverruns(), 40n);
});

Deno.test("a source that resumes skips nothing of a ring that is newer than it", () => {
  using ring = new TestName();
  using bench = new Bench(ring.name, image(1000n));
  bench.next();
  using writer = makeRing(ring.name);
  publishRange(writer, 0, 2);
  bench.wait();
  assert.equal(bench.all(), "0 1");
});

Deno.test("a ring with other slots than the assembler was told of is an error that says so", () => {
  using ring = new TestName();
  using _ = RingWriter.create(indexMemory(), tinyRing(ring.name, { slots: 32 }));
  using bench = new Bench(ring.name);
  assert.throws(() => bench.next(), (error) => {
    assert.ok(error instanceof RingMismatchError);
    assert.match(error.message, /slots is 32, .* told 16.*--frame-slots/);
    return true;
  });
});

Deno.test("a receiver without an index is followed by its messages", () => {
  using ring = new TestName();
  using bench = new Bench(ring.name);
  bench.offer(1n);
  assert.equal(bench.next(), undefined, "there is no ring");
  using data = File.open(dataPath(ring.name), { write: true, create: true, mode: 0o600 });
  bench.offer(2n);
  assert.equal(bench.next(), undefined, "the ring has not its full size");
  data.truncate(dataBytes({ slotBytes: 64, slots: 16 }));
  bench.offer(35n, 4);
  assert.ok(bench.source.attached && !bench.source.indexed);
  const frame = bench.next()!;
  assert.deepEqual([frame.imageId, frame.slot, frame.missingPackets], [35n, 3, 4]);
  assert.ok(bench.source.isIntact(frame), "nobody can tell");
  assert.equal(bench.attachments, 1);
});

Deno.test("a ring that is being made is not taken for one without an index", () => {
  using ring = new TestName();
  using index = File.open(indexPath(ring.name), { write: true, create: true, mode: 0o600 });
  using data = File.open(dataPath(ring.name), { write: true, create: true, mode: 0o600 });
  data.truncate(dataBytes({ slotBytes: 64, slots: 16 }));
  using bench = new Bench(ring.name);
  bench.offer(1n);
  assert.equal(bench.next(), undefined);
  assert.equal(bench.source.attached, false);
  assert.equal(index.size(), 0);
});

Deno.test("messages of a receiver with an index are not used: its ring tells more", () => {
  using ring = new TestName();
  using writer = makeRing(ring.name);
  using bench = new Bench(ring.name);
  bench.next();
  publishRange(writer, 0, 1);
  bench.offer(0n);
  assert.equal(bench.all(), "0");
});
