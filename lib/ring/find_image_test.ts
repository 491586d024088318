import assert from "node:assert/strict";
import { findImage } from "./find_image.ts";
import { RingReader } from "./ring_reader.ts";
import { RingWriter } from "./ring_writer.ts";
import { entryOf, indexMemory, publishRange, TestName, tinyRing } from "./_test_ring.ts";

/** A ring of 16 slots, with its writer and a reader. */
function withRing(body: (writer: RingWriter, reader: RingReader) => void): void {
  using name = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(name.name));
  using reader = RingReader.open(indexMemory(), name.name);
  body(writer, reader);
}

function publish(writer: RingWriter, ...ids: number[]): void {
  for (const id of ids) publishRange(writer, id, id + 1);
}

Deno.test("findImage() finds where an id is, or would be", () => {
  withRing((writer, reader) => {
    assert.deepEqual(findImage(reader, 5n), { entry: 0n, overwritten: 0n });
    publish(writer, 3, 4, 6, 7);
    for (const [id, entry] of [[0, 0], [4, 1], [5, 2], [6, 2], [7, 3], [8, 4]] as const) {
      assert.deepEqual(findImage(reader, BigInt(id)), { entry: BigInt(entry), overwritten: 0n });
    }
  });
});

Deno.test("findImage() tells how many are overwritten already, by the distance of the others", () => {
  withRing((writer, reader) => {
    publishRange(writer, 100, 120); // 16 slots: 104 and later are there
    assert.deepEqual(findImage(reader, 104n), { entry: 4n, overwritten: 0n });
    assert.deepEqual(findImage(reader, 101n), { entry: 4n, overwritten: 3n });
    // No more than there have been.
    assert.deepEqual(findImage(reader, 0n), { entry: 4n, overwritten: 4n });
  });
  withRing((writer, reader) => {
    publish(writer, ...Array.from({ length: 20 }, (_, i) => 100 + 3 * i));
    assert.deepEqual(findImage(reader, 105n), { entry: 4n, overwritten: 2n });
  });
});

Deno.test("findImage() leaves alone what came before the detector counted anew", () => {
  withRing((writer, reader) => {
    publish(writer, 5, 6, 7, 1, 2, 6, 7);
    assert.deepEqual(findImage(reader, 6n), { entry: 5n, overwritten: 0n });
    assert.deepEqual(findImage(reader, 1n), { entry: 3n, overwritten: 0n });
    const again = entryOf(7n, writer.spec.slots);
    writer.lockSlot(again.slot);
    writer.publish(again);
    assert.deepEqual(findImage(reader, 7n), { entry: 7n, overwritten: 0n });
  });
});
