/**
 * Mythen3: modules of 1280 strips with three counters each: one row of 3840 px of 8, 16 or 32 bit. A
 * frame comes over 10 Gb/s in two packets at 32 bit, else in one. Packets: slsDetectorPackage's
 * `Mythen3Data`.
 *
 * @module
 */
import { SLS_DETECTOR_TYPE } from "../../protocol/mod.ts";
import type { Detector } from "../detector.ts";
import { rawModules } from "../raw_modules.ts";

const STRIPS = 1280;
const COUNTERS = 3;

/** The Mythen3 detector, all counters on. */
export const mythen3: Detector = rawModules({
  name: "mythen3",
  detectorType: SLS_DETECTOR_TYPE.mythen3,
  packets: ({ bit_depth }) => ({
    payloadBytes: STRIPS * COUNTERS * Math.min(bit_depth, 16) / 8, // half a frame at 32 bit
    packetsPerFrame: bit_depth === 32 ? 2 : 1,
  }),
  module: ({ bit_depth }) => ({ rows: 1, columns: STRIPS * COUNTERS, pixelBytes: bit_depth / 8 }),
});
