import assert from "node:assert/strict";
import { File } from "../os/mod.ts";
import { IMAGE_BYTES } from "./_testing.ts";
import { SlotTransformer } from "./slot_transformer.ts";
import { makeTransformQueues, runTransformer, WorkerHands } from "./transform_queue.ts";

for (
  const [most, cases] of [
    [4, [[1, [1]], [2, [1, 2]], [4, [2, 3, 4]]]],
    [8, [[1, [1]], [4, [1, 2, 3, 4]], [8, [4, 5, 6, 7, 8]]]],
  ] as const
) {
  Deno.test(`a Worker of ${most} images rings when half of them are left, and all that are done are told of then`, () => {
    const [queue] = makeTransformQueues(1);
    assert.ok(queue !== undefined);
    using hands = new TestHands(queue, most);
    for (const [jobs, rings] of cases) {
      const before = hands.rings;
      for (let slot = 0; slot < jobs; slot++) hands.submit(slot);
      const doneAtRing: number[] = [];
      for (let done = 1; done <= jobs; done++) {
        hands.work();
        if (hands.rings - before > doneAtRing.length) doneAtRing.push(done);
      }
      assert.deepEqual(doneAtRing, rings);
      hands.poll();
      assert.deepEqual(hands.told.splice(0), Array.from({ length: jobs }, (_, slot) => slot));
    }
    for (let slot = 0; slot < most; slot++) {
      assert.ok(hands.free);
      hands.submit(slot);
    }
    assert.ok(!hands.free);
  });
}

/** Slots of either ring. */
const SLOTS = 8;

/** Both sides of a queue, in one thread. */
class TestHands implements Disposable {
  /** Slots of images that are done, as they are told of. */
  readonly told: number[] = [];
  readonly #stack = new DisposableStack();
  readonly #queue: ReturnType<typeof makeTransformQueues>[number];
  readonly #hands: WorkerHands;
  readonly #transformer: SlotTransformer;

  constructor(queue: ReturnType<typeof makeTransformQueues>[number], most: number) {
    this.#queue = queue;
    this.#hands = new WorkerHands([queue], () => false, most);
    const sizes = { imageBytes: IMAGE_BYTES, elementBytes: 2, blockElements: 0 } as const;
    this.#transformer = new SlotTransformer({ operation: "compress", ...sizes });
    const [from, to] = ["from", "to"].map((label) => {
      return this.#stack.use(File.anonymous(label, SLOTS * IMAGE_BYTES)).fd;
    });
    this.#transformer.attach({ from: from!, to: to!, slots: SLOTS });
  }

  /** How often the bell was rung. */
  get rings(): number {
    return Atomics.load(new Int32Array(this.#queue.bell), 0);
  }

  get free(): boolean {
    return this.#hands.free;
  }

  submit(slot: number): void {
    const job = { slot, toSlot: slot, bytes: IMAGE_BYTES, compressed: false };
    this.#hands.submit(job, () => this.told.push(slot));
  }

  /** The Worker's side, for one job. */
  work(): void {
    let left = 1;
    runTransformer(this.#queue, this.#transformer, () => left-- === 0, () => {});
  }

  poll(): void {
    this.#hands.poll();
  }

  [Symbol.dispose](): void {
    this.#transformer.detach();
    this.#stack.dispose();
  }
}
