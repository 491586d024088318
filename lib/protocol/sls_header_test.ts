import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, survives } from "./_test_helpers.ts";
import {
  bunchIdFromDetSpec1,
  detSpec1FromBunchId,
  readSlsHeader,
  SLS_DETECTOR_TYPE,
  SLS_HEADER_BYTES,
  SLS_HEADER_VERSION,
  writeSlsHeader,
} from "./sls_header.ts";
import eiger9m from "./testdata/eiger9m.json" with { type: "json" };
import jungfrau from "./testdata/jungfrau.json" with { type: "json" };
import { viewOf } from "./wire_struct.ts";

Deno.test("readSlsHeader() reads a real Eiger packet", () => {
  assert.deepEqual(readSlsHeader(fromHex(eiger9m.firstPacketHeaders[71] ?? "")), {
    frameNumber: 29512n,
    expLength: 376,
    packetNumber: 0,
    detSpec1: 0n,
    timestamp: 0xd29647262en,
    modId: 0x73,
    row: 11,
    column: 5,
    detSpec2: 0,
    detSpec3: 0x6ae1,
    detSpec4: 0x2000,
    detType: SLS_DETECTOR_TYPE.eiger,
    version: SLS_HEADER_VERSION,
  });
});

Deno.test("bunchIdFromDetSpec1() reads the recorded Jungfrau bunch ids", () => {
  const ids = jungfrau.firstPacketHeaders.map((hex) => {
    const header = readSlsHeader(fromHex(hex));
    assert.equal(header.detType, SLS_DETECTOR_TYPE.jungfrau);
    return bunchIdFromDetSpec1(header.detSpec1);
  });
  assert.deepEqual(ids, [2005000n, 2005001n]);
});

Deno.test("writeSlsHeader() undoes readSlsHeader() on any 48 bytes, at any offset", () => {
  const header = fc.uint8Array({ minLength: SLS_HEADER_BYTES, maxLength: SLS_HEADER_BYTES });
  fc.assert(fc.property(header, fc.nat(9), (bytes, offset) => {
    const target = new Uint8Array(offset + SLS_HEADER_BYTES);
    writeSlsHeader(viewOf(target), offset, readSlsHeader(bytes));
    assert.deepEqual(target.subarray(offset), bytes);
  }));
});

Deno.test("readSlsHeader() throws ProtocolError when the packet is too short", () => {
  assert.throws(() => readSlsHeader(new Uint8Array(47)), {
    name: "ProtocolError",
    message: /packet of 47 bytes is shorter than the 48-byte header/,
  });
});

Deno.test("bunchIdFromDetSpec1() undoes detSpec1FromBunchId()", () => {
  fc.assert(fc.property(fc.bigInt(0n, 2n ** 53n), (id) => {
    assert.equal(bunchIdFromDetSpec1(detSpec1FromBunchId(id)), id);
  }));
  assert.throws(() => detSpec1FromBunchId(-1n), /bunch id -1/);
  assert.throws(() => detSpec1FromBunchId(2n ** 53n + 1n), /no exact double/);
  assert.throws(() => detSpec1FromBunchId(2n ** 64n), /no exact double/);
});

Deno.test("bunchIdFromDetSpec1() throws nothing but ProtocolError on any bits", () => {
  fc.assert(fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (bits) => {
    survives(() => bunchIdFromDetSpec1(bits));
  }));
  assert.throws(() => bunchIdFromDetSpec1(0x7ff8000000000000n), /double NaN/);
  assert.throws(() => bunchIdFromDetSpec1(0xbff0000000000000n), /double -1/);
});
