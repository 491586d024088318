import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { RING_HEADER } from "../kernels/mod.ts";
import {
  afterTakeover,
  entryOf,
  indexAtEveryStore,
  indexMemory,
  ringLeftAs,
  TestName,
  tinyRing,
} from "./_test_ring.ts";
import {
  type EntryCount,
  MAX_COUNTERS,
  type RingIndex,
  RingReader,
  RingRecord,
  type RingSpec,
  RingWriter,
} from "./mod.ts";

type Action =
  | { do: "publish"; counts: EntryCount[] | undefined }
  | { do: "add"; count: EntryCount };

/** Few counters, so that what is added to them meets; the last one has the journal behind it. */
const count: fc.Arbitrary<EntryCount> = fc.tuple(
  fc.constantFrom(0, 1, MAX_COUNTERS - 1),
  fc.bigInt({ min: 0n, max: 2n ** 40n }),
);
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constant("publish" as const),
    counts: fc.option(fc.array(count, { maxLength: 5 }), { nil: undefined }),
  }),
  fc.record({ do: fc.constant("add" as const), count }),
);

/** What was published and counted. */
interface State {
  head: bigint;
  counters: bigint[];
}

function stateOf({ index }: { index: RingIndex }): State {
  const counters = Array.from({ length: MAX_COUNTERS }, (_, i) => index.counter(i));
  return { head: index.head, counters };
}

function carryOut(writer: RingWriter, action: Action): void {
  if (action.do === "add") return writer.index.addCounter(...action.count);
  const entry = entryOf(writer.head, writer.spec.slots);
  writer.lockSlot(entry.slot);
  writer.publish(entry, action.counts);
}

/** What is in the ring afterwards if nobody is killed. */
function after({ head, counters }: State, action: Action): State {
  const sums = [...counters];
  const counts = action.do === "add" ? [action.count] : action.counts ?? [];
  for (const [counter, n] of counts) sums[counter]! += n;
  return { head: head + (action.do === "publish" ? 1n : 0n), counters: sums };
}

/** What the next writer finds that takes over such an index: one of the states. */
function found(spec: RingSpec, index: Uint8Array, states: State[]): State {
  const state = afterTakeover(spec, index, stateOf);
  assert.ok(states.some((one) => isDeepStrictEqual(one, state)), Deno.inspect({ state, states }));
  return state;
}

/** The next writer may be killed, too, in taking over or later: what it counts stays. */
function checkTakeover(spec: RingSpec, index: Uint8Array, states: State[]): void {
  const first = found(spec, index, states);
  using left = ringLeftAs(spec, index);
  using stack = new DisposableStack();
  let writer: RingWriter | undefined;
  const taking = indexAtEveryStore(left.name, () => {
    writer = stack.use(RingWriter.create(indexMemory(), { ...spec, name: left.name }));
  });
  for (const state of taking) found(spec, state, [first]);
  let now = first;
  for (const action of NEXT) {
    const [, ...doing] = indexAtEveryStore(left.name, () => carryOut(writer!, action));
    const then = after(now, action);
    found(spec, doing[0]!, [now, then]);
    now = found(spec, doing.at(-1)!, [then]);
  }
  using reader = RingReader.open(indexMemory(), left.name);
  const record = new RingRecord();
  assert.equal(reader.read(first.head, record), "ok");
  assert.ok(reader.isIntact(record));
}

/** What the next writer does. */
const NEXT: Action[] = [{ do: "add", count: [0, 3n] }, { do: "publish", counts: [[0, 9n]] }];

Deno.test("an entry and its counts are there together, whenever its writer and the next one are killed", () => {
  const check = (actions: Action[]): void => {
    using ring = new TestName();
    const spec = tinyRing(ring.name, { slots: 2 });
    using writer = RingWriter.create(indexMemory(), spec);
    for (const action of actions) {
      const before = stateOf(writer);
      const then = after(before, action);
      const states = indexAtEveryStore(ring.name, () => carryOut(writer, action));
      found(spec, states[0]!, [before]);
      for (const state of states) checkTakeover(spec, state, [before, then]);
      found(spec, states.at(-1)!, [then]);
    }
  };
  fc.assert(fc.property(fc.array(action, { minLength: 1, maxLength: 3 }), check), {
    numRuns: 3,
    examples: [[[
      { do: "publish", counts: [[0, 1n], [63, 5n]] },
      { do: "add", count: [0, 2n] },
      { do: "publish", counts: [[0, 1n], [1, 7n]] },
    ]]],
  });
});

Deno.test("indexAtEveryStore() sees an entry before it is published, and its counts with it", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  const states = indexAtEveryStore(
    ring.name,
    () => carryOut(writer, { do: "publish", counts: [[0, 1n], [63, 2n]] }),
  );
  const seen = states.map((state) => {
    const u64 = (at: number): bigint => new DataView(state.buffer).getBigUint64(at, true);
    const { head, counters } = RING_HEADER;
    return [u64(counters), u64(counters + 8 * 63), u64(head)].join();
  });
  assert.deepEqual([...new Set(seen)], ["0,0,0", "1,0,0", "1,2,0", "1,2,1"]);
  assert.ok(states.length > 15, `${states.length} stores`);
});
