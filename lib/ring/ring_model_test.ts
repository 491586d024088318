import assert from "node:assert/strict";
import fc from "fast-check";
import { entryOf, indexMemory, TestName, tinyRing } from "./_test_ring.ts";
import { RingFollower, RingReader, RingRecord, RingWriter } from "./mod.ts";

/** What a ring must do, in the words of its README: entries in order, slots that have one owner. */
class RingModel {
  /** Slot of each entry published so far. */
  readonly slotOf: number[] = [];
  /** The entry whose pixels a slot holds; undefined while it is being written. */
  readonly #owner = new Map<number, number>();

  constructor(readonly slots: number) {}

  get head(): number {
    return this.slotOf.length;
  }

  lock(slot: number): void {
    this.#owner.delete(slot);
  }

  publish(slot: number, stillWhole: boolean): void {
    if (stillWhole) this.#owner.set(slot, this.head);
    else this.#owner.delete(slot);
    this.slotOf.push(slot);
  }

  isIntact(entry: number): boolean {
    return this.#owner.get(this.slotOf[entry]!) === entry;
  }

  /** What reading the record of an entry comes to: as many are kept as there are slots. */
  read(entry: number): "ok" | "none" | "overrun" {
    if (entry >= this.head) return "none";
    return entry >= this.head - this.slots ? "ok" : "overrun";
  }
}

/** How an entry is published: its slot unlocked by `publish()`, or before, and perhaps taken since. */
type Finish = "by publish" | "before" | "before, then taken again";

type Action =
  | { do: "publish"; slot: number; count: number; finish: Finish }
  | { do: "lock"; slot: number }
  | { do: "next"; times: number }
  | { do: "read"; back: number }
  | { do: "skip to end" }
  | { do: "follow anew"; back: number };

const slot = fc.nat({ max: 19 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      slot,
      count: fc.integer({ min: 1, max: 25 }),
      finish: fc.constantFrom<Finish[]>("by publish", "before", "before, then taken again"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("lock" as const), slot }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("next" as const),
      times: fc.integer({ min: 1, max: 25 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("read" as const),
      back: fc.integer({ min: -2, max: 45 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Action>({ do: "skip to end" }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("follow anew" as const), back: fc.nat({ max: 45 }) }),
  },
);

/** A ring, its model, and a follower of which both are known. */
class Trial implements Disposable {
  readonly #name = new TestName();
  readonly #model: RingModel;
  readonly #writer: RingWriter;
  readonly #reader: RingReader;
  readonly #record = new RingRecord();
  #follower: RingFollower;
  #position = 0;
  /** Entries read, with what tells whether they are still whole. */
  readonly #held = new Map<number, { slot: number; slotLock: bigint }>();

  constructor(slots: number) {
    using made = new DisposableStack();
    made.use(this.#name);
    this.#model = new RingModel(slots);
    this.#writer = made.use(RingWriter.create(indexMemory(), tinyRing(this.#name.name, { slots })));
    this.#reader = made.use(RingReader.open(indexMemory(), this.#name.name));
    this.#follower = new RingFollower(this.#reader, 0n);
    made.move();
  }

  [Symbol.dispose](): void {
    this.#reader.close();
    this.#writer.close();
    this.#name[Symbol.dispose]();
  }

  carryOut(action: Action): void {
    switch (action.do) {
      case "publish":
        for (let i = 0; i < action.count; i++) this.#publish(action.slot + i, action.finish);
        break;
      case "lock":
        this.#writer.lockSlot(action.slot % this.#model.slots);
        this.#model.lock(action.slot % this.#model.slots);
        break;
      case "next":
        for (let i = 0; i < action.times; i++) this.#next();
        break;
      case "read":
        this.#read(this.#model.head - action.back);
        break;
      case "skip to end":
        this.#follower.skipToEnd();
        this.#position = this.#model.head;
        break;
      case "follow anew":
        this.#position = Math.max(0, this.#model.head - action.back);
        this.#follower = new RingFollower(this.#reader, BigInt(this.#position));
        break;
    }
    assert.equal(this.#reader.head, BigInt(this.#model.head));
    for (const [entry, held] of this.#held) {
      assert.equal(this.#reader.isIntact(held), this.#model.isIntact(entry), `entry ${entry}`);
    }
  }

  #publish(anySlot: number, finish: Finish): void {
    const slot = anySlot % this.#model.slots;
    const entry = entryOf(BigInt(this.#model.head), this.#model.slots, { slot });
    this.#writer.lockSlot(slot);
    if (finish !== "by publish") {
      const { index } = this.#writer;
      entry.slotLock = Atomics.add(index.memory.u64, index.lockIndex(slot), 1n) + 1n;
      if (finish === "before, then taken again") this.#writer.lockSlot(slot);
    }
    assert.equal(this.#writer.publish(entry), BigInt(this.#model.head));
    this.#model.publish(slot, finish !== "before, then taken again");
  }

  #next(): void {
    const { head, slots } = this.#model;
    const lostBefore = this.#follower.overruns;
    const record = this.#follower.next();
    const lost = Number(this.#follower.overruns - lostBefore);
    if (this.#position === head) {
      assert.deepEqual([record, lost], [undefined, 0]);
      return;
    }
    const entry = this.#position + lost;
    if (head - this.#position <= slots) assert.equal(lost, 0, "nothing was overwritten yet");
    else {
      const oldest = head - slots;
      assert.ok(entry >= oldest, "an overwritten entry was given");
      assert.ok(entry <= oldest + Math.ceil(slots / 8), "more was skipped than the writer's room");
    }
    assert.ok(record !== undefined);
    this.#position = entry + 1;
    assert.equal(this.#follower.position, BigInt(this.#position));
    assert.equal(this.#follower.backlog, BigInt(head - this.#position));
    this.#check(record, entry);
  }

  #read(entry: number): void {
    if (entry < 0) return;
    const result = this.#reader.read(BigInt(entry), this.#record);
    assert.equal(result, this.#model.read(entry), `entry ${entry} of ${this.#model.head}`);
    if (result === "ok") this.#check(this.#record, entry);
  }

  #check(record: RingRecord, entry: number): void {
    const slot = this.#model.slotOf[entry]!;
    const { slotLock: _, ...written } = entryOf(BigInt(entry), this.#model.slots, { slot });
    assert.deepEqual(
      Object.fromEntries(Object.keys(written).map((key) => [key, Reflect.get(record, key)])),
      written,
    );
    assert.equal(record.entry, BigInt(entry));
    this.#held.set(entry, { slot: record.slot, slotLock: record.slotLock });
  }
}

Deno.test("a ring publishes, is followed and overruns as its model does, whatever the order", () => {
  const trial = fc.record({
    slots: fc.integer({ min: 2, max: 20 }),
    actions: fc.array(action, { minLength: 1, maxLength: 40 }),
  });
  fc.assert(
    fc.property(trial, ({ slots, actions }) => {
      using ring = new Trial(slots);
      for (const action of actions) ring.carryOut(action);
    }),
    { numRuns: 100 },
  );
});
