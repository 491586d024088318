import assert from "node:assert/strict";
import { File } from "../os/mod.ts";
import { decodeImageMetadata, encodeImageMetadata } from "../protocol/mod.ts";
import { dataBytes, dataPath, RingMismatchError } from "../ring/mod.ts";
import { afterTakeover, indexAtEveryStore } from "../ring/_test_ring.ts";
import { TRANSFORM_COUNTERS, transformCounterIndex } from "./counters.ts";
import { formerPlace } from "./source_place.ts";
import {
  entriesOf,
  IMAGE_BYTES,
  makeRing,
  metadataOf,
  pixelsOf,
  publish,
  SLOTS,
  TestNames,
  TestTransform,
} from "./_testing.ts";
import { SlotTransformer } from "./slot_transformer.ts";
import { ImageMetadataDtype } from "../../proto/gen/std_buffer/image_metadata_pb.ts";

Deno.test("images are compressed and decompressed again in order, with all that is known of them", () => {
  using names = new TestNames();
  using ring = makeRing(names.image);
  using compress = new TestTransform("compress", names.image, names.compressed);
  using decompress = new TestTransform("decompress", names.compressed, names.again);
  for (let id = 100; id < 100 + SLOTS; id++) publish(ring, id, pixelsOf(id, id === 103));
  compress.settle();
  decompress.settle();

  const [images, chunks, again] = [names.image, names.compressed, names.again].map(entriesOf);
  assert.equal(again!.length, SLOTS);
  images!.forEach(({ record, bytes }, i) => {
    const chunk = chunks![i]!, back = again![i]!;
    const { publishedNs: _a, slotLock: _b, metadata, buffer: _c, ...facts } = record;
    for (const { record: other } of [chunk, back]) {
      const { publishedNs: _a, slotLock: _b, metadata: _m, buffer: _c, ...others } = other;
      assert.deepEqual({ ...others, payloadBytes: IMAGE_BYTES }, facts);
    }
    assert.deepEqual(back.bytes, bytes);
    assert.deepEqual(back.record.metadata.slice(), metadata.slice());
    const noise = record.imageId === 103n;
    assert.deepEqual(decodeImageMetadata(chunk.record.metadata), {
      ...decodeImageMetadata(metadata),
      size: chunk.bytes.length,
      compression: noise ? "none" : "h5bitshuffle_lz4",
    });
    // The header of filter 32008: bytes of the image and of a block, big endian.
    const header = new DataView(chunk.bytes.buffer);
    if (noise) assert.deepEqual(chunk.bytes, bytes);
    else {assert.deepEqual([header.getBigUint64(0), header.getUint32(8)], [
        BigInt(IMAGE_BYTES),
        8192,
      ]);}
  });
  assert.deepEqual(compress.messages, chunks!.map(({ record }) => record.metadata.slice()));
  const bytes = chunks!.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  assert.deepEqual(compress.counts, {
    ...{ images_in: SLOTS, images_out: SLOTS, images_incompressible: 1 },
    ...{ bytes_in: SLOTS * IMAGE_BYTES, bytes_out: bytes },
  });
  assert.equal(decompress.count("images_out"), SLOTS);
});

Deno.test("images that are overwritten before or while they are compressed are counted, not published", () => {
  using names = new TestNames();
  using ring = makeRing(names.image);
  using compress = new TestTransform("compress", names.image, names.compressed);
  publish(ring, 1);
  compress.pump(); // under way
  for (let id = 2; id <= 20; id++) publish(ring, id);
  compress.settle();
  const ids = entriesOf(names.compressed).map(({ record }) => Number(record.imageId));
  assert.deepEqual(ids, ids.toSorted((a, b) => a - b));
  assert.equal(ids.at(-1), 20);
  const { images_in, images_out, images_overwritten } = compress.counts;
  assert.deepEqual([images_in, images_out], [20, ids.length]);
  assert.equal(images_overwritten, 20 - ids.length);
});

Deno.test("an image is counted with its publication, whenever the service is killed", () => {
  using names = new TestNames();
  using ring = makeRing(names.image);
  using compress = new TestTransform("compress", names.image, names.compressed);
  publish(ring, 1);
  publish(ring, 2, pixelsOf(2, true)); // incompressible
  const counted = indexAtEveryStore(names.compressed, () => compress.settle()).map((index) =>
    afterTakeover(
      compress.ring.spec,
      index,
      (writer) => [
        Number(writer.head),
        ...TRANSFORM_COUNTERS.map((name) =>
          Number(writer.index.counter(transformCounterIndex(name)))
        ),
        Number(formerPlace(writer)!.next),
      ],
    )
  );
  const first = entriesOf(names.compressed)[0]!.bytes.length;
  assert.deepEqual([...new Set(counted.map(String))], [
    String([0, 0, 0, 0, 0, 0, 0, 0, 0]),
    String([1, 1, 1, 0, 0, 0, IMAGE_BYTES, first, 1]),
    String([2, 2, 2, 0, 0, 1, 2 * IMAGE_BYTES, first + IMAGE_BYTES, 2]),
  ]);
});

Deno.test("an image waits for another one in its slot", () => {
  using names = new TestNames();
  using ring = makeRing(names.image);
  using compress = new TestTransform("compress", names.image, names.compressed);
  for (const id of [1, 2, 1 + SLOTS]) publish(ring, id);
  compress.settle();
  assert.deepEqual(compress.count("images_in"), 3);
  assert.deepEqual(entriesOf(names.compressed).map(({ record }) => record.imageId), [2n, 9n]);
});

Deno.test("chunks that are damaged are counted, with the reason, and harm nobody", () => {
  using names = new TestNames();
  using ring = makeRing(names.compressed);
  using decompress = new TestTransform("decompress", names.compressed, names.again);
  const compression = "h5bitshuffle_lz4";
  publish(ring, 1, new Uint8Array(100), { compression });
  publish(ring, 2, pixelsOf(2).subarray(0, 64));
  publish(ring, 3, new Uint8Array(3), { compression });
  publish(ring, 4);
  decompress.settle();
  assert.equal(decompress.count("images_damaged"), 3);
  assert.deepEqual(entriesOf(names.again).map(({ record }) => record.imageId), [4n]);
  assert.match(decompress.hands.reasons.join("\n"), /claims|holds 0 bytes, expected 4096/);
  assert.match(decompress.hands.reasons.join("\n"), /it has 64 bytes, expected a chunk/);
});

Deno.test("what was published before anyone followed the ring is not compressed", () => {
  using names = new TestNames();
  using ring = makeRing(names.image);
  publish(ring, 1);
  using compress = new TestTransform("compress", names.image, names.compressed);
  compress.settle();
  assert.deepEqual(compress.ids, []);
});

Deno.test("after a kill every image comes, once, and what was overwritten meanwhile is counted", () => {
  using names = new TestNames();
  using ring = makeRing(names.image);
  let published = 0;
  // The detector counts anew now and then.
  const publishNext = (images: number): void => {
    for (const last = published + images; published < last; published++) {
      publish(ring, 1 + published % (2 * SLOTS), pixelsOf(published));
    }
  };
  let taken = 0;
  for (const meanwhile of [3, 0, SLOTS - 1, 3 * SLOTS, 0]) {
    using compress = new TestTransform("compress", names.image, names.compressed);
    compress.settle();
    publishNext(1);
    compress.settle();
    taken += compress.ids.length;
    const counts = [published, taken, published - taken];
    const { images_in = 0, images_out = 0, images_overwritten = 0 } = compress.counts;
    assert.deepEqual([images_in, images_out, images_overwritten], counts);
    compress.kill();
    publishNext(meanwhile);
  }
  // Of the lapped ring, the writer of which is left some room.
  assert.equal(published - taken, 3 * SLOTS - (SLOTS - 1));
});

Deno.test("images that were under way at a kill are compressed by the next one", () => {
  using names = new TestNames();
  using ring = makeRing(names.image);
  using killed = new TestTransform("compress", names.image, names.compressed);
  for (const id of [1, 2, 3]) publish(ring, id);
  killed.pump();
  assert.equal(killed.transformer.pending, 3);
  killed.kill();
  using compress = new TestTransform("compress", names.image, names.compressed);
  compress.settle();
  assert.deepEqual(compress.ids, [1, 2, 3]);
});

Deno.test("of an image ring that was made anew after a kill, no image is missed", () => {
  using names = new TestNames();
  {
    using ring = makeRing(names.image);
    using killed = new TestTransform("compress", names.image, names.compressed);
    for (const id of [1, 2, 3]) publish(ring, id);
    killed.settle();
    killed.kill();
  }
  using ring = makeRing(names.image);
  for (let id = 1; id <= 5; id++) publish(ring, id);
  using compress = new TestTransform("compress", names.image, names.compressed);
  compress.settle();
  assert.deepEqual(compress.ids, [1, 2, 3, 4, 5]);
});

Deno.test("a ring that appears later, or takes another one's place, is followed from its first image", () => {
  using names = new TestNames();
  using compress = new TestTransform("compress", names.image, names.compressed);
  for (const first of [1, 3]) {
    using ring = makeRing(names.image);
    for (const id of [first, first + 1]) publish(ring, id);
    compress.settle();
    publish(ring, first + 20);
    ring.close(); // its last image comes before its end
    compress.settle();
  }
  assert.deepEqual(
    entriesOf(names.compressed).map(({ record }) => Number(record.imageId)),
    [1, 2, 21, 3, 4, 23],
  );
});

Deno.test("a ring without an index is read as the messages say", () => {
  using names = new TestNames();
  using compress = new TestTransform("compress", names.image, names.compressed);
  using data = File.open(dataPath(names.image), { write: true, create: true });
  data.truncate(dataBytes({ slotBytes: IMAGE_BYTES, slots: SLOTS }));
  for (const id of [10, 11]) {
    data.writeAt(pixelsOf(id), (id % SLOTS) * IMAGE_BYTES);
    assert.ok(compress.transformer.offer(encodeImageMetadata(metadataOf(id)), 1n));
  }
  compress.settle();
  const entries = entriesOf(names.compressed);
  assert.deepEqual(entries.map(({ record }) => [record.imageId, record.status]), [[10n, 1], [
    11n,
    1,
  ]]);
  assert.equal(decodeImageMetadata(entries[0]!.record.metadata).compression, "h5bitshuffle_lz4");
});

Deno.test("a ring of another number of slots, or of other images, is refused, and images too large for two in a memory", () => {
  for (
    const [changes, message] of [
      [{ slots: 2 * SLOTS }, /slots is 16, this service was told 8/],
      [{ height: 64, width: 32 }, /height is 64, this service was told 32/],
      [{ dtype: ImageMetadataDtype.int16 }, /dtype is \d+, this service was told 2/],
    ] as const
  ) {
    using names = new TestNames();
    using _ring = makeRing(names.image, changes);
    assert.throws(() => new TestTransform("compress", names.image, names.compressed), (error) => {
      assert.ok(error instanceof RingMismatchError);
      assert.match(error.message, message);
      return true;
    });
  }
  const setup = { operation: "compress", elementBytes: 2, blockElements: 0 } as const;
  assert.throws(
    () => new SlotTransformer({ ...setup, imageBytes: 2 ** 32 - 2 }),
    /Images of 4294967294 bytes are too large: 2 of them must fit/,
  );
});
