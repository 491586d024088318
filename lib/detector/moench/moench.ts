/**
 * Moench: modules of 400 × 400 px of 25 µm, 16 bit. Packets: slsDetectorPackage's `MoenchData`.
 *
 * @module
 */
import { SLS_DETECTOR_TYPE } from "../../protocol/mod.ts";
import type { Detector } from "../detector.ts";
import { rawModules } from "../raw_modules.ts";

const ROWS = 400;
const COLUMNS = 400;
const PIXEL_BYTES = 2;
const PAYLOAD_BYTES = 6400;

/** The Moench detector. */
export const moench: Detector = rawModules({
  name: "moench",
  detectorType: SLS_DETECTOR_TYPE.moench,
  packets: () => ({
    payloadBytes: PAYLOAD_BYTES,
    packetsPerFrame: ROWS * COLUMNS * PIXEL_BYTES / PAYLOAD_BYTES,
  }),
  module: () => ({ rows: ROWS, columns: COLUMNS, pixelBytes: PIXEL_BYTES }),
});
