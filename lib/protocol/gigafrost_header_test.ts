import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, survives } from "./_test_helpers.ts";
import {
  GIGAFROST_HEADER,
  GIGAFROST_PROTOCOL_ID,
  gigafrostHeaderAt,
  readGigafrostHeader,
  writeGigafrostHeader,
} from "./gigafrost_header.ts";
import { ProtocolError } from "./protocol_error.ts";
import { viewOf } from "./wire_struct.ts";

/** Header of the last packet of frame 300, quadrant SE, link 1, that std-daq's receivers took. */
const RECORDED = "cb153f60070000002c010000000033005" + "2aa080000d204000b00000016000000";

Deno.test("readGigafrostHeader() reads a packet that the original's receiver took", () => {
  assert.deepEqual(readGigafrostHeader(fromHex(RECORDED)), {
    protocolId: GIGAFROST_PROTOCOL_ID,
    rowBlocks: 21,
    quadrantRows: 62,
    swappedRows: true,
    quadrantId: 1,
    linkId: 1,
    corrMode: 0,
    scanId: 7,
    frameIndex: 300,
    doNotStore: false,
    startingRow: 51,
    frameTimestamp: 567890n,
    exposureTime: 1234n,
    syncTime: 11,
    scanTime: 22,
  });
});

const header = fc.record({
  protocolId: fc.integer({ min: 0, max: 255 }),
  rowBlocks: fc.integer({ min: 0, max: 255 }),
  quadrantRows: fc.integer({ min: 0, max: 511 }).map((half) => 2 * half),
  swappedRows: fc.boolean(),
  quadrantId: fc.integer({ min: 0, max: 3 }),
  linkId: fc.integer({ min: 0, max: 1 }),
  corrMode: fc.integer({ min: 0, max: 7 }),
  scanId: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  frameIndex: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  doNotStore: fc.boolean(),
  startingRow: fc.integer({ min: 0, max: 65535 }),
  frameTimestamp: fc.bigInt({ min: 0n, max: 2n ** 40n - 1n }),
  exposureTime: fc.bigInt({ min: 0n, max: 2n ** 24n - 1n }),
  syncTime: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  scanTime: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
}, { noNullPrototype: true });

Deno.test("writeGigafrostHeader() writes what readGigafrostHeader() reads, and nothing beside it", () => {
  fc.assert(fc.property(header, (values) => {
    const bytes = new Uint8Array(48).fill(0xa5);
    writeGigafrostHeader(viewOf(bytes), 8, values);
    assert.deepEqual(readGigafrostHeader(bytes.subarray(8)), values);
    assert.deepEqual(gigafrostHeaderAt(viewOf(bytes), 8), values);
    assert.ok([...bytes.subarray(0, 8), ...bytes.subarray(40)].every((byte) => byte === 0xa5));
  }));
});

Deno.test("doNotStore is bit 15 of the image's status, and no other", () => {
  const bytes = fromHex(RECORDED);
  const at = GIGAFROST_HEADER.at.imageStatus;
  viewOf(bytes).setUint16(at, 0x7fff, true);
  assert.equal(readGigafrostHeader(bytes).doNotStore, false);
  viewOf(bytes).setUint16(at, 0x8000, true);
  assert.equal(readGigafrostHeader(bytes).doNotStore, true);
});

Deno.test("readGigafrostHeader() refuses what is shorter than a header, and takes any other bytes", () => {
  assert.throws(() => readGigafrostHeader(new Uint8Array(31)), ProtocolError);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    assert.equal(survives(() => readGigafrostHeader(bytes)), bytes.length >= 32);
  }));
});
