/**
 * The other process of the ring's tests. Prints one JSON line per answer.
 *
 *   write <name> <n>              publishes n entries, says so, waits for a line, repeats
 *   half <name> <n>               the same, then dies on SIGKILL in the middle of writing slot n
 *   lap <name> <n>                waits for a line, publishes n entries in 2 slots as fast as it can
 *   contest <name> <n>            n times: takes the ring if it is free, checks that it has it, ends it
 *   follow <name> <n>             follows it from entry 0 until n are published, checking every pixel
 *
 * @module
 */
import {
  mapSlots,
  removeRings,
  RingBusyError,
  RingFollower,
  RingReader,
  RingRecord,
  type RingSpec,
  RingWriter,
  SharedMemory,
} from "../mod.ts";
import { entryOf, indexMemory, publishRange, tinyRing } from "../_test_ring.ts";

const [role, name = "", count = "0"] = Deno.args;
const total = Number(count);

function answer(value: Record<string, unknown>): void {
  const line = JSON.stringify(value, (_, v) => typeof v === "bigint" ? Number(v) : v);
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

function waitForLine(): boolean {
  return (Deno.stdin.readSync(new Uint8Array(256)) ?? 0) > 0;
}

function write(): void {
  using writer = RingWriter.create(indexMemory(), tinyRing(name));
  do {
    const from = Number(writer.head);
    publishRange(writer, from, from + total);
    answer({ head: writer.head });
  } while (waitForLine());
}

/** Leaves a ring as a writer does that dies while it writes a slot and its record. */
function half(): void {
  const writer = RingWriter.create(indexMemory(), tinyRing(name));
  publishRange(writer, 0, total);
  writer.lockSlot(total % writer.spec.slots);
  const { index } = writer;
  const { u64 } = index.memory;
  u64[index.recordAt(BigInt(total)) / 8] = 2n * BigInt(total + 1) - 1n;
  answer({ head: writer.head });
  waitForLine();
}

/** As small as a ring can be for its writer to lap a reader with every second entry. */
function lappedRing(): RingSpec {
  return tinyRing(name, { slots: 2 });
}

/** Each slot's 64 bytes say the entry's number eight times, the record says it six times. */
function lap(): void {
  const spec = lappedRing();
  const memory = new SharedMemory(2 ** 20);
  using writer = RingWriter.create(memory, spec);
  const slots = mapSlots(memory, writer.data, spec.slotBytes, 0, spec.slots, { writable: true });
  answer({ ready: true });
  waitForLine();
  const entry = entryOf(0n, spec.slots);
  const { u64 } = memory;
  for (let i = 0; i < total; i++) {
    const id = BigInt(i);
    const slot = i % spec.slots;
    writer.lockSlot(slot);
    const at = (slots + slot * spec.slotBytes) / 8;
    for (let w = 0; w < 8; w++) u64[at + w] = id;
    entry.imageId =
      entry.frameIndex =
      entry.firstNs =
      entry.completeNs =
        id;
    entry.maskLow = entry.maskHigh = id;
    entry.slot = slot;
    entry.missingPackets = entry.damagedPackets = i;
    entry.metadata.fill(i & 0xff);
    writer.publish(entry);
  }
  answer({ head: writer.head });
  waitForLine(); // the reader has to see the end before the ring ends
}

/** Whoever has the ring must be its only writer, and a reader must find exactly this ring. */
function contest(): void {
  const spec = tinyRing(name);
  const record = new RingRecord();
  const result = { won: 0, busy: 0, wrong: 0 };
  const me = BigInt(Deno.pid);
  for (let i = 0; i < total; i++) {
    try {
      using writer = RingWriter.create(indexMemory(), spec);
      if (writer.head !== 0n) result.wrong++;
      writer.lockSlot(0);
      writer.publish(entryOf(0n, spec.slots, { imageId: me }));
      using reader = RingReader.open(indexMemory(), name);
      if (reader.head !== 1n || reader.read(0n, record) !== "ok" || record.imageId !== me) {
        result.wrong++;
      }
      result.won++;
    } catch (error) {
      if (!(error instanceof RingBusyError)) throw error;
      result.busy++;
    }
    if (i % 8 === 0) removeRings([name]);
  }
  answer(result);
}

/** Every so many reads one waits in its middle until the writer has overwritten what is being read. */
const TORN_EVERY = 16n;

function follow(): void {
  const spec = lappedRing();
  const memory = new SharedMemory(2 ** 20);
  using reader = RingReader.open(memory, name, { slotBytes: spec.slotBytes });
  const slots = mapSlots(memory, reader.data, spec.slotBytes, 0, spec.slots, { writable: false });
  const { u64 } = memory;
  const follower = new RingFollower(reader, 0n);
  answer({ ready: true });
  const result = { intact: 0, overwritten: 0, torn: 0, overruns: 0n, wrong: 0, disorder: 0 };
  let last = -1n;
  let reads = 0n;
  const words = new BigUint64Array(8);
  while (follower.position < BigInt(total)) {
    const record = follower.next();
    if (record === undefined) continue;
    const id = record.entry;
    const at = (slots + record.slot * spec.slotBytes) / 8;
    for (let w = 0; w < 4; w++) words[w] = u64[at + w]!;
    if (++reads % TORN_EVERY === 0n) waitUntilLapped(reader, id);
    for (let w = 4; w < 8; w++) words[w] = u64[at + w]!;
    if (id <= last) result.disorder++;
    last = id;
    const consistent = record.imageId === id && record.frameIndex === id && record.firstNs === id &&
      record.completeNs === id && record.maskLow === id && record.maskHigh === id &&
      record.missingPackets === Number(id) && record.damagedPackets === Number(id) &&
      record.slot === Number(id % BigInt(spec.slots)) && record.metadata.byteLength === 8 &&
      record.metadata.every((byte) => byte === Number(id & 0xffn));
    if (!consistent) result.wrong++;
    const whole = words.every((word) => word === id);
    if (reader.isIntact(record)) {
      if (whole) result.intact++;
      else result.wrong++;
    } else {
      result.overwritten++;
      if (!whole) result.torn++;
    }
  }
  result.overruns = follower.overruns;
  answer(result);
}

/** Returns when the slot of entry `id` holds a later one, or none will follow. */
function waitUntilLapped(reader: RingReader, id: bigint): void {
  const lapped = id + BigInt(reader.slots) + 1n;
  const until = lapped < BigInt(total) ? lapped : BigInt(total);
  while (reader.head < until);
}

switch (role) {
  case "write":
    write();
    break;
  case "half":
    half();
    break;
  case "lap":
    lap();
    break;
  case "contest":
    contest();
    break;
  case "follow":
    follow();
    break;
  default:
    throw new Error(`unknown role ${role}`);
}
