import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "./_test_helpers.ts";
import {
  decodeEigerFrame,
  decodeGigafrostFrame,
  decodeJungfrauFrame,
  EIGER_FRAME,
  encodeEigerFrame,
  encodeGigafrostFrame,
  encodeJungfrauFrame,
  FRAME_BYTES,
  GIGAFROST_FRAME,
  JUNGFRAU_FRAME,
  readEigerFrame,
  writeEigerFrame,
} from "./frame.ts";
import { bunchIdFromDetSpec1, readSlsHeader } from "./sls_header.ts";
import eiger9m from "./testdata/eiger9m.json" with { type: "json" };
import gigafrost from "./testdata/gigafrost.json" with { type: "json" };
import jungfrau from "./testdata/jungfrau.json" with { type: "json" };
import { viewOf, type WireField } from "./wire_struct.ts";

const EIGER = {
  imageId: 5n,
  missingPackets: 1n,
  moduleId: 2,
  bitDepth: 16,
  posY: 3,
  posX: 4,
  expLength: 376,
};

Deno.test("encodeEigerFrame() gives the recorded 9M frames from their packet headers", () => {
  assert.equal(eiger9m.frames.length, 72);
  for (const [moduleId, recorded] of eiger9m.frames.entries()) {
    const header = readSlsHeader(fromHex(eiger9m.firstPacketHeaders[moduleId] ?? ""));
    const frame = {
      imageId: header.frameNumber,
      missingPackets: 0n,
      moduleId,
      bitDepth: eiger9m.bitDepth,
      posY: header.column,
      posX: header.row,
      expLength: 0,
    };
    assert.equal(toHex(encodeEigerFrame(frame)), recorded);
    assert.deepEqual(decodeEigerFrame(fromHex(recorded)), frame);
  }
});

Deno.test("encodeJungfrauFrame() gives the recorded frames from their packet headers", () => {
  for (const [i, recorded] of jungfrau.frames.entries()) {
    const header = readSlsHeader(fromHex(jungfrau.firstPacketHeaders[i] ?? ""));
    const frame = {
      imageId: bunchIdFromDetSpec1(header.detSpec1),
      missingPackets: 0n,
      moduleId: 0,
      id: 0n,
      frameIndex: header.frameNumber,
      daqRec: BigInt(header.detSpec3),
      wideModuleId: 0n,
    };
    assert.equal(toHex(encodeJungfrauFrame(frame)), recorded);
    assert.deepEqual(decodeJungfrauFrame(fromHex(recorded)), frame);
  }
});

Deno.test("encodeGigafrostFrame() gives the recorded frames of every module", () => {
  for (const [moduleId, frames] of gigafrost.frames.entries()) {
    for (const [i, recorded] of frames.entries()) {
      const frame = {
        imageId: 300n + BigInt(i),
        missingPackets: 0n,
        moduleId,
        swappedRows: 1,
        linkId: moduleId % 2,
        corrMode: 0,
        quadrantId: moduleId >> 1,
        rpf: 0,
        doNotStore: 0,
        scanId: 7,
        sizeX: 252,
        sizeY: 63,
        scanTime: 22,
        syncTime: 11,
        frameTimestamp: 567890n,
        exposureTime: 1234n,
      };
      assert.equal(toHex(encodeGigafrostFrame(frame)), recorded);
      assert.deepEqual(decodeGigafrostFrame(fromHex(recorded)), frame);
    }
  }
});

/** Value of a field read by its row of the table. */
function byTable(bytes: Uint8Array, { type, offset }: WireField): number | bigint {
  const view = viewOf(bytes);
  switch (type) {
    case "u8":
      return view.getUint8(offset);
    case "u16":
      return view.getUint16(offset, true);
    case "u32":
      return view.getUint32(offset, true);
    case "u64":
      return view.getBigUint64(offset, true);
  }
}

Deno.test("decode…Frame() and encode…Frame() follow their table on any 64 bytes", () => {
  const codecs = [
    {
      struct: EIGER_FRAME,
      decoded: decodeEigerFrame,
      again: (bytes: Uint8Array) => encodeEigerFrame(decodeEigerFrame(bytes)),
    },
    {
      struct: JUNGFRAU_FRAME,
      decoded: decodeJungfrauFrame,
      again: (bytes: Uint8Array) => encodeJungfrauFrame(decodeJungfrauFrame(bytes)),
    },
    {
      struct: GIGAFROST_FRAME,
      decoded: decodeGigafrostFrame,
      again: (bytes: Uint8Array) => encodeGigafrostFrame(decodeGigafrostFrame(bytes)),
    },
  ];
  const message = fc.uint8Array({ minLength: FRAME_BYTES, maxLength: FRAME_BYTES });
  for (const { struct, decoded, again } of codecs) {
    fc.assert(fc.property(message, (bytes) => {
      const expected = struct.fields.map((field) => [field.name, byTable(bytes, field)]);
      assert.deepEqual({ ...decoded(bytes) }, Object.fromEntries(expected));
      const padded = bytes.slice();
      padded.fill(0, struct.usedBytes);
      assert.deepEqual(again(bytes), padded);
    }));
  }
});

Deno.test("writeEigerFrame() touches its 64 bytes only, and all of them", () => {
  const bytes = new Uint8Array(3 * FRAME_BYTES).fill(0xaa);
  writeEigerFrame(viewOf(bytes), FRAME_BYTES, EIGER);
  assert.ok(bytes.subarray(0, FRAME_BYTES).every((byte) => byte === 0xaa));
  assert.deepEqual(bytes.slice(FRAME_BYTES, 2 * FRAME_BYTES), encodeEigerFrame(EIGER));
  assert.ok(bytes.subarray(2 * FRAME_BYTES).every((byte) => byte === 0xaa));
  assert.deepEqual(readEigerFrame(viewOf(bytes), FRAME_BYTES), EIGER);
});

Deno.test("writeEigerFrame() changes nothing when the view is too short", () => {
  const bytes = new Uint8Array(FRAME_BYTES).fill(0xaa);
  assert.throws(() => writeEigerFrame(viewOf(bytes), 1, EIGER), RangeError);
  assert.ok(bytes.every((byte) => byte === 0xaa));
});

Deno.test("decode…Frame() throws ProtocolError when the message is not 64 bytes", () => {
  for (const decode of [decodeEigerFrame, decodeJungfrauFrame, decodeGigafrostFrame]) {
    for (const length of [0, 18, 63, 65]) {
      assert.throws(() => decode(new Uint8Array(length)), {
        name: "ProtocolError",
        message: new RegExp(`has ${length} bytes, expected 64`),
      });
    }
  }
});
