import assert from "node:assert/strict";
import type { RingImage } from "../../lib/acquisition/mod.ts";
import { COMPRESSED, FakeAssembler, uniqueDetector, type Without } from "./_fake_assembler.ts";
import { until } from "./_fakes.ts";
import { RingImageSource } from "./ring_image_source.ts";

const SLOTS = 16;

interface World {
  source: RingImageSource;
  /** Starts an assembler; ends when the test does. */
  assembler: (without?: Without) => FakeAssembler;
  /** Collects what a sequence gives. */
  follow: (startImageId?: bigint) => RingImage[];
}

async function withSource(
  body: (world: World) => Promise<void>,
  suffix = "image",
): Promise<void> {
  const detector = uniqueDetector();
  const ipcFolder = await Deno.makeTempDir({ prefix: "agt_" });
  const controller = new AbortController();
  const sequences: Promise<void>[] = [];
  const cleanup = new DisposableStack();
  const source = cleanup.use(new RingImageSource({ detector, ipcFolder, suffix }));
  try {
    await body({
      source,
      assembler: (without) =>
        cleanup.use(new FakeAssembler(detector, ipcFolder, SLOTS, without, suffix)),
      follow: (startImageId) => {
        const images: RingImage[] = [];
        const sequence = source.follow(controller.signal, startImageId);
        sequences.push(collect(sequence, images));
        return images;
      },
    });
  } finally {
    controller.abort();
    await Promise.all(sequences);
    cleanup.dispose();
    await Deno.remove(ipcFolder, { recursive: true });
  }
}

async function collect(sequence: AsyncIterable<RingImage>, into: RingImage[]): Promise<void> {
  for await (const image of sequence) into.push(image);
}

const ids = (images: RingImage[]): bigint[] => images.map(({ metadata }) => metadata.imageId);
const times = (n: number, body: () => bigint): bigint[] => Array.from({ length: n }, body);

Deno.test("RingImageSource gives the images published after follow(), in order, once", async () => {
  await withSource(async ({ source, assembler, follow }) => {
    const writer = assembler();
    times(5, () => writer.publish());
    const images = follow();
    const published: bigint[] = [];
    for (let i = 0; i < 50; i++) {
      published.push(...times(3, () => writer.publish()));
      await until("caught up", () => images.length === published.length);
    }
    assert.deepEqual(ids(images), published);
    assert.equal(images[0]?.entry, 5n);
    assert.ok(images.every(({ skipped }) => skipped === 0));
    assert.equal(source.slots, SLOTS);
  });
});

Deno.test("RingImageSource needs no message: the index is the truth", async () => {
  await withSource(async ({ assembler, follow }) => {
    const writer = assembler({ stream: true });
    const images = follow();
    const published = times(7, () => writer.publish());
    await until("found", () => images.length === 7);
    assert.deepEqual(ids(images), published);
  });
});

Deno.test("RingImageSource says how many images were overwritten before it looked", async () => {
  await withSource(async ({ assembler, follow }) => {
    const writer = assembler();
    const images = follow();
    const published = times(100, () => writer.publish());
    await until("at the end", () => ids(images).at(-1) === published.at(-1));
    const skipped = images.reduce((sum, image) => sum + image.skipped, 0);
    assert.equal(skipped + images.length, 100);
    assert.ok(skipped >= 100 - SLOTS);
  });
});

Deno.test("RingImageSource begins with images of a range that are in the ring, and says how many are not", async () => {
  await withSource(async ({ assembler, follow }) => {
    const writer = assembler();
    const published = times(SLOTS + 4, () => writer.publish());
    const [early, inside, future] = [published[1]!, published[10]!, published.at(-1)! + 2n].map(
      follow,
    );
    published.push(...times(3, () => writer.publish()));
    await until("inside", () => ids(inside!).at(-1) === published.at(-1));
    assert.deepEqual(ids(inside!), published.slice(10));
    assert.ok(inside!.every(({ skipped }) => skipped === 0));
    await until("early", () => ids(early!).at(-1) === published.at(-1));
    // Three were gone at the request; of the rest, the follower may have lost some to the last three.
    assert.ok(early![0]!.skipped >= 3);
    const skipped = early!.reduce((sum, image) => sum + image.skipped, 0);
    assert.equal(skipped + early!.length, published.length - 1);
    await until("future", () => ids(future!).at(-1) === published.at(-1));
    assert.deepEqual(ids(future!), published.slice(-3)); // the machine leaves the smaller ones alone
  });
});

Deno.test("RingImageSource waits for an assembler that starts later, and takes all of its images", async () => {
  await withSource(async ({ source, assembler, follow }) => {
    assert.equal(source.slots, undefined);
    const images = follow();
    const writer = assembler();
    const published = times(3, () => writer.publish());
    await until("found", () => images.length === 3);
    assert.deepEqual(ids(images), published);
    assert.equal(images[0]?.entry, 0n);
  });
});

Deno.test("RingImageSource goes on with the ring of a restarted assembler", async () => {
  await withSource(async ({ assembler, follow }) => {
    const first = assembler();
    const images = follow();
    const published = times(2, () => first.publish());
    first[Symbol.dispose]();
    const second = assembler();
    published.push(...times(2, () => second.publish()));
    await until("both", () => images.length === 4);
    assert.deepEqual(ids(images), published);
  });
});

Deno.test("RingImageSource takes the stream's word where there is no index", async () => {
  await withSource(async ({ assembler, follow }) => {
    const writer = assembler({ index: true });
    const images = follow();
    // A subscriber that is not connected yet misses messages: publish until the first is there.
    await until("connected", () => writer.publish() > 0n && images.length > 0);
    const before = images.length;
    const published = times(5, () => writer.publish());
    await until("all", () => ids(images).at(-1) === published.at(-1));
    assert.ok(images.length >= before + 5);
    assert.deepEqual(ids(images).slice(-5), published);
    assert.ok(images.every(({ entry }) => entry === undefined));
  });
});

Deno.test("RingImageSource tells of the images that a compressor lost", async () => {
  await withSource(async ({ source, assembler, follow }) => {
    const first = assembler();
    first.publish();
    first.lose(5); // before
    source.follow(new AbortController().signal);
    const images = follow();
    first.publish();
    first.lose(2);
    await until("one image", () => images.length === 1);
    first.publish();
    await until("two images", () => images.length === 2);
    first[Symbol.dispose]();
    const second = assembler();
    second.lose(3);
    second.publish();
    await until("three images", () => images.length === 3);
    const skipped = images.map((image) => image.skipped);
    assert.equal(skipped[0]! + skipped[1]!, 2);
    assert.equal(skipped[2], 3);
  }, COMPRESSED);
});
