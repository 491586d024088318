/**
 * The 64-byte messages a receiver sends for each frame (one module's part of an image) on
 * `ipc:///tmp/<detector>-<module>`; the pixels are in the frame ring.
 *
 * Format: std_detector_buffer's CommonFrame, EGFrame, JFFrame and GFFrame: packed, little endian,
 * padded with zeros to 64 bytes. Every struct begins with the fields of {@link CommonFrame}.
 *
 * `write…` and `read…` work in place in the caller's buffer and allocate nothing but the result;
 * they keep the low bits of a value that is wider than its field, as a C++ assignment does.
 *
 * @module
 */
import { ProtocolError } from "./protocol_error.ts";
import { defineWireStruct, viewOf, type WireRow, type WireStruct } from "./wire_struct.ts";

/** Bytes of every frame message. */
export const FRAME_BYTES = 64;

/** The `image_id` of a slot that holds no frame: 2^64 − 1. */
export const INVALID_IMAGE_ID = 0xffff_ffff_ffff_ffffn;

/** What all frame messages begin with. */
export interface CommonFrame {
  /** Id of the image the frame belongs to. */
  imageId: bigint;
  /** Packets that did not come. An original receiver may underflow it, so it is all 64 bits. */
  missingPackets: bigint;
  /** Module number of the detector's config, from 0. */
  moduleId: number;
}

/** Frame of an Eiger half module. */
export interface EigerFrame extends CommonFrame {
  /** Bits per pixel as received: 4, 8, 16 or 32. */
  bitDepth: number;
  /** `column` of the packet header: the original swaps the two, and so does the wire. */
  posY: number;
  /** `row` of the packet header. */
  posX: number;
  /** Exposure, 100 ns. Ours: the original leaves these bytes 0. */
  expLength: number;
}

/** Frame of a Jungfrau module. */
export interface JungfrauFrame extends CommonFrame {
  /** The struct's own id; the original's receiver leaves it 0. */
  id: bigint;
  /** `frameNumber` of the packet header. */
  frameIndex: bigint;
  /** `detSpec3` of the packet header. */
  daqRec: bigint;
  /** The struct's own module number, beside the common one; 0 in every recording. */
  wideModuleId: bigint;
}

/** Frame of a GigaFRoST module (one link of one quadrant). */
export interface GigafrostFrame extends CommonFrame {
  /** 1 when the rows run from the last to the first. */
  swappedRows: number;
  /** Link within the quadrant, 0 or 1: carries every other row. */
  linkId: number;
  /** Correction mode of the camera. */
  corrMode: number;
  /** Quadrant 0–3. */
  quadrantId: number;
  /** `rpf` of the original's struct; 0 in every recording. */
  rpf: number;
  /** 1 when the image is not to be stored. */
  doNotStore: number;
  /** Number of the scan. */
  scanId: number;
  /** Columns of the quadrant, px. */
  sizeX: number;
  /** Rows of one link, px. */
  sizeY: number;
  /** Camera ticks. */
  scanTime: number;
  /** Camera ticks. */
  syncTime: number;
  /** Camera ticks. */
  frameTimestamp: bigint;
  /** Camera ticks. */
  exposureTime: bigint;
}

const COMMON = {
  imageId: ["u64", "id", "image the frame belongs to"],
  missingPackets: ["u64", "packets", "packets that did not come"],
  moduleId: ["u16", "number", "module of the detector's config"],
} as const satisfies Record<keyof CommonFrame, WireRow>;

/** Layout of {@link EigerFrame}. */
export const EIGER_FRAME: WireStruct<keyof EigerFrame> = defineWireStruct("EGFrame", FRAME_BYTES, {
  ...COMMON,
  bitDepth: ["u16", "bits", "bits per pixel"],
  posY: ["u16", "number", "column of the packet header"],
  posX: ["u16", "number", "row of the packet header"],
  expLength: ["u32", "100 ns", "exposure; left 0 by the original"],
});

/** Layout of {@link JungfrauFrame}. */
export const JUNGFRAU_FRAME: WireStruct<keyof JungfrauFrame> = defineWireStruct(
  "JFFrame",
  FRAME_BYTES,
  {
    ...COMMON,
    id: ["u64", "id", "left 0 by the original"],
    frameIndex: ["u64", "number", "frameNumber of the packet header"],
    daqRec: ["u64", "bits", "detSpec3 of the packet header"],
    wideModuleId: ["u64", "number", "module number again"],
  },
);

/** Layout of {@link GigafrostFrame}. */
export const GIGAFROST_FRAME: WireStruct<keyof GigafrostFrame> = defineWireStruct(
  "GFFrame",
  FRAME_BYTES,
  {
    ...COMMON,
    swappedRows: ["u8", "flag", "rows run from the last to the first"],
    linkId: ["u8", "number", "link within the quadrant"],
    corrMode: ["u8", "number", "correction mode of the camera"],
    quadrantId: ["u8", "number", "quadrant of the image"],
    rpf: ["u8", "number", "rpf of the original's struct"],
    doNotStore: ["u8", "flag", "the image is not to be stored"],
    scanId: ["u32", "id", "scan"],
    sizeX: ["u32", "px", "columns of the quadrant"],
    sizeY: ["u32", "px", "rows of one link"],
    scanTime: ["u32", "ticks", "scan time"],
    syncTime: ["u32", "ticks", "sync time"],
    frameTimestamp: ["u64", "ticks", "time of the frame"],
    exposureTime: ["u64", "ticks", "exposure time"],
  },
);

/**
 * Writes all 64 bytes of an Eiger frame message at `offset` of `view`.
 *
 * @throws {RangeError} If the view ends before `offset + 64`.
 */
export function writeEigerFrame(view: DataView, offset: number, frame: EigerFrame): void {
  const { at, usedBytes } = EIGER_FRAME;
  writeCommon(view, offset, frame, usedBytes);
  view.setUint16(offset + at.bitDepth, frame.bitDepth, true);
  view.setUint16(offset + at.posY, frame.posY, true);
  view.setUint16(offset + at.posX, frame.posX, true);
  view.setUint32(offset + at.expLength, frame.expLength, true);
}

/**
 * Reads the Eiger frame message at `offset` of `view`.
 *
 * @throws {RangeError} If the view ends before the struct does.
 */
export function readEigerFrame(view: DataView, offset: number): EigerFrame {
  const { at } = EIGER_FRAME;
  return {
    imageId: view.getBigUint64(offset + at.imageId, true),
    missingPackets: view.getBigUint64(offset + at.missingPackets, true),
    moduleId: view.getUint16(offset + at.moduleId, true),
    bitDepth: view.getUint16(offset + at.bitDepth, true),
    posY: view.getUint16(offset + at.posY, true),
    posX: view.getUint16(offset + at.posX, true),
    expLength: view.getUint32(offset + at.expLength, true),
  };
}

/**
 * Writes all 64 bytes of a Jungfrau frame message at `offset` of `view`.
 *
 * @throws {RangeError} If the view ends before `offset + 64`.
 */
export function writeJungfrauFrame(view: DataView, offset: number, frame: JungfrauFrame): void {
  const { at, usedBytes } = JUNGFRAU_FRAME;
  writeCommon(view, offset, frame, usedBytes);
  view.setBigUint64(offset + at.id, frame.id, true);
  view.setBigUint64(offset + at.frameIndex, frame.frameIndex, true);
  view.setBigUint64(offset + at.daqRec, frame.daqRec, true);
  view.setBigUint64(offset + at.wideModuleId, frame.wideModuleId, true);
}

/**
 * Reads the Jungfrau frame message at `offset` of `view`.
 *
 * @throws {RangeError} If the view ends before the struct does.
 */
export function readJungfrauFrame(view: DataView, offset: number): JungfrauFrame {
  const { at } = JUNGFRAU_FRAME;
  return {
    imageId: view.getBigUint64(offset + at.imageId, true),
    missingPackets: view.getBigUint64(offset + at.missingPackets, true),
    moduleId: view.getUint16(offset + at.moduleId, true),
    id: view.getBigUint64(offset + at.id, true),
    frameIndex: view.getBigUint64(offset + at.frameIndex, true),
    daqRec: view.getBigUint64(offset + at.daqRec, true),
    wideModuleId: view.getBigUint64(offset + at.wideModuleId, true),
  };
}

/**
 * Writes all 64 bytes of a GigaFRoST frame message at `offset` of `view`.
 *
 * @throws {RangeError} If the view ends before `offset + 64`.
 */
export function writeGigafrostFrame(view: DataView, offset: number, frame: GigafrostFrame): void {
  const { at, usedBytes } = GIGAFROST_FRAME;
  writeCommon(view, offset, frame, usedBytes);
  view.setUint8(offset + at.swappedRows, frame.swappedRows);
  view.setUint8(offset + at.linkId, frame.linkId);
  view.setUint8(offset + at.corrMode, frame.corrMode);
  view.setUint8(offset + at.quadrantId, frame.quadrantId);
  view.setUint8(offset + at.rpf, frame.rpf);
  view.setUint8(offset + at.doNotStore, frame.doNotStore);
  view.setUint32(offset + at.scanId, frame.scanId, true);
  view.setUint32(offset + at.sizeX, frame.sizeX, true);
  view.setUint32(offset + at.sizeY, frame.sizeY, true);
  view.setUint32(offset + at.scanTime, frame.scanTime, true);
  view.setUint32(offset + at.syncTime, frame.syncTime, true);
  view.setBigUint64(offset + at.frameTimestamp, frame.frameTimestamp, true);
  view.setBigUint64(offset + at.exposureTime, frame.exposureTime, true);
}

/**
 * Reads the GigaFRoST frame message at `offset` of `view`.
 *
 * @throws {RangeError} If the view ends before the struct does.
 */
export function readGigafrostFrame(view: DataView, offset: number): GigafrostFrame {
  const { at } = GIGAFROST_FRAME;
  return {
    imageId: view.getBigUint64(offset + at.imageId, true),
    missingPackets: view.getBigUint64(offset + at.missingPackets, true),
    moduleId: view.getUint16(offset + at.moduleId, true),
    swappedRows: view.getUint8(offset + at.swappedRows),
    linkId: view.getUint8(offset + at.linkId),
    corrMode: view.getUint8(offset + at.corrMode),
    quadrantId: view.getUint8(offset + at.quadrantId),
    rpf: view.getUint8(offset + at.rpf),
    doNotStore: view.getUint8(offset + at.doNotStore),
    scanId: view.getUint32(offset + at.scanId, true),
    sizeX: view.getUint32(offset + at.sizeX, true),
    sizeY: view.getUint32(offset + at.sizeY, true),
    scanTime: view.getUint32(offset + at.scanTime, true),
    syncTime: view.getUint32(offset + at.syncTime, true),
    frameTimestamp: view.getBigUint64(offset + at.frameTimestamp, true),
    exposureTime: view.getBigUint64(offset + at.exposureTime, true),
  };
}

/** A new 64-byte Eiger frame message. */
export function encodeEigerFrame(frame: EigerFrame): Uint8Array<ArrayBuffer> {
  return encode(writeEigerFrame, frame);
}

/** A new 64-byte Jungfrau frame message. */
export function encodeJungfrauFrame(frame: JungfrauFrame): Uint8Array<ArrayBuffer> {
  return encode(writeJungfrauFrame, frame);
}

/** A new 64-byte GigaFRoST frame message. */
export function encodeGigafrostFrame(frame: GigafrostFrame): Uint8Array<ArrayBuffer> {
  return encode(writeGigafrostFrame, frame);
}

/**
 * The Eiger frame in a received message.
 *
 * @throws {ProtocolError} If the message is not 64 bytes.
 */
export function decodeEigerFrame(message: Uint8Array): EigerFrame {
  return readEigerFrame(frameView(message), 0);
}

/**
 * The Jungfrau frame in a received message.
 *
 * @throws {ProtocolError} If the message is not 64 bytes.
 */
export function decodeJungfrauFrame(message: Uint8Array): JungfrauFrame {
  return readJungfrauFrame(frameView(message), 0);
}

/**
 * The GigaFRoST frame in a received message.
 *
 * @throws {ProtocolError} If the message is not 64 bytes.
 */
export function decodeGigafrostFrame(message: Uint8Array): GigafrostFrame {
  return readGigafrostFrame(frameView(message), 0);
}

/** Common fields (at the same offsets in every struct), and zeros behind the last one. */
function writeCommon(view: DataView, offset: number, frame: CommonFrame, usedBytes: number): void {
  // The last eight bytes go first: a view that is too short throws before anything is changed.
  view.setBigUint64(offset + FRAME_BYTES - 8, 0n, true);
  for (let i = usedBytes; i < FRAME_BYTES - 8; i++) view.setUint8(offset + i, 0);
  const { at } = EIGER_FRAME;
  view.setBigUint64(offset + at.imageId, frame.imageId, true);
  view.setBigUint64(offset + at.missingPackets, frame.missingPackets, true);
  view.setUint16(offset + at.moduleId, frame.moduleId, true);
}

function encode<Frame>(
  write: (view: DataView, offset: number, frame: Frame) => void,
  frame: Frame,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_BYTES);
  write(viewOf(bytes), 0, frame);
  return bytes;
}

function frameView(message: Uint8Array): DataView {
  if (message.byteLength !== FRAME_BYTES) {
    throw new ProtocolError(
      `frame message has ${message.byteLength} bytes, expected ${FRAME_BYTES}: ` +
        "check that the address is a receiver's frame stream",
    );
  }
  return viewOf(message);
}
