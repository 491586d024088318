/**
 * Jungfrau: modules of 1024 × 512 px, 16 bit with the gain in the two highest bits.
 *
 * Packet and frame formats: slsDetectorPackage header version 2, std_detector_buffer `JFFrame`. The
 * image id is the bunch id, which the header carries as an f64.
 *
 * @module
 */
import { pixelType } from "../../config/mod.ts";
import type {
  Detector,
  DetectorMetadata,
  FrameFields,
  ModuleLayout,
  PacketFormat,
} from "../detector.ts";
import { writeCommonFields } from "../_frame_message.ts";

const ROWS = 512;
const COLUMNS = 1024;
const PIXEL_BYTES = 2;
const PAYLOAD_BYTES = 8192;
const DAQ_REC_AT = 34; // in the frame struct

/** The Jungfrau detector, raw or converted. */
export const jungfrau: Detector = {
  name: "jungfrau",
  gainSwitching: true,

  packetFormat(): PacketFormat {
    return {
      headerBytes: 48,
      payloadBytes: PAYLOAD_BYTES,
      packetsPerFrame: ROWS * COLUMNS * PIXEL_BYTES / PAYLOAD_BYTES,
      headerVersion: 2,
      detectorType: 3,
      imageIdField: "bunch_id",
    };
  },

  /** One run per row: the chips' gaps are not among the 1024 columns that are sent. */
  moduleLayout(): ModuleLayout {
    return { rows: ROWS, chips: 1, runPixels: COLUMNS, gapPixels: 0, pixelBytes: PIXEL_BYTES };
  },

  pixelType,

  /** u64 id @18 (always 0 in the original), frame_index @26, daq_rec @34, module_id @42. */
  writeFrameMessage(target: DataView, at: number, frame: FrameFields): void {
    const { header, headerAt } = frame;
    writeCommonFields(target, at, frame);
    target.setBigUint64(at + 26, header.getBigUint64(headerAt, true), true);
    target.setBigUint64(at + DAQ_REC_AT, BigInt(header.getUint32(headerAt + 40, true)), true);
    target.setBigUint64(at + 42, BigInt(frame.module), true);
  },

  imageMetadata(message: DataView, at: number): DetectorMetadata {
    return { kind: "jf", daqRec: message.getBigUint64(at + DAQ_REC_AT, true) };
  },
};
