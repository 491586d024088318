import assert from "node:assert/strict";
import { indexMemory, publishRange, RingProcess, TestName, tinyRing } from "./_test_ring.ts";
import { RING_MARK_MEMORY_BYTES, RingMark, RingReader, RingWriter, SharedMemory } from "./mod.ts";

/** The mark of a reader that has just attached. */
function claim(reader: RingReader, name: string): RingMark | undefined {
  const memory = new SharedMemory(RING_MARK_MEMORY_BYTES);
  return RingMark.claim(memory, memory.allocate(RING_MARK_MEMORY_BYTES, 4096), reader, name);
}

Deno.test("a mark tells the next reader of its name how far the former one got, and no other", () => {
  using ring = new TestName();
  using _writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  for (
    const [name, found, left] of [["a", undefined, 0n], ["b", undefined, 7n], [
      "a",
      0n,
      3n,
    ]] as const
  ) {
    using reader = RingReader.open(indexMemory(), ring.name);
    const mark = claim(reader, name)!;
    assert.equal(mark.next, found);
    mark.next = left;
  }
  using reader = RingReader.open(indexMemory(), ring.name);
  assert.deepEqual(["a", "b"].map((name) => claim(reader, name)!.next), [3n, 7n]);
});

Deno.test("a mark outlives the ring's writer, not the ring", async () => {
  using ring = new TestName();
  await using process = new RingProcess("write", ring.name, 3);
  await process.answer();
  {
    using reader = RingReader.open(indexMemory(), ring.name);
    claim(reader, "a")!.next = 2n;
  }
  await process.kill();
  {
    using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
    assert.ok(writer.takenOver);
    publishRange(writer, 3, 5);
    using reader = RingReader.open(indexMemory(), ring.name);
    assert.equal(claim(reader, "a")!.next, 2n);
  }
  using _writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  using reader = RingReader.open(indexMemory(), ring.name);
  assert.equal(claim(reader, "a")!.next, undefined);
});

Deno.test("sixteen readers have marks; there is none in a ring that has ended", () => {
  using ring = new TestName();
  using writer = RingWriter.create(indexMemory(), tinyRing(ring.name));
  using reader = RingReader.open(indexMemory(), ring.name);
  const marks = Array.from({ length: 17 }, (_, i) => claim(reader, `reader ${i}`));
  assert.deepEqual(marks.map((mark) => mark !== undefined), marks.map((_, i) => i < 16));
  assert.ok(claim(reader, "reader 3") !== undefined);
  writer.close();
  assert.equal(claim(reader, "reader 3"), undefined);
});
