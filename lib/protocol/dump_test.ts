import assert from "node:assert/strict";
import fc from "fast-check";
import { survives } from "./_test_helpers.ts";
import {
  encodeDump,
  encodeDumpRecord,
  MAX_DATAGRAM_BYTES,
  readDump,
  readDumpStream,
} from "./dump.ts";
import { ProtocolError } from "./protocol_error.ts";

const packets = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 });

/** `bytes` cut into pieces of `size`, in one buffer that is used again, as a file reader does. */
function* reusedPieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    buffer.fill(0xee);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
  }
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const packet of stream) all.push(packet.slice());
  return all;
}

Deno.test("encodeDumpRecord() writes the length as u64 before the packet", () => {
  assert.deepEqual(
    encodeDumpRecord(new Uint8Array([7, 8, 9])),
    new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0, 7, 8, 9]),
  );
});

Deno.test("readDump() undoes encodeDump()", () => {
  fc.assert(fc.property(packets, (value) => {
    assert.deepEqual([...readDump(encodeDump(value))].map((p) => p.slice()), value);
  }));
});

Deno.test("readDump() takes the longest datagram and gives views, not copies", () => {
  const dump = encodeDump([new Uint8Array(MAX_DATAGRAM_BYTES)]);
  const [packet] = readDump(dump);
  assert.equal(packet?.byteLength, MAX_DATAGRAM_BYTES);
  assert.equal(packet?.buffer, dump.buffer);
});

Deno.test("readDumpStream() gives the same packets however the dump is cut", async () => {
  await fc.assert(
    fc.asyncProperty(packets, fc.integer({ min: 1, max: 60 }), async (value, size) => {
      const stream = readDumpStream(reusedPieces(encodeDump(value), size));
      assert.deepEqual(await collect(stream), value);
    }),
  );
});

Deno.test("readDump() names the offset of a wrong length", () => {
  for (const length of [0n, 65508n, 0xffff_ffff_ffff_ffffn]) {
    const dump = new Uint8Array([...encodeDump([new Uint8Array(4)]), 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    new DataView(dump.buffer).setBigUint64(12, length, true);
    assert.throws(() => [...readDump(dump)], {
      name: "ProtocolError",
      message: `dump at offset 12: packet length ${length}, expected 1 to 65507 bytes`,
    });
  }
});

Deno.test("readDump() gives whole packets before it tells that the dump was cut off", () => {
  const dump = encodeDump([new Uint8Array(4), new Uint8Array(9)]);
  for (const length of [13, 20, 28]) {
    const seen: number[] = [];
    assert.throws(() => {
      for (const packet of readDump(dump.subarray(0, length))) seen.push(packet.byteLength);
    }, /dump ends inside the record at offset 12/);
    assert.deepEqual(seen, [4]);
  }
});

Deno.test("readDumpStream() names the offset in the whole dump, not in the piece", async () => {
  const dump = encodeDump([new Uint8Array(4), new Uint8Array(9)]);
  await assert.rejects(
    collect(readDumpStream(reusedPieces(dump.subarray(0, 28), 5))),
    /dump ends inside the record at offset 12, 16 bytes/,
  );
  new DataView(dump.buffer).setBigUint64(12, 0n, true);
  await assert.rejects(
    collect(readDumpStream(reusedPieces(dump, 5))),
    /dump at offset 12: packet length 0/,
  );
});

Deno.test("readDump() throws nothing but ProtocolError on any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    survives(() => [...readDump(bytes)]);
  }));
});

Deno.test("encodeDumpRecord() refuses packets that are no datagram", () => {
  assert.throws(() => encodeDumpRecord(new Uint8Array(0)), ProtocolError);
  assert.throws(() => encodeDumpRecord(new Uint8Array(MAX_DATAGRAM_BYTES + 1)), ProtocolError);
});
