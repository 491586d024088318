/**
 * Mythen3: modules of 1280 strips with three counters each: one row of 3840 px of 8, 16 or 32 bit. A
 * frame comes over 10 Gb/s in two packets at 32 bit, else in one.
 *
 * Packets: slsDetectorPackage header version 2, `Mythen3Data`. Frames are told of as std_detector_buffer's
 * `JFFrame`; the image id is the frame number.
 *
 * @module
 */
import { type DetectorConfig, pixelType } from "../../config/mod.ts";
import type { Detector, ModuleLayout, PacketFormat } from "../detector.ts";
import { writeModuleFrame } from "../module_frame.ts";
import {
  type DetectorImageMetadata,
  SLS_DETECTOR_TYPE,
  SLS_HEADER_BYTES,
  SLS_HEADER_VERSION,
} from "../../protocol/mod.ts";

const STRIPS = 1280;
const COUNTERS = 3;

/** The Mythen3 detector, all counters on. */
export const mythen3: Detector = {
  name: "mythen3",
  gainSwitching: false,

  packetFormat(config: DetectorConfig): PacketFormat {
    const packetsPerFrame = config.bit_depth === 32 ? 2 : 1;
    return {
      headerBytes: SLS_HEADER_BYTES,
      payloadBytes: STRIPS * COUNTERS * config.bit_depth / 8 / packetsPerFrame,
      packetsPerFrame,
      headerVersion: SLS_HEADER_VERSION,
      detectorType: SLS_DETECTOR_TYPE.mythen3,
      imageIdField: "frame_number",
    };
  },

  moduleLayout(config: DetectorConfig): ModuleLayout {
    return {
      rows: 1,
      chips: 1,
      runPixels: STRIPS * COUNTERS,
      gapPixels: 0,
      pixelBytes: config.bit_depth / 8,
    };
  },

  pixelType,

  writeFrameMessage: writeModuleFrame,

  imageMetadata(): DetectorImageMetadata | undefined {
    return undefined; // the message has no part for it
  },
};
