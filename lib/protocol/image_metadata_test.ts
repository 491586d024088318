import assert from "node:assert/strict";
import fc from "fast-check";
import { damaged, fromHex, survives, toHex } from "./_test_helpers.ts";
import {
  decodeImageMetadata,
  type DetectorImageMetadata,
  DTYPE_BYTES,
  encodeImageMetadata,
  type ImageMetadata,
} from "./image_metadata.ts";
import { ProtocolError } from "./protocol_error.ts";
import eiger05m from "./testdata/eiger05m.json" with { type: "json" };
import eiger9m from "./testdata/eiger9m.json" with { type: "json" };
import gigafrost from "./testdata/gigafrost.json" with { type: "json" };
import jungfrau from "./testdata/jungfrau.json" with { type: "json" };

const RECORDED = [
  eiger9m.imageMetadata,
  ...eiger05m.imageMetadata,
  ...eiger05m.compressedImageMetadata,
  ...jungfrau.imageMetadata,
  ...gigafrost.imageMetadata,
];

const GOOD: ImageMetadata = {
  imageId: 1n,
  height: 512,
  width: 1024,
  size: 1048576,
  dtype: "uint16",
  status: "good_image",
  compression: "none",
};

/** Records as object literals make them, for deepEqual. */
const PLAIN = { noNullPrototype: true };

const uint32 = fc.nat(0xffffffff);
const uint64 = fc.bigInt(0n, 0xffff_ffff_ffff_ffffn);
const safe = fc.maxSafeNat();
const text = fc.string({ unit: "grapheme", maxLength: 40 });

const detector: fc.Arbitrary<DetectorImageMetadata> = fc.oneof(
  fc.record({
    kind: fc.constant("gf" as const),
    scanId: uint32,
    scanTime: uint32,
    syncTime: uint32,
    frameTimestamp: uint64,
    exposureTime: uint64,
    storeImage: fc.boolean(),
  }, PLAIN),
  fc.record({ kind: fc.constant("jf" as const), daqRec: uint64 }, PLAIN),
  fc.record({ kind: fc.constant("eg" as const), exptime: uint64 }, PLAIN),
  fc.record({
    kind: fc.constant("pco" as const),
    globalTimestampSec: uint64,
    globalTimestampNs: uint64,
    bsreadName: text,
  }, PLAIN),
);

const base = {
  imageId: uint64,
  height: safe,
  width: safe,
  size: safe,
  dtype: fc.constantFrom(
    ...(["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"] as const),
    ...(["float16", "float32", "float64"] as const),
  ),
  status: fc.constantFrom(
    ...(["status_undefined", "good_image", "missing_packets", "id_missmatch"] as const),
  ),
  compression: fc.constantFrom(...(["none", "h5bitshuffle_lz4", "blosc2"] as const)),
};

/** Any image metadata. */
const metadata: fc.Arbitrary<ImageMetadata> = fc.oneof(
  fc.record(base, PLAIN),
  fc.record({ ...base, detector }, PLAIN),
);

Deno.test("encodeImageMetadata() gives back every recorded message byte for byte", () => {
  assert.equal(RECORDED.length, 11);
  for (const hex of RECORDED) {
    assert.equal(toHex(encodeImageMetadata(decodeImageMetadata(fromHex(hex)))), hex);
  }
});

Deno.test("decodeImageMetadata() reads the recorded Eiger 9M image", () => {
  assert.deepEqual(decodeImageMetadata(fromHex(eiger9m.imageMetadata)), {
    imageId: 29512n,
    height: 3264,
    width: 3106,
    size: 3264 * 3106 * 4,
    dtype: "uint32",
    status: "good_image",
    compression: "none",
    detector: { kind: "eg", exptime: 0n },
  });
});

Deno.test("decodeImageMetadata() reads the recorded GigaFRoST image", () => {
  assert.deepEqual(decodeImageMetadata(fromHex(gigafrost.imageMetadata[0] ?? "")), {
    imageId: 300n,
    height: 252,
    width: 504,
    size: 252 * 504 * 2,
    dtype: "uint16",
    status: "good_image",
    compression: "none",
    detector: {
      kind: "gf",
      scanId: 7,
      scanTime: 22,
      syncTime: 11,
      frameTimestamp: 567890n,
      exposureTime: 1234n,
      storeImage: true,
    },
  });
});

Deno.test("decodeImageMetadata() reads the recorded Jungfrau and compressed images", () => {
  const jf = decodeImageMetadata(fromHex(jungfrau.imageMetadata[1] ?? ""));
  assert.equal(jf.dtype, "float32");
  assert.deepEqual(jf.detector, { kind: "jf", daqRec: 78n });
  const packed = decodeImageMetadata(fromHex(eiger05m.compressedImageMetadata[0] ?? ""));
  assert.equal(packed.compression, "h5bitshuffle_lz4");
  assert.equal(packed.size, 116628);
});

Deno.test("decodeImageMetadata() undoes encodeImageMetadata()", () => {
  fc.assert(fc.property(metadata, (value) => {
    assert.deepEqual(decodeImageMetadata(encodeImageMetadata(value)), value);
  }));
});

Deno.test("decodeImageMetadata() throws nothing but ProtocolError on any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    survives(() => decodeImageMetadata(bytes));
  }));
  const hits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  fc.assert(fc.property(metadata, hits, fc.nat(80), (value, hits, length) => {
    survives(() => decodeImageMetadata(damaged(encodeImageMetadata(value), hits, length)));
  }));
});

Deno.test("decodeImageMetadata() names the field and the known values when one is unknown", () => {
  const bytes = encodeImageMetadata(GOOD);
  const appended = (tag: number, value: number): Uint8Array =>
    new Uint8Array([...bytes, tag, value]);
  assert.throws(() => decodeImageMetadata(appended(0x28, 3)), {
    name: "ProtocolError",
    message: /ImageMetadata\.dtype is 3, expected one of 1 uint8, 2 uint16/,
  });
  assert.throws(() => decodeImageMetadata(appended(0x30, 9)), /status is 9/);
  assert.throws(() => decodeImageMetadata(appended(0x38, 3)), /compression is 3/);
  assert.throws(() => decodeImageMetadata(new Uint8Array(0)), /dtype is 0/);
});

Deno.test("decodeImageMetadata() ignores fields it does not know", () => {
  const bytes = new Uint8Array([...encodeImageMetadata(GOOD), 0xa8, 0x06, 0x05]);
  assert.deepEqual(decodeImageMetadata(bytes), GOOD);
});

Deno.test("the calibration is field 100, after everything that an original reads", () => {
  const plain = encodeImageMetadata(GOOD);
  const calibrated = { ...GOOD, calibrationId: 0x0123_4567_89ab_cdefn };
  const bytes = encodeImageMetadata(calibrated);
  assert.deepEqual(bytes.subarray(0, plain.length), plain);
  assert.deepEqual([...bytes.subarray(plain.length, plain.length + 2)], [0xa0, 0x06]);
  assert.deepEqual(decodeImageMetadata(bytes), calibrated);
});

Deno.test("encodeImageMetadata() refuses values that do not fit their field", () => {
  const wrong: ImageMetadata[] = [
    { ...GOOD, imageId: -1n },
    { ...GOOD, imageId: 1n << 64n },
    { ...GOOD, height: 1.5 },
    { ...GOOD, width: -1 },
    { ...GOOD, size: NaN },
    { ...GOOD, calibrationId: 1n << 64n },
    { ...GOOD, detector: { kind: "jf", daqRec: -1n } },
    { ...GOOD, detector: { kind: "eg", exptime: 1n << 64n } },
  ];
  for (const value of wrong) assert.throws(() => encodeImageMetadata(value), ProtocolError);
});

Deno.test("DTYPE_BYTES agrees with the bits in the names", () => {
  for (const [dtype, bytes] of Object.entries(DTYPE_BYTES)) {
    assert.equal(bytes * 8, Number(dtype.replace(/\D/g, "")));
  }
});
