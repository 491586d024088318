/**
 * Gotthard-II: modules of 1280 strips, 16 bit: 12 bits of charge with the gain stage above. A frame is one
 * packet and one row of the image. Packets: slsDetectorPackage's `Gotthard2Data`.
 *
 * @module
 */
import { SLS_DETECTOR_TYPE } from "../../protocol/mod.ts";
import type { Detector } from "../detector.ts";
import { rawModules } from "../raw_modules.ts";

const STRIPS = 1280;
const PIXEL_BYTES = 2;

/** The Gotthard-II detector. */
export const gotthard2: Detector = rawModules({
  name: "gotthard2",
  detectorType: SLS_DETECTOR_TYPE.gotthard2,
  packets: () => ({ payloadBytes: STRIPS * PIXEL_BYTES, packetsPerFrame: 1 }),
  module: () => ({ rows: 1, columns: STRIPS, pixelBytes: PIXEL_BYTES }),
});
