import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { addressOf, copyFrom } from "../../lib/os/mod.ts";
import { startDataWorker } from "../../lib/service/mod.ts";
import {
  InlineCompressors,
  makeCompressorQueues,
  WorkerCompressors,
} from "../../lib/writer/mod.ts";
import type { CompressWorkerInit } from "./compress_worker.ts";

const FORMAT = { elementBytes: 2, imageBytes: 20_000 } as const;
const IMAGES = 50;

/** Images of one value each, and of noise: large and small chunks. */
const images = Array.from(
  { length: IMAGES },
  (_, image) =>
    Uint16Array.from({ length: 10_000 }, (_, i) => image % 3 === 0 ? image : (i * i * image) >> 3),
);

/** Compresses all images, as many at once as it may be. */
function compressAll(compressors: InlineCompressors | WorkerCompressors): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let submitted = 0;
  while (chunks.length < IMAGES) {
    while (submitted < IMAGES && submitted - chunks.length < compressors.capacity) {
      // The images themselves are kept here: an address alone does not keep them alive.
      compressors.submit(addressOf(new Uint8Array(images[submitted++]!.buffer)));
    }
    const done = compressors.oldest();
    if (done === undefined) {
      compressors.wait();
      continue;
    }
    const chunk = new Uint8Array(done.bytes);
    copyFrom(done.address, chunk);
    chunks.push(chunk);
    compressors.release();
  }
  assert.equal(compressors.oldest(), undefined);
  return chunks;
}

Deno.test("compressors' threads give back every image in order, on as many threads as asked for", async () => {
  const queues = makeCompressorQueues(3);
  const workers = queues.map((queue, i) => {
    const init: CompressWorkerInit = { format: FORMAT, queue };
    const url = new URL("compress_worker.ts", import.meta.url);
    return startDataWorker(url, { name: `compress-${i}`, init, counters: [] });
  });
  try {
    await Promise.all(workers.map(({ ready }) => ready));
    const expected = compressAll(new InlineCompressors(FORMAT));
    const compressors = new WorkerCompressors(queues);
    for (const [threads, capacity] of [[0, 6], [1, 2], [2, 4], [9, 6]] as const) {
      compressors.use(threads);
      assert.equal(compressors.capacity, capacity);
      const chunks = compressAll(compressors);
      chunks.forEach((chunk, i) => {
        assert.ok(Buffer.compare(chunk, expected[i]!) === 0, `image ${i} of ${threads} threads`);
      });
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
});
