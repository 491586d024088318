/**
 * The 32-byte header of a GigaFRoST's UDP packet.
 *
 * Format: std_detector_buffer's description of the camera's packets; packed, little endian. The
 * receiving kernels check headers themselves: this is for frame structs, tests and the simulator.
 *
 * @module
 */
import { ProtocolError } from "./protocol_error.ts";
import { defineWireStruct, viewOf, type WireStruct } from "./wire_struct.ts";

/** Bytes of the header: whole rows of 12-bit pixels follow, then padding. */
export const GIGAFROST_HEADER_BYTES = 32;

/** Value of `protocolId`. */
export const GIGAFROST_PROTOCOL_ID = 0xcb;

/** Pixels of a block, in which the header counts the length of a row. */
export const GIGAFROST_BLOCK_PIXELS = 12;

/** Bits of the status below the module that sends: quadrant × 2 + link. */
export const GIGAFROST_STREAM_SHIFT = 5;

/** Bits of the time of a frame; the exposure time is above them. */
export const GIGAFROST_TIME_BITS = 40;

/** The header as its fields lie on the wire. */
export const GIGAFROST_HEADER: WireStruct<
  | "protocolId"
  | "rowBlocks"
  | "quadrantRows"
  | "status"
  | "scanId"
  | "frameIndex"
  | "imageStatus"
  | "startingRow"
  | "imageTiming"
  | "syncTime"
  | "scanTime"
> = defineWireStruct("GFUdpPacket", GIGAFROST_HEADER_BYTES, {
  protocolId: ["u8", "number", "0xCB"],
  rowBlocks: ["u8", "12 px", "length of a quadrant's row, rounded down"],
  quadrantRows: ["u8", "bits", "rows of a quadrant, bits 1 to 7; bit 0: rows are swapped"],
  status: ["u8", "bits", "7-6 quadrant, 5 link, 4-2 correction mode, 1-0 rows, bits 9 and 8"],
  scanId: ["u32", "id", "scan"],
  frameIndex: ["u32", "number", "frame of the scan"],
  imageStatus: ["u16", "bits", "15 do not store, the others for debugging"],
  startingRow: ["u16", "px", "first row of the packet, among those of its link"],
  imageTiming: ["u64", "bits", "39-0 time of the frame, 63-40 exposure time; ticks"],
  syncTime: ["u32", "ticks", "sync time"],
  scanTime: ["u32", "ticks", "scan time"],
});

/** The header's values, taken apart. */
export interface GigafrostHeader {
  /** 0xCB; anything else is no packet of a GigaFRoST. */
  protocolId: number;
  /** Length of a quadrant's row, blocks of 12 px, rounded down. */
  rowBlocks: number;
  /** Rows of a quadrant, an even number, px. */
  quadrantRows: number;
  /** The rows are swapped. */
  swappedRows: boolean;
  /** Quadrant: 0 SW, 1 SE, 2 NW, 3 NE. */
  quadrantId: number;
  /** Link of the quadrant, 0 or 1. */
  linkId: number;
  /** Correction mode of the camera, 0 to 7. */
  corrMode: number;
  /** Number of the scan. */
  scanId: number;
  /** Frame of the scan. */
  frameIndex: number;
  /** The image is not to be stored. */
  doNotStore: boolean;
  /** First row of the packet, among those of its link, px. */
  startingRow: number;
  /** When the frame was taken: 40 bits, camera ticks. */
  frameTimestamp: bigint;
  /** How long it was exposed: 24 bits, camera ticks. */
  exposureTime: bigint;
  /** Camera ticks. */
  syncTime: number;
  /** Camera ticks. */
  scanTime: number;
}

/**
 * Writes the header at `offset` of `view`; values wider than their field keep their low bits.
 *
 * @throws {RangeError} If the view ends before `offset + 32`.
 */
export function writeGigafrostHeader(
  view: DataView,
  offset: number,
  header: GigafrostHeader,
): void {
  const { at } = GIGAFROST_HEADER;
  view.setUint32(offset + at.scanTime, header.scanTime, true); // last first: all of it or nothing
  view.setUint8(offset + at.protocolId, header.protocolId);
  view.setUint8(offset + at.rowBlocks, header.rowBlocks);
  view.setUint8(offset + at.quadrantRows, header.quadrantRows & 0xfe | Number(header.swappedRows));
  view.setUint8(
    offset + at.status,
    ((header.quadrantId & 3) << 1 | header.linkId & 1) << GIGAFROST_STREAM_SHIFT |
      (header.corrMode & 7) << 2 |
      header.quadrantRows >> 8 & 3,
  );
  view.setUint32(offset + at.scanId, header.scanId, true);
  view.setUint32(offset + at.frameIndex, header.frameIndex, true);
  view.setUint16(offset + at.imageStatus, header.doNotStore ? 0x8000 : 0, true);
  view.setUint16(offset + at.startingRow, header.startingRow, true);
  const timestamp = BigInt.asUintN(GIGAFROST_TIME_BITS, header.frameTimestamp);
  view.setBigUint64(
    offset + at.imageTiming,
    timestamp | header.exposureTime << BigInt(GIGAFROST_TIME_BITS),
    true,
  );
  view.setUint32(offset + at.syncTime, header.syncTime, true);
}

/**
 * Reads the header at the start of `packet`. Any 32 bytes are a header: the caller judges the values.
 *
 * @throws {ProtocolError} If the packet is shorter than a header.
 */
export function readGigafrostHeader(packet: Uint8Array): GigafrostHeader {
  if (packet.byteLength < GIGAFROST_HEADER_BYTES) {
    throw new ProtocolError(
      `packet of ${packet.byteLength} bytes is shorter than the ${GIGAFROST_HEADER_BYTES}-byte ` +
        "header: check that it comes from a GigaFRoST",
    );
  }
  return gigafrostHeaderAt(viewOf(packet), 0);
}

/**
 * Reads the header at `offset` of `view`.
 *
 * @throws {RangeError} If the view ends before `offset + 32`.
 */
export function gigafrostHeaderAt(view: DataView, offset: number): GigafrostHeader {
  const { at } = GIGAFROST_HEADER;
  const rows = view.getUint8(offset + at.quadrantRows);
  const status = view.getUint8(offset + at.status);
  const stream = status >> GIGAFROST_STREAM_SHIFT;
  const timing = view.getBigUint64(offset + at.imageTiming, true);
  return {
    protocolId: view.getUint8(offset + at.protocolId),
    rowBlocks: view.getUint8(offset + at.rowBlocks),
    quadrantRows: (status & 3) << 8 | rows & 0xfe,
    swappedRows: (rows & 1) === 1,
    quadrantId: stream >> 1,
    linkId: stream & 1,
    corrMode: status >> 2 & 7,
    scanId: view.getUint32(offset + at.scanId, true),
    frameIndex: view.getUint32(offset + at.frameIndex, true),
    // Bit 15. The original takes bit 0 for it: `flags & 0x8000 >> 15` shifts the mask, not the flag.
    doNotStore: view.getUint16(offset + at.imageStatus, true) >= 0x8000,
    startingRow: view.getUint16(offset + at.startingRow, true),
    frameTimestamp: BigInt.asUintN(GIGAFROST_TIME_BITS, timing),
    exposureTime: timing >> BigInt(GIGAFROST_TIME_BITS),
    syncTime: view.getUint32(offset + at.syncTime, true),
    scanTime: view.getUint32(offset + at.scanTime, true),
  };
}
