import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { copyFrom, File } from "../../lib/os/mod.ts";
import { startDataWorker } from "../../lib/service/mod.ts";
import { makeTransformQueues, type TransformWorkerInit } from "../../lib/transform/mod.ts";
import {
  type CompressedImage,
  compressorSetup,
  InlineCompressors,
  type RingData,
  WorkerCompressors,
} from "../../lib/writer/mod.ts";

const FORMAT = { elementBytes: 2, imageBytes: 20_000 } as const;
const IMAGES = 50;
/** Images with this remainder of 3 are noise, which does not get smaller. */
const NOISE = 2;

/** A ring, of which the test knows nothing but its file, of images of one value each, of steps and of noise. */
function makeRing(seed: number): { file: File; ring: RingData } {
  const file = File.anonymous("images", IMAGES * FORMAT.imageBytes);
  let x = seed;
  for (let image = 0; image < IMAGES; image++) {
    const pixels = Uint16Array.from({ length: FORMAT.imageBytes / 2 }, (_, i) => {
      x ^= x << 13, x ^= x >>> 17, x ^= x << 5;
      return image % 3 === NOISE ? x : image % 3 === 1 ? i + image + seed : image;
    });
    file.writeAt(new Uint8Array(pixels.buffer), image * FORMAT.imageBytes);
  }
  return { file, ring: { fd: file.fd, slots: IMAGES } };
}

/** Compresses all images of a ring, as many at once as it may be. */
function compressAll(
  compressors: InlineCompressors | WorkerCompressors,
  ring: RingData,
): { bytes: Uint8Array; compressed: boolean }[] {
  compressors.attach(ring);
  const chunks: { bytes: Uint8Array; compressed: boolean }[] = [];
  const copyOf = ({ address, bytes }: CompressedImage): Uint8Array => {
    const copy = new Uint8Array(bytes);
    copyFrom(address, copy);
    return copy;
  };
  let submitted = 0;
  while (chunks.length < IMAGES) {
    while (submitted < IMAGES && submitted - chunks.length < compressors.capacity) {
      compressors.submit(submitted++);
    }
    const done = compressors.finished(0);
    if (done === undefined) {
      compressors.wait();
      continue;
    }
    chunks.push({ bytes: copyOf(done), compressed: done.compressed });
    compressors.release();
  }
  assert.equal(compressors.finished(0), undefined);
  return chunks;
}

Deno.test("compressors' threads give back every image in order, on as many threads as asked for", async () => {
  const queues = makeTransformQueues(3);
  const workers = queues.map((queue, i) => {
    const init: TransformWorkerInit = { setup: compressorSetup(FORMAT), queue };
    const url = new URL("compress_worker.ts", import.meta.url);
    return startDataWorker(url, { name: `compress-${i}`, init, counters: [] });
  });
  try {
    await Promise.all(workers.map(({ ready }) => ready));
    using inline = new InlineCompressors(FORMAT);
    using compressors = new WorkerCompressors(FORMAT, queues);
    // A ring takes the place of another one.
    for (
      const [seed, threads, capacity] of [[1, 0, 12], [2, 1, 4], [3, 2, 8], [4, 9, 12]] as const
    ) {
      const { file, ring } = makeRing(seed);
      using _file = file;
      compressors.use(threads);
      assert.equal(compressors.capacity, capacity);
      const expected = compressAll(inline, ring);
      const chunks = compressAll(compressors, ring);
      chunks.forEach(({ bytes, compressed }, i) => {
        assert.equal(compressed, i % 3 !== NOISE, `image ${i}`);
        const same = Buffer.compare(bytes, expected[i]!.bytes) === 0;
        assert.ok(same, `image ${i} of ${threads} threads`);
        if (compressed) return;
        const pixels = new Uint8Array(FORMAT.imageBytes);
        file.readAt(pixels, i * FORMAT.imageBytes);
        assert.ok(Buffer.compare(bytes, pixels) === 0, `image ${i} as it is`);
      });
      inline.detach();
      compressors.detach();
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
});
