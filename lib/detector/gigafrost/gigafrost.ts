/**
 * GigaFRoST: four quadrants, each read by two links that send every other row to a port of their own;
 * pixels of 12 bit, two in three bytes.
 *
 * Packet and frame formats: std_detector_buffer's `GFUdpPacket` and `GFFrame`. The image id is the
 * number of the frame in its scan: it begins anew with every scan.
 *
 * @module
 */
import { type DetectorConfig, GIGAFROST_MODULES, pixelType } from "../../config/mod.ts";
import type { Detector, FrameFields, ModuleLayout, PacketFormat } from "../detector.ts";
import {
  type DetectorImageMetadata,
  GIGAFROST_BLOCK_PIXELS,
  GIGAFROST_HEADER_BYTES,
  GIGAFROST_PROTOCOL_ID,
  gigafrostHeaderAt,
  readGigafrostFrame,
  writeGigafrostFrame,
  writeGigafrostHeader,
} from "../../protocol/mod.ts";
import { packRow } from "./pack_row.ts";
import { cutIntoPackets, packedBytes } from "./row_packets.ts";

const LINKS = 2;

/** Bytes of a pixel in the image. */
const PIXEL_BYTES = 2;

/** What simulated packets say: the camera's usual correction mode, and a scan. */
const SIMULATED = {
  corrMode: 5,
  scanId: 1,
  exposureTime: 1_000n,
  syncTime: 200_000,
  scanTime: 100_000,
};

/** The GigaFRoST camera. */
export const gigafrost: Detector = {
  name: "gigafrost",
  gainSwitching: false,

  packetFormat(config: DetectorConfig): PacketFormat {
    const { columns, rows } = linkSize(config);
    const { payloadBytes, packetsPerFrame, ...packets } = cutIntoPackets(columns, rows);
    return {
      headerBytes: GIGAFROST_HEADER_BYTES,
      payloadBytes,
      packetsPerFrame,
      headerVersion: rowBlocks(columns),
      detectorType: GIGAFROST_PROTOCOL_ID,
      imageIdField: "frame_number",
      rows: packets,
    };
  },

  moduleLayout(config: DetectorConfig): ModuleLayout {
    const { columns, rows } = linkSize(config);
    return {
      rows,
      chips: 1,
      runPixels: columns,
      gapPixels: 0,
      pixelBytes: PIXEL_BYTES,
      packedBits: 12,
      interleaved: LINKS,
    };
  },

  pixelType,

  /** `rpf` stays 0, as the original leaves it; `do_not_store` is the header's bit 15, see there. */
  writeFrameMessage(target: DataView, at: number, frame: FrameFields): void {
    const header = gigafrostHeaderAt(frame.header, frame.headerAt);
    writeGigafrostFrame(target, at, {
      imageId: frame.imageId,
      missingPackets: BigInt(frame.missingPackets),
      moduleId: frame.module % GIGAFROST_MODULES,
      swappedRows: Number(header.swappedRows),
      linkId: header.linkId,
      corrMode: header.corrMode,
      quadrantId: header.quadrantId,
      rpf: 0,
      doNotStore: Number(header.doNotStore),
      scanId: header.scanId,
      sizeX: frame.layout.runPixels,
      sizeY: frame.layout.rows,
      scanTime: header.scanTime,
      syncTime: header.syncTime,
      frameTimestamp: header.frameTimestamp,
      exposureTime: header.exposureTime,
    });
  },

  imageMetadata(message: DataView, at: number): DetectorImageMetadata {
    const frame = readGigafrostFrame(message, at);
    return {
      kind: "gf",
      scanId: frame.scanId,
      scanTime: frame.scanTime,
      syncTime: frame.syncTime,
      frameTimestamp: frame.frameTimestamp,
      exposureTime: frame.exposureTime,
      storeImage: frame.doNotStore === 0,
    };
  },

  packetTemplate(config: DetectorConfig, module: number): Uint8Array {
    const { columns, rows } = linkSize(config);
    const template = new Uint8Array(GIGAFROST_HEADER_BYTES);
    writeGigafrostHeader(new DataView(template.buffer), 0, {
      protocolId: GIGAFROST_PROTOCOL_ID,
      rowBlocks: rowBlocks(columns),
      quadrantRows: rows * LINKS,
      swappedRows: false,
      quadrantId: Math.floor(module / LINKS),
      linkId: module % LINKS,
      frameIndex: 0,
      doNotStore: false,
      startingRow: 0,
      frameTimestamp: 0n,
      ...SIMULATED,
    });
    return template;
  },

  packFrame(config: DetectorConfig, pixels: ArrayLike<number>, target: Uint8Array): void {
    const { columns, rows } = linkSize(config);
    const { rowsPerPacket, paddingBytes } = cutIntoPackets(columns, rows);
    const rowBytes = packedBytes(columns);
    for (let row = 0; row < rows; row++) {
      const at = row * rowBytes + Math.floor(row / rowsPerPacket) * paddingBytes;
      packRow(pixels, row * columns, columns, target, at);
    }
  },
};

/** Pixels that one link sends of an image: half a quadrant's rows. */
function linkSize(config: DetectorConfig): { columns: number; rows: number } {
  return {
    columns: config.image_pixel_width / 2,
    rows: config.image_pixel_height / 2 / LINKS,
  };
}

/** Length of a row as the header says it. */
function rowBlocks(columns: number): number {
  return Math.floor(columns / GIGAFROST_BLOCK_PIXELS);
}
