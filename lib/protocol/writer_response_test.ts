import assert from "node:assert/strict";
import fc from "fast-check";
import { damaged, fromHex, survives, toHex } from "./_test_helpers.ts";
import { ProtocolError } from "./protocol_error.ts";
import eiger05m from "./testdata/eiger05m.json" with { type: "json" };
import { decodeWriterResponse, encodeWriterResponse } from "./writer_response.ts";

const response = fc.record({
  code: fc.constantFrom("unknown" as const, "success" as const, "failure" as const),
  reason: fc.string({ unit: "grapheme", maxLength: 60 }),
  imageId: fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
  nWritten: fc.maxSafeNat(),
  nVisible: fc.maxSafeNat(),
  nOverwritten: fc.maxSafeNat(),
  nIncomplete: fc.maxSafeNat(),
  packetsMissing: fc.maxSafeNat(),
  credit: fc.maxSafeNat(),
  firstPacketNs: fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
  lastPacketNs: fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
  closed: fc.record({
    path: fc.string({ unit: "grapheme", maxLength: 60 }),
    runId: fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
    nImages: fc.maxSafeNat(),
    startTime: fc.double({ noNaN: true }),
  }, { noNullPrototype: true }),
  action: fc.constantFrom(
    ...(["create_file", "record_image", "close_file", "confirm_last_image"] as const),
  ),
  working: fc.boolean(),
}, { requiredKeys: ["code", "reason"], noNullPrototype: true });

Deno.test("encodeWriterResponse() gives back every recorded response byte for byte", () => {
  for (const hex of eiger05m.writerResponses) {
    const decoded = decodeWriterResponse(fromHex(hex));
    assert.deepEqual(decoded, { code: "success", reason: "" });
    assert.equal(toHex(encodeWriterResponse(decoded)), hex);
  }
});

Deno.test("decodeWriterResponse() undoes encodeWriterResponse()", () => {
  fc.assert(fc.property(response, (value) => {
    assert.deepEqual(decodeWriterResponse(encodeWriterResponse(value)), value);
  }));
});

Deno.test("encodeWriterResponse() tells a credit in field 111, which an original skips", () => {
  const told = { code: "success", reason: "" } as const;
  const bytes = toHex(encodeWriterResponse({ ...told, credit: 64 }));
  assert.equal(bytes, `${toHex(encodeWriterResponse(told))}f80640`);
});

Deno.test("decodeWriterResponse() throws nothing but ProtocolError on any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    survives(() => decodeWriterResponse(bytes));
  }));
  const hits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  fc.assert(fc.property(response, hits, fc.nat(80), (value, hits, length) => {
    survives(() => decodeWriterResponse(damaged(encodeWriterResponse(value), hits, length)));
  }));
});

Deno.test("decodeWriterResponse() refuses codes and actions it does not know", () => {
  assert.throws(() => decodeWriterResponse(fromHex("0803")), /code is 3, expected 0 unknown/);
  assert.throws(() => decodeWriterResponse(fromHex("b2060161")), /action is "a", expected one of/);
});

Deno.test("encodeWriterResponse() refuses values that do not fit their field", () => {
  const wrong = [{ nWritten: -1 }, { nWritten: 0.5 }, { imageId: -1n }];
  for (const part of wrong) {
    assert.throws(
      () => encodeWriterResponse({ code: "success", reason: "", ...part }),
      ProtocolError,
    );
  }
});
