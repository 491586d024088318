/**
 * Moench: modules of 400 × 400 px of 25 µm, 16 bit.
 *
 * Packets: slsDetectorPackage header version 2, `MoenchData`. Frames are told of as std_detector_buffer's
 * `JFFrame`; the image id is the frame number.
 *
 * @module
 */
import { pixelType } from "../../config/mod.ts";
import type { Detector, ModuleLayout, PacketFormat } from "../detector.ts";
import { writeModuleFrame } from "../module_frame.ts";
import {
  type DetectorImageMetadata,
  SLS_DETECTOR_TYPE,
  SLS_HEADER_BYTES,
  SLS_HEADER_VERSION,
} from "../../protocol/mod.ts";

const ROWS = 400;
const COLUMNS = 400;
const PIXEL_BYTES = 2;
const PAYLOAD_BYTES = 6400;

/** The Moench detector. */
export const moench: Detector = {
  name: "moench",
  gainSwitching: false,

  packetFormat(): PacketFormat {
    return {
      headerBytes: SLS_HEADER_BYTES,
      payloadBytes: PAYLOAD_BYTES,
      packetsPerFrame: ROWS * COLUMNS * PIXEL_BYTES / PAYLOAD_BYTES,
      headerVersion: SLS_HEADER_VERSION,
      detectorType: SLS_DETECTOR_TYPE.moench,
      imageIdField: "frame_number",
    };
  },

  moduleLayout(): ModuleLayout {
    return { rows: ROWS, chips: 1, runPixels: COLUMNS, gapPixels: 0, pixelBytes: PIXEL_BYTES };
  },

  pixelType,

  writeFrameMessage: writeModuleFrame,

  imageMetadata(): DetectorImageMetadata | undefined {
    return undefined; // the message has no part for it
  },
};
