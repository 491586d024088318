/**
 * How a GigaFRoST cuts the rows of one link into packets.
 *
 * @module
 */
import { GIGAFROST_BLOCK_PIXELS } from "../../protocol/mod.ts";
import type { RowPackets } from "../detector.ts";

/** Most bytes after a packet's header. */
const LARGEST_PAYLOAD = 7400;

/** The camera writes packets in lines of so many bytes: 48 pixels of 12 bit. */
const LINE_BYTES = 72;
const LINE_PIXELS = 48;

/** An odd number of rows that do not fill lines ends with half a line. */
const PADDING_BYTES = 36;

/** The packets of one frame of a link. */
export interface FrameCut extends RowPackets {
  /** Pixel bytes of every packet but the last. */
  readonly payloadBytes: number;
  /** Packets of a frame. */
  readonly packetsPerFrame: number;
}

/** Bytes of `pixels` packed pixels, two in three bytes. */
export function packedBytes(pixels: number): number {
  return pixels * 3 / 2;
}

/**
 * Cuts `rows` rows of `columns` pixels (a link's, half of a quadrant's rows) into packets.
 *
 * The camera counts blocks of 12 pixels: half a line, two of which it never separates. Everything is
 * rounded down where the camera does it, or packets would have a row too many.
 *
 * @param columns Even, at least 12, px.
 * @param rows At least 1, px.
 */
export function cutIntoPackets(columns: number, rows: number): FrameCut {
  const blocks = Math.floor(columns / GIGAFROST_BLOCK_PIXELS);
  const rowsOfBlocks = Math.floor(LARGEST_PAYLOAD / (LINE_BYTES / 2 * blocks));
  const lines = Math.floor(rowsOfBlocks * blocks / 2);
  const rowsPerPacket = Math.min(Math.floor(lines * LINE_PIXELS / columns), rows);
  const lastRows = rows % rowsPerPacket || rowsPerPacket;
  const padding = (rowsOfPacket: number): number =>
    rowsOfPacket % 2 === 1 && columns % LINE_PIXELS !== 0 ? PADDING_BYTES : 0;
  return {
    rowsPerPacket,
    packetsPerFrame: Math.ceil(rows / rowsPerPacket),
    payloadBytes: packedBytes(columns * rowsPerPacket),
    lastPayloadBytes: packedBytes(columns * lastRows),
    paddingBytes: padding(rowsPerPacket),
    lastPaddingBytes: padding(lastRows),
  };
}
