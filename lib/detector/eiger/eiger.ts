/**
 * Eiger: half modules of 512 × 256 px, two chips wide, each sending to a port of its own.
 *
 * Packet and frame formats: slsDetectorPackage header version 2, std_detector_buffer `EGFrame`. Of two
 * pixels of 4 bit in a byte, the first is the low half: `eigerHalfModuleData` of slsDetectorPackage.
 *
 * @module
 */
import { type DetectorConfig, pixelType } from "../../config/mod.ts";
import type { Detector, FrameFields, ModuleLayout, PacketFormat } from "../detector.ts";
import {
  type DetectorImageMetadata,
  readEigerFrame,
  SLS_DETECTOR_TYPE,
  SLS_HEADER,
  SLS_HEADER_BYTES,
  SLS_HEADER_VERSION,
  writeEigerFrame,
} from "../../protocol/mod.ts";

const ROWS = 256;
const CHIPS = 2;
const CHIP_COLUMNS = 256;
const PAYLOAD_BYTES = 4096;

/** Largest count of the chip's counters: 16 bit are sent of their 12, 32 bit are sums of many readings. */
const LARGEST_READING = 2 ** 12 - 1;

/** The Eiger detector. */
export const eiger: Detector = {
  name: "eiger",
  gainSwitching: false,

  packetFormat(config: DetectorConfig): PacketFormat {
    const pixels = ROWS * CHIPS * CHIP_COLUMNS;
    return {
      headerBytes: SLS_HEADER_BYTES,
      payloadBytes: PAYLOAD_BYTES,
      packetsPerFrame: pixels * config.bit_depth / 8 / PAYLOAD_BYTES,
      headerVersion: SLS_HEADER_VERSION,
      detectorType: SLS_DETECTOR_TYPE.eiger,
      imageIdField: "frame_number",
    };
  },

  moduleLayout(config: DetectorConfig): ModuleLayout {
    return {
      rows: ROWS,
      chips: CHIPS,
      runPixels: CHIP_COLUMNS,
      gapPixels: 2,
      chipSize: { columns: CHIP_COLUMNS, rows: ROWS },
      joinedModules: true,
      pixelBytes: Math.max(1, config.bit_depth / 8),
      ...(config.bit_depth === 4 ? { packedBits: 4 } : {}),
      ...(config.bit_depth === 16 ? { saturatedCount: LARGEST_READING } : {}),
    };
  },

  pixelType,

  /** The original puts the header's column into y and its row into x, and so does the wire. */
  writeFrameMessage(target: DataView, at: number, frame: FrameFields): void {
    const { header, headerAt } = frame;
    writeEigerFrame(target, at, {
      imageId: frame.imageId,
      missingPackets: BigInt(frame.missingPackets),
      moduleId: frame.module,
      bitDepth: frame.bitDepth,
      posY: header.getUint16(headerAt + SLS_HEADER.at.column, true),
      posX: header.getUint16(headerAt + SLS_HEADER.at.row, true),
      // With 32 bit, an image is the sum of many, and the field is the number of the last of them.
      expLength: frame.bitDepth === 32
        ? 0
        : header.getUint32(headerAt + SLS_HEADER.at.expLength, true),
    });
  },

  imageMetadata(message: DataView, at: number): DetectorImageMetadata {
    return { kind: "eg", exptime: BigInt(readEigerFrame(message, at).expLength) };
  },

  packFrame(_config: DetectorConfig, pixels: ArrayLike<number>, target: Uint8Array): void {
    for (let i = 0; i < target.length; i++) target[i] = pixels[2 * i]! | pixels[2 * i + 1]! << 4;
  },
};
