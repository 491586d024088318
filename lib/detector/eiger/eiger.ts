/**
 * Eiger: half modules of 512 × 256 px, two chips wide, each sending to a port of its own.
 *
 * Packet and frame formats: slsDetectorPackage header version 2, std_detector_buffer `EGFrame`.
 *
 * @module
 */
import { type DetectorConfig, pixelType } from "../../config/mod.ts";
import type {
  Detector,
  DetectorMetadata,
  FrameFields,
  ModuleLayout,
  PacketFormat,
} from "../detector.ts";
import { writeCommonFields } from "../_frame_message.ts";

const ROWS = 256;
const CHIPS = 2;
const CHIP_COLUMNS = 256;
const PAYLOAD_BYTES = 4096;

/** The Eiger detector. */
export const eiger: Detector = {
  name: "eiger",
  gainSwitching: false,

  packetFormat(config: DetectorConfig): PacketFormat {
    const pixels = ROWS * CHIPS * CHIP_COLUMNS;
    return {
      headerBytes: 48,
      payloadBytes: PAYLOAD_BYTES,
      packetsPerFrame: pixels * config.bit_depth / 8 / PAYLOAD_BYTES,
      headerVersion: 2,
      detectorType: 1,
      imageIdField: "frame_number",
    };
  },

  moduleLayout(config: DetectorConfig): ModuleLayout {
    return {
      rows: ROWS,
      chips: CHIPS,
      runPixels: CHIP_COLUMNS,
      gapPixels: 2,
      pixelBytes: config.bit_depth / 8,
    };
  },

  pixelType,

  /** u16 bit_depth @18, pos_y @20, pos_x @22: the original puts the column into y and the row into x. */
  writeFrameMessage(target: DataView, at: number, frame: FrameFields): void {
    const { header, headerAt } = frame;
    writeCommonFields(target, at, frame);
    target.setUint16(at + 18, frame.bitDepth, true);
    target.setUint16(at + 20, header.getUint16(headerAt + 36, true), true);
    target.setUint16(at + 22, header.getUint16(headerAt + 34, true), true);
  },

  imageMetadata(): DetectorMetadata {
    return { kind: "eg", exptime: 0n };
  },
};
