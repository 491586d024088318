import { deepStrictEqual, throws } from "node:assert/strict";
import { entryOf, ringLeftAs, TestName } from "../ring/_test_ring.ts";
import { dataPath, indexMemoryBytes, indexPath, RingWriter, SharedMemory } from "../ring/mod.ts";
import { counterIndex, readFrameCounts } from "./counters.ts";
import { ModuleReceiver, type ModuleReceiverOptions } from "./module_receiver.ts";

/** A receiver's options; the ring is this test's alone. */
function options(name: string): ModuleReceiverOptions {
  return {
    format: {
      headerBytes: 48,
      payloadBytes: 64,
      packetsPerFrame: 4,
      headerVersion: 2,
      detectorType: 3,
      imageIdField: "frame_number",
    },
    ring: { name, slotBytes: 256, slots: 16, dtype: 2, height: 8, width: 16, geometry: 0n },
    window: 4,
    idleNs: 1n,
    writeMessage: () => {},
    onFrame: () => {},
  };
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("ModuleReceiver leaves no ring when something fails after it was made", () => {
  const name = `receive_test-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
  const files = (): boolean[] => [dataPath(name), indexPath(name)].map(isThere);
  const seen: boolean[][] = [];
  const failing = {
    ...options(name),
    // Read when the kernel's settings are written, with the ring already there.
    get window(): number {
      seen.push(files());
      throw new RangeError("no window");
    },
  };
  throws(() => new ModuleReceiver(failing), /no window/);
  deepStrictEqual(seen, [[true, true]]);
  deepStrictEqual(files(), [false, false]);
  {
    using _receiver = new ModuleReceiver(options(name)); // the name is free
    deepStrictEqual(files(), [true, true]);
  }
  deepStrictEqual(files(), [false, false]);
});

Deno.test("frames that a killed receiver had counted, and not published, are in no count of its successor", () => {
  using test = new TestName();
  const { ring } = options(test.name);
  using killed = RingWriter.create(new SharedMemory(indexMemoryBytes(ring.slots)), ring);
  for (const id of [0n, 1n, 2n]) {
    const entry = entryOf(id, ring.slots, { missingPackets: id === 1n ? 3 : 0 });
    killed.lockSlot(entry.slot);
    killed.publish(entry);
  }
  // Two whole frames more than were published, and two packets of one that was open.
  const counts = { accepted: 19n, frames_good: 4n, frames_incomplete: 1n, missing_packets: 3n };
  const names = Object.keys(counts) as (keyof typeof counts)[];
  for (const name of names) killed.index.setCounter(counterIndex(name), counts[name]);
  using left = ringLeftAs(ring, Deno.readFileSync(indexPath(test.name)));
  using receiver = new ModuleReceiver(options(left.name));
  deepStrictEqual(
    names.map((name) => readFrameCounts(receiver.ring.index)[name]),
    [9n, 2n, 1n, 3n],
  );
});
