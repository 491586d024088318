import assert from "node:assert/strict";
import { DETECTOR_TYPES, type DetectorConfig, detectorFacts, parseConfig } from "../config/mod.ts";
import { FRAME_BYTES, readJungfrauFrame } from "../protocol/mod.ts";
import { moduleConfig } from "./_testing.ts";
import { datagramBytes, detectorFor, frameBytes, UnsupportedDetectorError } from "./mod.ts";

const EIGER = {
  detector_name: "eg",
  detector_type: "eiger",
  n_modules: 1,
  bit_depth: 16,
  image_pixel_height: 256,
  image_pixel_width: 514,
  start_udp_port: 50000,
  module_positions: { "0": [0, 0, 513, 255] },
};
const JUNGFRAU = {
  ...EIGER,
  detector_type: "jungfrau-raw",
  image_pixel_height: 512,
  image_pixel_width: 1024,
  module_positions: { "0": [0, 0, 1023, 511] },
};

function config(
  base: Record<string, unknown>,
  changes: Record<string, unknown> = {},
): DetectorConfig {
  return parseConfig({ ...base, ...changes }).config;
}

for (const [depth, packets] of [[4, 16], [8, 32], [16, 64], [32, 128]] as const) {
  Deno.test(`detectorFor() knows that an Eiger frame has ${packets} packets at ${depth} bit`, () => {
    const settings = config(EIGER, { bit_depth: depth });
    const format = detectorFor(settings).packetFormat(settings);
    assert.equal(format.packetsPerFrame, packets);
    assert.equal(datagramBytes(format), 4144);
    const layout = detectorFor(settings).moduleLayout(settings);
    const bits = layout.packedBits ?? 8 * layout.pixelBytes;
    assert.equal(bits, depth);
    assert.equal(layout.rows * layout.chips * layout.runPixels * bits / 8, frameBytes(format));
  });
}

Deno.test("an Eiger packs two pixels of 4 bit into a byte, the first into the low half", () => {
  const target = new Uint8Array(2);
  detectorFor(config(EIGER)).packFrame?.(config(EIGER), [1, 2, 15, 0], target);
  assert.deepEqual([...target], [0x21, 0x0f]);
});

for (const type of ["jungfrau-raw", "jungfrau-converted"]) {
  Deno.test(`detectorFor() gives ${type} 128 packets of 8192 pixel bytes`, () => {
    const settings = config(JUNGFRAU, { detector_type: type });
    const detector = detectorFor(settings);
    const format = detector.packetFormat(settings);
    assert.equal(format.packetsPerFrame, 128);
    assert.equal(datagramBytes(format), 8240);
    const { rows, chips, runPixels, pixelBytes } = detector.moduleLayout(settings);
    assert.equal(rows * chips * runPixels * pixelBytes, frameBytes(format));
    assert.equal(detector.pixelType(settings), type === "jungfrau-raw" ? "uint16" : "float32");
  });
}

Deno.test("detectorFor() names the supported detectors when it has no such one", () => {
  const settings = config(EIGER, {
    detector_type: "pco",
    module_positions: {},
    image_pixel_height: 100,
    image_pixel_width: 100,
  });
  assert.throws(() => detectorFor(settings), (error) => {
    assert.ok(error instanceof UnsupportedDetectorError);
    assert.match(error.message, /"pco".*"eiger", "jungfrau-raw", "jungfrau-converted"/);
    return true;
  });
});

/** A packet header: little-endian values at their offsets, as the recorded packets have them. */
function header(values: { frame: bigint; row: number; column: number; daqRec: number }): DataView {
  const view = new DataView(new ArrayBuffer(48));
  view.setBigUint64(0, values.frame, true);
  view.setUint16(34, values.row, true);
  view.setUint16(36, values.column, true);
  view.setUint32(40, values.daqRec, true);
  return view;
}

function messageHex(settings: DetectorConfig, fields: {
  module: number;
  imageId: bigint;
  missingPackets: number;
  header: DataView;
}): string {
  const bytes = new Uint8Array(8 + FRAME_BYTES).fill(0xff);
  detectorFor(settings).writeFrameMessage(new DataView(bytes.buffer), 8, {
    bitDepth: settings.bit_depth,
    layout: detectorFor(settings).moduleLayout(settings),
    headerAt: 0,
    ...fields,
  });
  return bytes.subarray(8).toHex();
}

// The expected bytes were recorded from std_detector_buffer's receivers.
Deno.test("writeFrameMessage() writes what the original's Eiger receiver sends", () => {
  const hex = messageHex(config(EIGER, { bit_depth: 32 }), {
    module: 2,
    imageId: 29512n,
    missingPackets: 0,
    header: header({ frame: 29512n, row: 1, column: 0, daqRec: 27361 }),
  });
  assert.equal(
    hex,
    "4873000000000000" + "0000000000000000" + "020020000000" + "0100" + "00".repeat(40),
  );
});

Deno.test("writeFrameMessage() writes what the original's Jungfrau receiver sends", () => {
  const settings = config(JUNGFRAU);
  const fields = {
    module: 0,
    imageId: 2005000n,
    missingPackets: 0,
    header: header({ frame: 5000n, row: 0, column: 0, daqRec: 77 }),
  };
  assert.equal(
    messageHex(settings, fields),
    "08981e000000000000000000000000000000000000000000000088130000000000004d" + "00".repeat(29),
  );
});

Deno.test("imageMetadata() takes the DAQ record of a Jungfrau from the frame struct", () => {
  const settings = config(JUNGFRAU);
  const detector = detectorFor(settings);
  const message = new DataView(new ArrayBuffer(FRAME_BYTES));
  detector.writeFrameMessage(message, 0, {
    module: 3,
    imageId: 7n,
    missingPackets: 2,
    bitDepth: 16,
    layout: detector.moduleLayout(settings),
    header: header({ frame: 7n, row: 0, column: 0, daqRec: 4_000_000_000 }),
    headerAt: 0,
  });
  assert.deepEqual(detector.imageMetadata(message, 0), { kind: "jf", daqRec: 4_000_000_000n });
});

Deno.test("imageMetadata() of an Eiger is the exposure of its packets, if they tell it", () => {
  for (const [bit_depth, exptime] of [[8, 376n], [16, 376n], [32, 0n]] as const) {
    const settings = config(EIGER, { bit_depth });
    const packet = header({ frame: 7n, row: 0, column: 0, daqRec: 0 });
    packet.setUint32(8, 376, true);
    const hex = messageHex(settings, { module: 0, imageId: 7n, missingPackets: 0, header: packet });
    const message = new DataView(Uint8Array.fromHex(hex).buffer);
    assert.deepEqual(detectorFor(settings).imageMetadata(message, 0), { kind: "eg", exptime });
  }
});

for (const type of DETECTOR_TYPES) {
  const { module, bitDepths } = detectorFacts(type);
  if (module === undefined) continue;
  Deno.test(`what the config knows of a ${type} module is what its folder says`, () => {
    for (const bit_depth of bitDepths) {
      const settings = moduleConfig(type, { bit_depth });
      const layout = detectorFor(settings).moduleLayout(settings);
      const width = layout.chips * (layout.runPixels + layout.gapPixels) - layout.gapPixels;
      assert.deepEqual({ width, height: layout.rows }, module);
      const pixels = layout.rows * layout.chips * layout.runPixels;
      const format = detectorFor(settings).packetFormat(settings);
      const bits = layout.packedBits ?? 8 * layout.pixelBytes;
      assert.equal(pixels * bits / 8, frameBytes(format));
    }
  });
}

Deno.test("a Jungfrau module placed with gaps is as large as the config takes it", () => {
  const settings = moduleConfig("jungfrau-raw", {
    image_pixel_height: 514,
    image_pixel_width: 1030,
    module_positions: { "0": [0, 0, 1029, 513] },
  });
  const layout = detectorFor(settings).moduleLayout(settings);
  const width = layout.chips * (layout.runPixels + layout.gapPixels) - layout.gapPixels;
  const gaps = layout.rows / (layout.bandRows ?? layout.rows) - 1;
  const height = layout.rows + gaps * (layout.bandGapRows ?? 0);
  assert.deepEqual({ width, height }, detectorFacts("jungfrau-raw").moduleWithGaps);
});

Deno.test("writeFrameMessage() of detectors without a struct of their own writes a JFFrame", () => {
  for (const type of ["moench", "gotthard2", "mythen3"] as const) {
    const settings = moduleConfig(type);
    const detector = detectorFor(settings);
    const message = new DataView(new ArrayBuffer(FRAME_BYTES));
    detector.writeFrameMessage(message, 0, {
      module: 2,
      imageId: 9n,
      missingPackets: 1,
      bitDepth: settings.bit_depth,
      layout: detector.moduleLayout(settings),
      header: header({ frame: 9n, row: 0, column: 0, daqRec: 5 }),
      headerAt: 0,
    });
    assert.deepEqual(readJungfrauFrame(message, 0), {
      imageId: 9n,
      missingPackets: 1n,
      moduleId: 2,
      id: 0n,
      frameIndex: 9n,
      daqRec: 5n,
      wideModuleId: 2n,
    });
    assert.equal(detector.imageMetadata(message, 0), undefined);
  }
});
