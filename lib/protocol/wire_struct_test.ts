import assert from "node:assert/strict";
import { EIGER_FRAME, GIGAFROST_FRAME, JUNGFRAU_FRAME } from "./frame.ts";
import { SLS_HEADER } from "./sls_header.ts";
import { defineWireStruct } from "./wire_struct.ts";

Deno.test("defineWireStruct() packs fields without alignment", () => {
  const struct = defineWireStruct("s", 16, {
    a: ["u8", "flag", "first"],
    b: ["u64", "id", "second"],
    c: ["u16", "px", "third"],
  });
  assert.deepEqual(struct.at, { a: 0, b: 1, c: 9 });
  assert.equal(struct.usedBytes, 11);
  assert.deepEqual(struct.fields[1], {
    name: "b",
    offset: 1,
    size: 8,
    type: "u64",
    unit: "id",
    meaning: "second",
  });
});

Deno.test("defineWireStruct() refuses fields that need more than the struct has", () => {
  assert.throws(
    () => defineWireStruct("s", 7, { a: ["u64", "id", ""] }),
    /s: the fields need 8 bytes of 7/,
  );
});

Deno.test("the tables have std-daq's offsets", () => {
  const common = { imageId: 0, missingPackets: 8, moduleId: 16 };
  assert.deepEqual(EIGER_FRAME.at, { ...common, bitDepth: 18, posY: 20, posX: 22, expLength: 24 });
  assert.deepEqual(JUNGFRAU_FRAME.at, {
    ...common,
    id: 18,
    frameIndex: 26,
    daqRec: 34,
    wideModuleId: 42,
  });
  assert.deepEqual(GIGAFROST_FRAME.at, {
    ...common,
    swappedRows: 18,
    linkId: 19,
    corrMode: 20,
    quadrantId: 21,
    rpf: 22,
    doNotStore: 23,
    scanId: 24,
    sizeX: 28,
    sizeY: 32,
    scanTime: 36,
    syncTime: 40,
    frameTimestamp: 44,
    exposureTime: 52,
  });
  assert.equal(SLS_HEADER.usedBytes, SLS_HEADER.bytes);
});
