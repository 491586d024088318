import assert from "node:assert/strict";
import { File, fileSystemSpace } from "../os/mod.ts";
import { RING_HEADER, RING_RECORD } from "../kernels/mod.ts";
import {
  dataBytes,
  dataPath,
  indexMemoryBytes,
  indexPath,
  mapSlots,
  planIndex,
  removeRings,
  RingBusyError,
  RingFollower,
  RingMismatchError,
  RingMissingError,
  RingReader,
  RingRecord,
  RingSpaceError,
  RingState,
  RingWriter,
  SharedMemory,
  SHM_FOLDER,
  slotMemoryBytes,
} from "./mod.ts";
import {
  entryOf,
  indexMemory,
  publishRange,
  RingProcess,
  TestName,
  tinyRing,
} from "./_test_ring.ts";

function modeOf(path: string): number {
  return Deno.statSync(path).mode! & 0o777;
}

function ids(follower: RingFollower): number[] {
  const seen: number[] = [];
  for (let record = follower.next(); record; record = follower.next()) {
    seen.push(Number(record.imageId));
  }
  return seen;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

Deno.test("RingWriter.create() makes files of the planned sizes that only their owner may use", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  assert.equal(writer.head, 0n);
  const data = Deno.statSync(dataPath(ring.name));
  assert.equal(data.size, 2 * 1024 * 1024); // 16 × 64 bytes, rounded up to 2 MiB
  assert.equal(Deno.statSync(indexPath(ring.name)).size, planIndex(16).bytes);
  assert.equal(modeOf(dataPath(ring.name)), 0o600);
  assert.equal(modeOf(indexPath(ring.name)), 0o600);
});

Deno.test("RingWriter.create() opens both files to a group when one is given", () => {
  using ring = new TestName();
  const gid = Deno.gid()!;
  using _writer = RingWriter.create(indexMemory(), tinyRing(ring.name), { gid });
  for (const path of [dataPath(ring.name), indexPath(ring.name)]) {
    assert.equal(modeOf(path), 0o660);
    assert.equal(Deno.statSync(path).gid, gid);
  }
});

Deno.test("RingWriter.close() removes both files and ends its readers", () => {
  using ring = new TestName();
  const writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  using reader = RingReader.open(indexMemory(), ring.name);
  assert.equal(reader.ended, false);
  writer.close();
  writer.close();
  assert.equal(reader.ended, true);
  assert.deepEqual(ring.present, { data: false, index: false });
});

Deno.test("RingReader.read() returns every field of a published entry", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  using reader = RingReader.open(indexMemory(), ring.name);
  const entry = entryOf(2n ** 63n + 5n, 16, {
    status: 2,
    payloadBytes: 2 ** 33,
    missingPackets: 7,
    damagedPackets: 3,
    calibrationId: 2n ** 64n - 3n,
    epoch: 4,
    maskLow: 2n ** 64n - 1n,
    maskHigh: 1n,
    metadata: crypto.getRandomValues(new Uint8Array(128)),
  });
  const record = new RingRecord();
  assert.equal(reader.read(0n, record), "none");
  writer.lockSlot(entry.slot);
  assert.equal(writer.publish(entry), 0n);
  assert.equal(reader.read(0n, record), "ok");
  const { entry: number, slotLock, publishedNs, buffer: _, ...fields } = record;
  assert.deepEqual(fields, { ...entry });
  assert.equal(number, 0n);
  assert.equal(slotLock, 2n);
  assert.ok(publishedNs > 1_600_000_000_000_000_000n);
  assert.equal(reader.isIntact(record), true);
});

Deno.test("RingReader.isIntact() is false from the moment the writer takes the slot again", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  using reader = RingReader.open(indexMemory(), ring.name);
  publishRange(writer, 0, 1);
  const record = new RingRecord();
  reader.read(0n, record);
  assert.equal(reader.isIntact(record), true);
  writer.lockSlot(0);
  assert.equal(reader.isIntact(record), false);
  writer.lockSlot(0); // a second call changes nothing
  writer.publish(entryOf(16n, 16));
  assert.equal(reader.isIntact(record), false);
});

Deno.test("RingWriter.publish() tells readers of the slot even if it was never locked", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  using reader = RingReader.open(indexMemory(), ring.name);
  publishRange(writer, 0, 1);
  const [first, second] = [new RingRecord(), new RingRecord()];
  reader.read(0n, first);
  writer.publish(entryOf(16n, 16));
  reader.read(1n, second);
  assert.equal(reader.isIntact(first), false);
  assert.equal(reader.isIntact(second), true);
  writer.lockSlot(0);
  assert.equal(reader.isIntact(second), false);
});

Deno.test("RingWriter.publish() of a slot that was taken again in the meantime gives no intact entry", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  using reader = RingReader.open(indexMemory(), ring.name);
  const { u64 } = writer.index.memory;
  writer.lockSlot(3);
  const slotLock = Atomics.add(u64, writer.index.lockIndex(3), 1n) + 1n; // finished
  writer.lockSlot(3); // and taken by another
  writer.publish(entryOf(3n, 16, { slotLock }));
  const record = new RingRecord();
  assert.equal(reader.read(0n, record), "ok");
  assert.equal(reader.isIntact(record), false);
  writer.publish(entryOf(19n, 16));
  assert.equal(reader.isIntact(record), false);
  reader.read(1n, record);
  assert.equal(reader.isIntact(record), true);
});

Deno.test("RingWriter.publish() refuses a slot that is not there and metadata that do not fit", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  using reader = RingReader.open(indexMemory(), ring.name);
  publishRange(writer, 0, 2);
  assert.throws(
    () => writer.publish(entryOf(2n, 16, { metadata: new Uint8Array(129) })),
    { name: "RangeError", message: /129 bytes of metadata \(at most 128\)/ },
  );
  assert.throws(
    () => writer.publish(entryOf(2n, 16, { slot: 16 })),
    { name: "RangeError", message: /slot 16 of 16/ },
  );
  assert.equal(writer.head, 2n);
  assert.deepEqual(ids(new RingFollower(reader, 0n)), [0, 1]);
});

Deno.test("mapSlots() shows readers the pixels of any run of slots, wherever they start", () => {
  using ring = new TestName();
  const spec = tinyRing(ring.name, { slotBytes: 3000, slots: 17 });
  const memory = new SharedMemory(indexMemoryBytes(17) + slotMemoryBytes(3000, 17));
  using writer = RingWriter.create(memory, spec);
  const at = mapSlots(memory, writer.data, 3000, 0, 17, { writable: true });
  for (let slot = 0; slot < 17; slot++) {
    memory.u8.fill(slot + 1, at + slot * 3000, at + slot * 3000 + 3000);
  }
  const other = new SharedMemory(indexMemoryBytes(17) + 4 * slotMemoryBytes(3000, 17));
  using reader = RingReader.open(other, ring.name);
  for (const [first, count] of [[0, 17], [1, 1], [5, 4], [16, 1]] as const) {
    const place = mapSlots(other, reader.data, 3000, first, count, { writable: false });
    for (let i = 0; i < count; i++) {
      const pixels = other.u8.subarray(place + i * 3000, place + (i + 1) * 3000);
      assert.ok(pixels.every((p) => p === first + i + 1));
    }
  }
});

Deno.test("RingReader.addressOf() is where a slot's pixels are", () => {
  using ring = new TestName();
  const spec = tinyRing(ring.name);
  const memory = new SharedMemory(2 ** 20);
  using writer = RingWriter.create(memory, spec);
  const at = mapSlots(memory, writer.data, 64, 0, 16, { writable: true });
  memory.u8.fill(77, at + 3 * 64, at + 4 * 64);
  publishRange(writer, 3, 4);
  using reader = RingReader.open(indexMemory(), ring.name);
  const record = new RingRecord();
  reader.read(0n, record);
  const path = Deno.makeTempFileSync();
  try {
    using file = File.open(path, { write: true });
    file.writeFrom(reader.addressOf(record), 64, 0);
    assert.deepEqual(Deno.readFileSync(path), new Uint8Array(64).fill(77));
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("RingFollower starts with the next entry unless told where, and catches up", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  using reader = RingReader.open(indexMemory(), ring.name);
  publishRange(writer, 0, 5);
  const fromNow = new RingFollower(reader);
  const fromStart = new RingFollower(reader, 0n);
  assert.equal(fromNow.next(), undefined);
  assert.equal(fromStart.backlog, 5n);
  assert.deepEqual(ids(fromStart), range(0, 5));
  publishRange(writer, 5, 9);
  assert.deepEqual(ids(fromNow), range(5, 9));
  assert.deepEqual(ids(fromStart), range(5, 9));
  assert.equal(fromStart.position, 9n);
  assert.equal(fromStart.overruns, 0n);
  publishRange(writer, 9, 12);
  fromStart.skipToEnd();
  assert.equal(fromStart.next(), undefined);
});

Deno.test("RingFollower counts what it missed when it was lapped, and goes on with what is left", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  using reader = RingReader.open(indexMemory(), ring.name);
  const follower = new RingFollower(reader, 0n);
  publishRange(writer, 0, 16);
  assert.equal(follower.next()?.imageId, 0n); // exactly one ring behind is still whole
  publishRange(writer, 16, 40);
  const seen = ids(follower);
  assert.equal(seen.at(-1), 39);
  assert.deepEqual(seen, range(seen[0]!, 40));
  assert.equal(BigInt(1 + seen.length) + follower.overruns, 40n);
  assert.ok(seen.length >= 13, `${seen.length} of 16 entries that are left were seen`);
});

Deno.test("RingFollower that starts in the middle after a restart catches up from the index", async () => {
  using ring = new TestName();
  await using process = new RingProcess("write", ring.name, 6);
  await process.answer();
  let position: bigint;
  {
    using reader = RingReader.open(indexMemory(), ring.name);
    const follower = new RingFollower(reader, 0n);
    assert.equal(follower.next()?.imageId, 0n);
    assert.equal(follower.next()?.imageId, 1n);
    position = follower.position;
  }
  await process.say("more");
  await process.answer();
  using reader = RingReader.open(indexMemory(), ring.name);
  const follower = new RingFollower(reader, position);
  assert.deepEqual(ids(follower), range(2, 12));
  assert.equal(follower.overruns, 0n);
});

Deno.test("RingWriter.create() names the process that writes the ring already", async () => {
  using ring = new TestName();
  await using process = new RingProcess("write", ring.name, 3);
  await process.answer();
  assert.throws(
    () => RingWriter.create(indexMemory(), tinyRing(ring.name), { gid: Deno.gid()! }),
    (error) =>
      error instanceof RingBusyError && error.message.includes(`by process ${process.pid}`),
  );
  assert.equal(modeOf(indexPath(ring.name)), 0o600, "a live ring keeps its mode");
  using reader = RingReader.open(indexMemory(), ring.name);
  assert.equal(reader.head, 3n);
});

Deno.test("RingWriter.create() takes over from a killed writer; its readers go on", async () => {
  using ring = new TestName();
  await using process = new RingProcess("half", ring.name, 5);
  await process.answer();
  using reader = RingReader.open(indexMemory(), ring.name);
  const follower = new RingFollower(reader, 0n);
  assert.equal(follower.next()?.imageId, 0n);
  await process.kill();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  assert.equal(writer.head, 5n);
  assert.equal(writer.index.header64(RING_HEADER.session), 2n);
  assert.equal(writer.index.header32(RING_HEADER.writer_pid), Deno.pid);
  assert.equal(reader.ended, false);
  publishRange(writer, 5, 8); // slot 5 was left locked, its record half written
  assert.deepEqual(ids(follower), range(1, 8));
  const record = new RingRecord();
  for (const entry of range(0, 8)) {
    assert.equal(reader.read(BigInt(entry), record), "ok");
    assert.equal(reader.isIntact(record), true);
  }
  assert.equal(follower.overruns, 0n);
});

Deno.test("RingWriter.create() gives a taken-over ring the mode it is told now", async () => {
  using ring = new TestName();
  await using process = new RingProcess("half", ring.name, 1);
  await process.answer();
  await process.kill();
  using _writer = RingWriter.create(indexMemory(), tinyRing(ring.name), { gid: Deno.gid()! });
  assert.equal(modeOf(indexPath(ring.name)), 0o660);
  assert.equal(modeOf(dataPath(ring.name)), 0o660);
});

for (
  const [what, changes] of Object.entries({
    "other slots": { slots: 32 },
    "another slot size": { slotBytes: 128 },
    "another pixel type": { dtype: 4 },
    "another shape": { height: 8, width: 4 },
    "another geometry": { geometry: 2n },
  })
) {
  Deno.test(`RingWriter.create() replaces a dead writer's ring of ${what} by a zeroed one`, async () => {
    using ring = new TestName();
    await using process = new RingProcess("half", ring.name, 5);
    await process.answer();
    using old = RingReader.open(indexMemory(), ring.name);
    await process.kill();
    Deno.writeFileSync(dataPath(ring.name), new Uint8Array(4096).fill(255), { create: false });

    const spec = tinyRing(ring.name, changes);
    using writer = RingWriter.create(indexMemory(), spec);
    assert.equal(writer.head, 0n);
    assert.equal(old.ended, true);
    const data = Deno.readFileSync(dataPath(ring.name));
    assert.equal(data.byteLength, dataBytes(spec));
    assert.ok(data.every((byte) => byte === 0));
    publishRange(writer, 0, 3);
    using reader = RingReader.open(indexMemory(), ring.name);
    assert.deepEqual(ids(new RingFollower(reader, 0n)), range(0, 3));
    assert.equal(old.head, 5n);
  });
}

Deno.test("RingWriter.create() starts anew where the data file of a dead writer is gone", async () => {
  using ring = new TestName();
  await using process = new RingProcess("half", ring.name, 5);
  await process.answer();
  using old = RingReader.open(indexMemory(), ring.name);
  await process.kill();
  Deno.removeSync(dataPath(ring.name)); // what an original service does when it ends
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  assert.equal(writer.head, 0n);
  assert.equal(old.ended, true);
});

Deno.test("RingWriter.create() zeroes a data file that has no index", () => {
  using ring = new TestName();
  Deno.writeFileSync(dataPath(ring.name), new Uint8Array(3 * 2 ** 20).fill(9), { mode: 0o644 });
  using _writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  const data = Deno.readFileSync(dataPath(ring.name));
  assert.equal(data.byteLength, 2 * 2 ** 20);
  assert.ok(data.every((byte) => byte === 0));
  assert.equal(modeOf(dataPath(ring.name)), 0o600);
});

for (
  const [what, content] of Object.entries({
    "an empty file": new Uint8Array(0),
    "a short file": new Uint8Array(100).fill(7),
    "random bytes": crypto.getRandomValues(new Uint8Array(8192)),
  })
) {
  Deno.test(`RingWriter.create() replaces an index that is ${what}`, () => {
    using ring = new TestName();
    Deno.writeFileSync(indexPath(ring.name), content);
    using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
    publishRange(writer, 0, 2);
    using reader = RingReader.open(indexMemory(), ring.name);
    assert.deepEqual(ids(new RingFollower(reader, 0n)), [0, 1]);
    assert.equal(modeOf(indexPath(ring.name)), 0o600);
  });
}

for (const state of [RingState.MAKING, RingState.CLOSED, RingState.REPLACED]) {
  Deno.test(`RingWriter.create() replaces what a writer left that died in state ${state}`, async () => {
    using ring = new TestName();
    await using process = new RingProcess("half", ring.name, 5);
    await process.answer();
    await process.kill();
    {
      using index = File.open(indexPath(ring.name), { write: true });
      index.writeAt(Uint8Array.of(state, 0, 0, 0), RING_HEADER.state);
    }
    assert.throws(() => RingReader.open(indexMemory(), ring.name), RingMissingError);
    using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
    assert.equal(writer.head, 0n);
    using reader = RingReader.open(indexMemory(), ring.name);
    assert.equal(reader.ended, false);
  });
}

Deno.test("RingWriter.create() says how much is missing when a ring is too large, and leaves nothing", () => {
  using ring = new TestName();
  const { availableBytes } = fileSystemSpace(SHM_FOLDER);
  const slotBytes = Math.ceil(availableBytes / 16);
  assert.throws(
    () => RingWriter.create(indexMemory(), tinyRing(ring.name, { slotBytes, slots: 40 })),
    (error) =>
      error instanceof RingSpaceError && /needs [\d.]+ GiB/.test(error.message) &&
      error.message.includes(`40 slots of ${slotBytes} bytes`) &&
      /has [\d.]+ GiB free/.test(error.message),
  );
  assert.deepEqual(ring.present, { data: false, index: false });
});

Deno.test("RingWriter.create() leaves nothing when its memory is too small for the index", () => {
  using ring = new TestName();
  assert.throws(
    () => RingWriter.create(new SharedMemory(0), tinyRing(ring.name, { slots: 4000 })),
    RangeError,
  );
  assert.deepEqual(ring.present, { data: false, index: false });
});

Deno.test("RingReader.open() throws RingMissingError where there is no ring, or only half of one", () => {
  using ring = new TestName();
  const open = (): void => RingReader.open(indexMemory(), ring.name).close();
  assert.throws(
    open,
    (e) => e instanceof RingMissingError && e.message.includes(indexPath(ring.name)),
  );
  Deno.writeFileSync(indexPath(ring.name), new Uint8Array(0));
  assert.throws(open, RingMissingError);
  Deno.writeFileSync(indexPath(ring.name), new Uint8Array(planIndex(16).bytes)); // state: being made
  assert.throws(open, RingMissingError);
  Deno.removeSync(indexPath(ring.name));

  using _writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  const whole = Deno.readFileSync(indexPath(ring.name));
  Deno.truncateSync(dataPath(ring.name), 4096);
  assert.throws(open, (e) => e instanceof RingMissingError && /data file/.test(e.message));
  Deno.removeSync(dataPath(ring.name));
  assert.throws(open, RingMissingError);
  Deno.writeFileSync(indexPath(ring.name), whole.subarray(0, RING_HEADER.$bytes));
  assert.throws(open, RingMissingError);
});

Deno.test("RingReader.open() has a memory made only for a ring that is there", () => {
  using name = new TestName();
  let made = 0;
  const memory = (): SharedMemory => {
    made++;
    return indexMemory();
  };
  assert.throws(() => RingReader.open(memory, name.name), RingMissingError);
  assert.equal(made, 0);
  using writer = RingWriter.create(indexMemory(), tinyRing(name.name));
  using reader = RingReader.open(memory, name.name);
  assert.deepEqual([reader.head, made], [writer.head, 1]);
});

Deno.test("RingReader.open() names the field that differs, its value and the one wanted", () => {
  using ring = new TestName();
  using _writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  const expected = { slotBytes: 64, dtype: 2, height: 4, width: 8 };
  RingReader.open(indexMemory(), ring.name, expected).close();
  for (const field of ["slotBytes", "dtype", "height", "width"] as const) {
    assert.throws(
      () => RingReader.open(indexMemory(), ring.name, { ...expected, [field]: 99 }),
      (error) =>
        error instanceof RingMismatchError &&
        error.message.includes(`${field} is ${expected[field]}`) && error.message.includes("99"),
    );
  }
});

Deno.test("RingReader.open() names the layout version of an index of another release", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  writer.index.setHeader32(RING_HEADER.version, 9);
  assert.throws(
    () => RingReader.open(indexMemory(), ring.name),
    (error) =>
      error instanceof RingMismatchError && /version 9, this is version 1/.test(error.message),
  );
});

Deno.test("RingReader.open() maps a new ring over the place of the one before", () => {
  using ring = new TestName();
  const memory = indexMemory();
  const first = RingWriter.create(indexMemory(), tinyRing(ring.name));
  publishRange(first, 0, 3);
  const before = RingReader.open(memory, ring.name);
  const place = before.index.at;
  first.close();
  assert.equal(before.ended, true);
  before.close();
  using second = RingWriter.create(indexMemory(), tinyRing(ring.name));
  publishRange(second, 0, 2);
  using after = RingReader.open(memory, ring.name, {}, place);
  assert.equal(after.index.at, place);
  assert.deepEqual(ids(new RingFollower(after, 0n)), [0, 1]);
});

Deno.test("removeRings() removes what dead writers left, ends its readers and leaves live rings alone", async () => {
  using dead = new TestName();
  using live = new TestName();
  using absent = new TestName();
  await using process = new RingProcess("half", dead.name, 2);
  await process.answer();
  using reader = RingReader.open(indexMemory(), dead.name);
  await process.kill();
  using _writer = RingWriter.create(indexMemory(), tinyRing(live.name));
  assert.deepEqual(removeRings([dead.name, live.name, absent.name]), [dead.name]);
  assert.deepEqual(dead.present, { data: false, index: false });
  assert.deepEqual(live.present, { data: true, index: true });
  assert.equal(reader.ended, true);
});

Deno.test("RingWriter.create() gives a ring to one at a time of processes that make and remove it", async () => {
  using ring = new TestName();
  await using first = new RingProcess("contest", ring.name, 1500);
  await using second = new RingProcess("contest", ring.name, 1500);
  const results = await Promise.all([first.answer(), second.answer()]);
  for (const { won, busy, wrong } of results) {
    assert.equal(wrong, 0);
    assert.equal(Number(won) + Number(busy), 1500);
    assert.ok(Number(won) > 0);
  }
  assert.deepEqual(ring.present, { data: false, index: false });
});

Deno.test("RingIndex counters start at 0 and survive a takeover", async () => {
  using ring = new TestName();
  await using process = new RingProcess("half", ring.name, 1);
  await process.answer();
  await process.kill();
  {
    using index = File.open(indexPath(ring.name), { write: true });
    index.writeAt(Uint8Array.of(42), RING_HEADER.counters + 8 * 3);
  }
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  writer.index.addCounter(3, 8n);
  writer.index.setCounter(63, 5n);
  using reader = RingReader.open(indexMemory(), ring.name);
  assert.deepEqual([0, 3, 63].map((i) => reader.index.counter(i)), [0n, 50n, 5n]);
  assert.equal(RING_HEADER.counters + 64 * 8 <= RING_HEADER.$bytes, true);
  assert.equal(RING_RECORD.$bytes, 256);
});
