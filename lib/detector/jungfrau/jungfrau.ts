/**
 * Jungfrau: modules of 1024 × 512 px, 16 bit with the gain in the two highest bits.
 *
 * Packet and frame formats: slsDetectorPackage header version 2, std_detector_buffer `JFFrame`. The
 * image id is the bunch id, which the header carries as an f64, unless the config says otherwise.
 *
 * @module
 */
import { type DetectorConfig, hasChipGaps, pixelType } from "../../config/mod.ts";
import type { Detector, ModuleLayout, PacketFormat } from "../detector.ts";
import { writeModuleFrame } from "../module_frame.ts";
import {
  type DetectorImageMetadata,
  JUNGFRAU_FRAME,
  SLS_DETECTOR_TYPE,
  SLS_HEADER_BYTES,
  SLS_HEADER_VERSION,
} from "../../protocol/mod.ts";

const ROWS = 512;
const COLUMNS = 1024;
const CHIP = { columns: 256, rows: 256 };
const CHIP_GAP = 2;
const PIXEL_BYTES = 2;
const PAYLOAD_BYTES = 8192;

/** The Jungfrau detector, raw or converted. */
export const jungfrau: Detector = {
  name: "jungfrau",
  gainSwitching: true,

  /** The virtual detectors of the detector group leave the bunch id 0. */
  packetFormat(config: DetectorConfig): PacketFormat {
    return {
      headerBytes: SLS_HEADER_BYTES,
      payloadBytes: PAYLOAD_BYTES,
      packetsPerFrame: ROWS * COLUMNS * PIXEL_BYTES / PAYLOAD_BYTES,
      headerVersion: SLS_HEADER_VERSION,
      detectorType: SLS_DETECTOR_TYPE.jungfrau,
      imageIdField: config.image_id_source ?? "bunch_id_or_frame_number",
    };
  },

  /** The gaps between chips are not among the pixels that are sent; the image may have them or not. */
  moduleLayout(config: DetectorConfig): ModuleLayout {
    const module = { rows: ROWS, chipSize: CHIP, pixelBytes: PIXEL_BYTES };
    return hasChipGaps(config)
      ? {
        ...module,
        chips: COLUMNS / CHIP.columns,
        runPixels: CHIP.columns,
        gapPixels: CHIP_GAP,
        bandRows: CHIP.rows,
        bandGapRows: CHIP_GAP,
      }
      : { ...module, chips: 1, runPixels: COLUMNS, gapPixels: 0 };
  },

  pixelType,

  writeFrameMessage: writeModuleFrame,

  imageMetadata(message: DataView, at: number): DetectorImageMetadata {
    return { kind: "jf", daqRec: message.getBigUint64(at + JUNGFRAU_FRAME.at.daqRec, true) };
  },
};
