import assert from "node:assert/strict";
import { makeConverterQueue, WorkerConverters } from "./converter_queue.ts";
import type { ConverterSetup } from "./module_converter.ts";
import { PACKETS, Rig, type RigOptions } from "./_testing.ts";
import type { TestWorkerInit } from "./testdata/converter_worker.ts";

const MODULES = 5;
const WORKERS = 2;

/** Converters on real Workers; they end with the scope. */
class Hands implements AsyncDisposable {
  readonly #workers: Worker[] = [];
  readonly #stop = new SharedArrayBuffer(4);
  readonly #ended: Promise<void>[] = [];

  start(setup: ConverterSetup): WorkerConverters {
    const bell = new SharedArrayBuffer(4);
    const queues = Array.from({ length: WORKERS }, makeConverterQueue);
    for (const [lane, queue] of queues.entries()) {
      const worker = new Worker(new URL("testdata/converter_worker.ts", import.meta.url), {
        type: "module",
      });
      const { promise, resolve } = Promise.withResolvers<void>();
      worker.onmessage = (): void => resolve();
      const modules = setup.modules.filter(({ module }) => module % WORKERS === lane);
      const init: TestWorkerInit = { setup: { ...setup, modules }, queue, bell, stop: this.#stop };
      worker.postMessage(init);
      this.#workers.push(worker);
      this.#ended.push(promise);
    }
    return new WorkerConverters(queues, bell, setup.modules.map(({ module }) => module % WORKERS));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    await Promise.all(this.#ended);
    for (const worker of this.#workers) worker.terminate();
  }
}

/** Sends images with losses; returns what comes out. */
function run(options: Omit<RigOptions, "modules">): Rig["images"] {
  using rig = new Rig({ modules: MODULES, frameSlots: 512, imageSlots: 64, window: 8, ...options });
  for (let id = 1; id <= 300; id++) {
    for (const [m, receiver] of rig.receivers.entries()) {
      if ((id * 13 + m * 7) % 17 === 0) continue;
      receiver.publish(id, { missing: (id + m) % 29 === 0 ? PACKETS / 2 : 0 });
    }
    if (id % 3 === 0) rig.pump();
  }
  rig.finish();
  return rig.images;
}

Deno.test("WorkerConverters make the same images in the same order as InlineConverters", async () => {
  await using hands = new Hands();
  const inline = run({});
  assert.equal(inline.length, 300);
  assert.ok(inline.some((image) => image.status === 2));
  assert.deepEqual(run({ converters: (setup) => hands.start(setup) }), inline);
});

Deno.test("WorkerConverters take more jobs than a queue has room for", async () => {
  await using hands = new Hands();
  let converters: WorkerConverters | undefined;
  using _ = new Rig({
    modules: 2,
    converters: (setup) => converters = hands.start(setup),
  });
  let done = 0;
  for (let i = 0; i < 10_000; i++) {
    const job = {
      operation: "blank",
      module: i % 2,
      frameSlot: 0,
      imageSlot: i % 16,
      missingPackets: 0,
      bank: 0,
    } as const;
    converters!.submit({ ...job, done: () => void done++ });
  }
  while (converters!.poll() > 0) converters!.wait();
  assert.equal(done, 10_000);
});
