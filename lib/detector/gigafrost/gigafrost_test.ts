import assert from "node:assert/strict";
import fc from "fast-check";
import { recordedConfig } from "../../config/_test_configs.ts";
import { type DetectorConfig, parseConfig } from "../../config/mod.ts";
import {
  FRAME_BYTES,
  GIGAFROST_HEADER,
  GIGAFROST_HEADER_BYTES,
  readGigafrostHeader,
} from "../../protocol/mod.ts";
import { datagramBytes, detectorFor, frameBytes, packetPixelBytes } from "../mod.ts";
import { gigafrost } from "./gigafrost.ts";
import { packRow } from "./pack_row.ts";
import { cutIntoPackets } from "./row_packets.ts";

const recorded = await recordedConfig("gigafrost_504x252");

function sized(width: number, height: number): DetectorConfig {
  return parseConfig({ ...recorded, image_pixel_width: width, image_pixel_height: height }).config;
}

Deno.test("a GigaFRoST of 504 × 252 px sends the packets that were recorded", () => {
  const config = sized(504, 252);
  const format = detectorFor(config).packetFormat(config);
  assert.deepEqual([0, 1, 2, 3].map((p) => datagramBytes(format, p)), [6494, 6494, 6494, 4568]);
  assert.equal(format.packetsPerFrame, 4);
  assert.deepEqual([format.detectorType, format.headerVersion], [0xcb, 21]);
  assert.equal(format.rows?.rowsPerPacket, 17);
});

// Rows per packet, packets, bytes of a datagram and of the last one, by the original's functions.
for (
  const [width, height, rows, packets, bytes, last] of [
    [2016, 2016, 4, 126, 6080, 6080],
    [504, 252, 17, 4, 6494, 4568],
    [480, 128, 20, 2, 7232, 4352],
    [528, 280, 18, 4, 7160, 6368],
    [48, 4, 1, 1, 104, 104],
    [672, 128, 14, 3, 7088, 2048],
    [96, 4, 1, 1, 104, 104],
    [24, 2016, 408, 2, 7376, 1760],
    [28, 8, 2, 1, 74, 74],
    [1000, 1000, 9, 28, 6818, 5318],
  ] as const
) {
  Deno.test(`a GigaFRoST of ${width} × ${height} px has ${packets} packets of ${rows} rows`, () => {
    const config = sized(width, height);
    const format = gigafrost.packetFormat(config);
    const found = [
      format.rows?.rowsPerPacket,
      format.packetsPerFrame,
      datagramBytes(format),
      datagramBytes(format, packets - 1),
    ];
    assert.deepEqual(found, [rows, packets, bytes, last]);
  });
}

const size = fc.record({
  columns: fc.integer({ min: 6, max: 504 }).map((pairs) => 2 * pairs),
  rows: fc.integer({ min: 1, max: 504 }),
});

Deno.test("packets of any size fit a datagram, are all the rows, and only the last one is shorter", () => {
  fc.assert(
    fc.property(size, ({ columns, rows }) => {
      const cut = cutIntoPackets(columns, rows);
      const lastRows = rows - (cut.packetsPerFrame - 1) * cut.rowsPerPacket;
      assert.ok(lastRows >= 1 && lastRows <= cut.rowsPerPacket);
      assert.equal(cut.payloadBytes, columns * cut.rowsPerPacket * 3 / 2);
      assert.equal(cut.lastPayloadBytes, columns * lastRows * 3 / 2);
      assert.ok(cut.payloadBytes + cut.paddingBytes <= 7400);
      assert.ok(cut.lastPayloadBytes + cut.lastPaddingBytes <= 7400);
      for (
        const [n, padding] of [[cut.rowsPerPacket, cut.paddingBytes], [
          lastRows,
          cut.lastPaddingBytes,
        ]]
      ) {
        assert.equal(padding, n! % 2 === 1 && columns % 48 !== 0 ? 36 : 0);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("packFrame() puts rows into packets as the camera does: 12 bit after 12 bit, then padding", () => {
  const config = sized(504, 252);
  const format = gigafrost.packetFormat(config);
  const pixels = Uint16Array.from({ length: 252 * 63 }, (_, i) => i * 7 & 0xfff);
  const target = new Uint8Array(frameBytes(format)).fill(0xa5);
  gigafrost.packFrame!(config, pixels, target);
  let at = 0, pixel = 0;
  for (let packet = 0; packet < format.packetsPerFrame; packet++) {
    const bytes = packetPixelBytes(format, packet);
    for (let bit = 0; bit < bytes * 8; bit += 24, pixel += 2) {
      const i = at + bit / 8;
      const both = target[i]! | target[i + 1]! << 8 | target[i + 2]! << 16;
      assert.deepEqual([both & 0xfff, both >> 12], [pixels[pixel], pixels[pixel + 1]]);
    }
    const padding = packet === 3 ? 0 : 36;
    assert.ok(target.subarray(at + bytes, at + bytes + padding).every((byte) => byte === 0xa5));
    at += bytes + padding;
  }
  assert.equal(at, target.length);
});

Deno.test("packRow() takes the low 12 bits of each pixel and writes its own bytes only", () => {
  const target = new Uint8Array(8).fill(0xa5);
  packRow([0xf123, 0x456, 0x789, 0xabc], 0, 4, target, 1);
  assert.equal(target.toHex(), "a5" + "236145" + "89c7ab" + "a5");
});

Deno.test("packetTemplate() names quadrant and link, and the size", () => {
  const config = sized(2016, 2016);
  for (let module = 0; module < 8; module++) {
    const header = readGigafrostHeader(gigafrost.packetTemplate!(config, module));
    assert.deepEqual([header.quadrantId, header.linkId], [module >> 1, module & 1]);
    assert.deepEqual([header.rowBlocks, header.quadrantRows], [84, 1008]);
  }
});

/** Header of frame 300 of quadrant SE, link 1, as it was recorded. */
const HEADER = "cb153f60070000002c01000000000000" + "52aa080000d204000b00000016000000";

function messageOf(headerHex: string): DataView {
  const config = sized(504, 252);
  const message = new DataView(new ArrayBuffer(FRAME_BYTES));
  const header = Uint8Array.fromHex(headerHex);
  gigafrost.writeFrameMessage(message, 0, {
    module: 3,
    imageId: 300n,
    missingPackets: 0,
    bitDepth: 16,
    layout: gigafrost.moduleLayout(config),
    header: new DataView(header.buffer),
    headerAt: 0,
  });
  return message;
}

Deno.test("writeFrameMessage() writes what the original's GigaFRoST receiver sends", () => {
  assert.equal(
    new Uint8Array(messageOf(HEADER).buffer).toHex(),
    "2c01000000000000000000000000000003000101000100000" +
      "7000000fc0000003f000000160000000b00000052aa080000000000d20400000000000000000000",
  );
});

Deno.test("imageMetadata() carries the scan, and whether the image is to be stored", () => {
  assert.equal(HEADER.length, 2 * GIGAFROST_HEADER_BYTES);
  const scan = {
    kind: "gf",
    scanId: 7,
    scanTime: 22,
    syncTime: 11,
    frameTimestamp: 567890n,
    exposureTime: 1234n,
  };
  assert.deepEqual(gigafrost.imageMetadata(messageOf(HEADER), 0), { ...scan, storeImage: true });
  const at = 2 * GIGAFROST_HEADER.at.imageStatus;
  const withStatus = (hex: string): string => HEADER.slice(0, at) + hex + HEADER.slice(at + 4);
  // Bit 15; bit 0, which the original takes for it, is one of the bits for debugging.
  assert.deepEqual(gigafrost.imageMetadata(messageOf(withStatus("0080")), 0), {
    ...scan,
    storeImage: false,
  });
  assert.deepEqual(gigafrost.imageMetadata(messageOf(withStatus("0100")), 0), {
    ...scan,
    storeImage: true,
  });
});
