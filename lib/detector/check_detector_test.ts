import assert from "node:assert/strict";
import { parseConfig } from "../config/mod.ts";
import { moduleConfig } from "./_testing.ts";
import { checkDetector, DetectorFolderError } from "./check_detector.ts";
import type { Detector } from "./detector.ts";
import { eiger } from "./eiger/eiger.ts";
import { gigafrost } from "./gigafrost/gigafrost.ts";
import { jungfrau } from "./jungfrau/jungfrau.ts";

/** An Eiger of whose module or packets something is said wrongly. */
function wrongEiger(
  layout: Partial<ReturnType<Detector["moduleLayout"]>>,
  format: Partial<ReturnType<Detector["packetFormat"]>> = {},
): Detector {
  return {
    ...eiger,
    moduleLayout: (config) => ({ ...eiger.moduleLayout(config), ...layout }),
    packetFormat: (config) => ({ ...eiger.packetFormat(config), ...format }),
  };
}

Deno.test("checkDetector() refuses a layout that is not that of the packets, or of the place", () => {
  const config = moduleConfig("eiger", { bit_depth: 16 });
  checkDetector(config, eiger);
  for (
    const [detector, message] of [
      [
        wrongEiger({ rows: 512 }),
        /eiger: moduleLayout\(\) has 512 × 2 × 256 px of 16 bit, 524288 bytes, but packetFormat\(\) 64 packets with 262144 bytes/,
      ],
      [wrongEiger({}, { packetsPerFrame: 63 }), /63 packets with 258048 bytes/],
      [wrongEiger({ pixelBytes: 4 }), /px of 32 bit/],
      [
        wrongEiger({ gapPixels: 4 }),
        /a module takes 516 × 256 px of the image, but module 0 has 514 × 256/,
      ],
      [
        wrongEiger({}, { imageIdField: "bunch_id" }),
        /imageIdField of packetFormat\(\) is bunch_id, but .*detector_facts\.ts has no hasBunchIds/,
      ],
      [wrongEiger({ bandRows: 128, bandGapRows: 2 }), /takes 514 × 258 px/],
    ] as const
  ) {
    assert.throws(() => checkDetector(config, detector), (error) => {
      assert.ok(error instanceof DetectorFolderError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("checkDetector() knows modules on their side, gaps between rows, and links that take turns", () => {
  const onItsSide = {
    image_pixel_height: 1030,
    image_pixel_width: 514,
    module_positions: { "0": [0, 0, 513, 1029] },
    module_rotations: { "0": 90 },
  };
  checkDetector(moduleConfig("jungfrau-raw", onItsSide), jungfrau);
  const { config } = parseConfig({
    detector_name: "gf",
    detector_type: "gigafrost",
    n_modules: 8,
    bit_depth: 16,
    image_pixel_height: 36,
    image_pixel_width: 100,
    start_udp_port: 50_000,
    module_positions: {},
  });
  checkDetector(config, gigafrost);
});
