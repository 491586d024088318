/**
 * Gotthard-II: modules of 1280 strips, 16 bit: 12 bits of charge with the gain stage above. A frame is one
 * packet and one row of the image.
 *
 * Packets: slsDetectorPackage header version 2, `Gotthard2Data`. Frames are told of as std_detector_buffer's
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

const STRIPS = 1280;
const PIXEL_BYTES = 2;

/** The Gotthard-II detector. */
export const gotthard2: Detector = {
  name: "gotthard2",
  gainSwitching: false,

  packetFormat(): PacketFormat {
    return {
      headerBytes: SLS_HEADER_BYTES,
      payloadBytes: STRIPS * PIXEL_BYTES,
      packetsPerFrame: 1,
      headerVersion: SLS_HEADER_VERSION,
      detectorType: SLS_DETECTOR_TYPE.gotthard2,
      imageIdField: "frame_number",
    };
  },

  moduleLayout(): ModuleLayout {
    return { rows: 1, chips: 1, runPixels: STRIPS, gapPixels: 0, pixelBytes: PIXEL_BYTES };
  },

  pixelType,

  writeFrameMessage: writeModuleFrame,

  imageMetadata(): DetectorImageMetadata | undefined {
    return undefined; // the message has no part for it
  },
};
