import assert from "node:assert/strict";
import fc from "fast-check";
import { damaged, fromHex, survives, toHex } from "./_test_helpers.ts";
import type { ImageMetadata } from "./image_metadata.ts";
import { ProtocolError } from "./protocol_error.ts";
import eiger05m from "./testdata/eiger05m.json" with { type: "json" };
import {
  type CreateFileAction,
  decodeWriterAction,
  encodeWriterAction,
  type WriterAction,
} from "./writer_action.ts";

const METADATA: ImageMetadata = {
  imageId: 7n,
  height: 512,
  width: 1024,
  size: 1048576,
  dtype: "uint16",
  status: "missing_packets",
  compression: "none",
  detector: { kind: "jf", daqRec: 3n },
};

const CREATE: CreateFileAction = {
  action: "create_file",
  path: "/data/a.h5",
  writerId: 0,
  nImages: 0,
  acknowledgeImages: false,
  runId: 0n,
  request: "",
};

/** Records as object literals make them, for deepEqual. */
const PLAIN = { noNullPrototype: true };

const uint64 = fc.bigInt(0n, 0xffff_ffff_ffff_ffffn);
const text = fc.string({ unit: "grapheme", maxLength: 60 });
const metadata = uint64.map((imageId): ImageMetadata => ({ ...METADATA, imageId }));

const count = fc.maxSafeNat();
const action: fc.Arbitrary<WriterAction> = fc.oneof(
  fc.record({
    action: fc.constant("create_file" as const),
    path: text.map((name) => `/${name}`),
    writerId: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    nImages: fc.maxSafeNat(),
    acknowledgeImages: fc.boolean(),
    runId: uint64,
    request: text,
  }, PLAIN),
  fc.record({
    ...{ outputFile: text.map((name) => `/${name}`), imagesPerFile: fc.maxSafeNat() },
    writers: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  }, PLAIN).map((split): CreateFileAction => ({ ...CREATE, split })),
  fc.record({
    compression: fc.constantFrom("none" as const, "bitshuffle-lz4" as const),
    compressionThreads: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    fileFormat: fc.constantFrom("std-daq" as const, "nexus" as const, "both" as const),
    nexus: fc.string({ minLength: 1 }),
    overwrite: fc.constant(true),
    createFolders: fc.boolean(),
    userId: fc.integer({ min: 1, max: 2 ** 32 - 2 }),
    startTime: fc.double({ min: 0, max: 8.64e12, noNaN: true }),
    fsync: fc.constantFrom("none" as const, "at_end" as const, "every_second" as const),
  }, PLAIN).map((how): CreateFileAction => ({ ...CREATE, ...how })),
  fc.record({ action: fc.constant("record_image" as const), metadata }, PLAIN),
  fc.record({ action: fc.constant("record_image" as const), metadata, entry: uint64 }, PLAIN),
  fc.constant({ action: "close_file" as const }),
  fc.constant({ action: "close_file" as const, discardEmpty: true }),
  fc.record({
    outcome: text.map((words) => `${words}.`),
    account: fc.record({
      ...{ written: count, lost: count, overwritten: count, failed: count, missing: count },
      ...{ notTaken: count, incomplete: count, packetsMissing: count },
      ...{ lostIds: text, failedIds: text, missingIds: text },
      ...{ firstPacketNs: uint64, lastPacketNs: uint64 },
    }, {
      requiredKeys: [
        ...(["written", "lost", "overwritten", "failed", "missing", "notTaken"] as const),
        ...(["lostIds", "failedIds", "missingIds"] as const),
      ],
      noNullPrototype: true,
    }),
    endTime: fc.double({ min: 0, max: 8.64e12, noNaN: true }),
  }, { requiredKeys: ["outcome"], noNullPrototype: true }).map((end) => ({
    action: "close_file" as const,
    end,
  })),
  fc.constant({ action: "confirm_last_image" as const }),
);

Deno.test("encodeWriterAction() gives back every recorded action byte for byte", () => {
  const names = eiger05m.writerActions.map((hex) => {
    const decoded = decodeWriterAction(fromHex(hex));
    assert.equal(toHex(encodeWriterAction(decoded)), hex);
    return decoded.action;
  });
  assert.deepEqual(names, [
    "create_file",
    "record_image",
    "record_image",
    "record_image",
    "confirm_last_image",
    "close_file",
  ]);
});

Deno.test("decodeWriterAction() reads an original's create_file with our fields at their defaults", () => {
  const decoded = decodeWriterAction(fromHex(eiger05m.writerActions[0] ?? ""));
  assert.ok(decoded.action === "create_file");
  assert.match(decoded.path, /^\/tmp\/.*\.h5$/);
  assert.deepEqual(decoded, { ...CREATE, path: decoded.path });
});

Deno.test("decodeWriterAction() tells entry 0 from no entry", () => {
  const none: WriterAction = { action: "record_image", metadata: METADATA };
  const zero: WriterAction = { ...none, entry: 0n };
  assert.deepEqual(decodeWriterAction(encodeWriterAction(none)), none);
  assert.deepEqual(decodeWriterAction(encodeWriterAction(zero)), zero);
});

Deno.test("encodeWriterAction() puts our fields behind the original's", () => {
  const plain = toHex(encodeWriterAction({ ...CREATE, writerId: 2 }));
  const ours = toHex(encodeWriterAction({ ...CREATE, writerId: 2, nImages: 5, runId: 9n }));
  assert.equal(plain, "0a0e0a0a2f646174612f612e68351002");
  assert.equal(ours, "0a140a0a2f646174612f612e68351002" + "a00605" + "b00609");
});

Deno.test("decodeWriterAction() undoes encodeWriterAction()", () => {
  fc.assert(fc.property(action, (value) => {
    assert.deepEqual(decodeWriterAction(encodeWriterAction(value)), value);
  }));
});

Deno.test("decodeWriterAction() throws nothing but ProtocolError on any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    survives(() => decodeWriterAction(bytes));
  }));
  const hits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  fc.assert(fc.property(action, hits, fc.nat(120), (value, hits, length) => {
    survives(() => decodeWriterAction(damaged(encodeWriterAction(value), hits, length)));
  }));
});

Deno.test("decodeWriterAction() refuses actions that say nothing", () => {
  assert.throws(() => decodeWriterAction(new Uint8Array(0)), /no known action/);
  assert.throws(() => decodeWriterAction(fromHex("1200")), /RecordImage has no image_metadata/);
  assert.throws(() => decodeWriterAction(fromHex("0a00")), /path is empty/);
});

Deno.test("encodeWriterAction() refuses values that do not fit their field", () => {
  const wrong: WriterAction[] = [
    { ...CREATE, path: "" },
    { ...CREATE, nImages: -1 },
    { ...CREATE, nImages: 0.5 },
    { ...CREATE, runId: -1n },
    { ...CREATE, writerId: 2 ** 31 },
    { action: "record_image", metadata: METADATA, entry: 1n << 64n },
    { action: "record_image", metadata: { ...METADATA, height: -1 } },
  ];
  for (const value of wrong) assert.throws(() => encodeWriterAction(value), ProtocolError);
});
