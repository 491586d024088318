/**
 * The 48-byte header of a UDP packet of an SLS detector (Eiger, Jungfrau, Moench, Gotthard-II,
 * Mythen3), version 2.
 *
 * Format: the detectors' manual; packed, little endian. The receiving kernels check headers
 * themselves: this is for tests, dumps and the simulator.
 *
 * @module
 */
import { ProtocolError } from "./protocol_error.ts";
import { defineWireStruct, viewOf, type WireStruct } from "./wire_struct.ts";

/** Bytes of the header: the pixels of the packet follow. */
export const SLS_HEADER_BYTES = 48;

/** Value of `version` in the headers described here. */
export const SLS_HEADER_VERSION = 2;

/** Values of `detType`: slsDetectorPackage's `detectorType`. */
export const SLS_DETECTOR_TYPE = {
  eiger: 1,
  jungfrau: 3,
  moench: 5,
  mythen3: 6,
  gotthard2: 7,
} as const;

/** The header's fields, under the names of the detectors' manual. */
export interface SlsHeader {
  /** Frames since the start of the acquisition. */
  frameNumber: bigint;
  /** Exposure time, 100 ns. */
  expLength: number;
  /** Packet within the frame, from 0. */
  packetNumber: number;
  /** Raw 64 bits; Jungfrau: the bunch id as a double, see {@link bunchIdFromDetSpec1}. */
  detSpec1: bigint;
  /** 100 ns. */
  timestamp: bigint;
  /** Serial number of the module. */
  modId: number;
  /** Row of the module in the detector. */
  row: number;
  /** Column of the module in the detector. */
  column: number;
  /** Depends on the detector; see its manual. */
  detSpec2: number;
  /** Jungfrau: daq_rec. */
  detSpec3: number;
  /** Round robin interface. */
  detSpec4: number;
  /** See {@link SLS_DETECTOR_TYPE}. */
  detType: number;
  /** Version of the header, see {@link SLS_HEADER_VERSION}. */
  version: number;
}

/** Layout of {@link SlsHeader}. */
export const SLS_HEADER: WireStruct<keyof SlsHeader> = defineWireStruct("sls_detector_header", 48, {
  frameNumber: ["u64", "number", "frame since the start of the acquisition"],
  expLength: ["u32", "100 ns", "exposure time"],
  packetNumber: ["u32", "number", "packet within the frame"],
  detSpec1: ["u64", "bits", "Jungfrau: bunch id as a double"],
  timestamp: ["u64", "100 ns", "time of the frame"],
  modId: ["u16", "id", "module serial"],
  row: ["u16", "number", "row of the module"],
  column: ["u16", "number", "column of the module"],
  detSpec2: ["u16", "bits", ""],
  detSpec3: ["u32", "bits", "Jungfrau: daq_rec"],
  detSpec4: ["u16", "bits", "round robin interface"],
  detType: ["u8", "number", "detector type"],
  version: ["u8", "number", "header version"],
});

/**
 * Writes the header at `offset` of `view`; values wider than their field keep their low bits.
 *
 * @throws {RangeError} If the view ends before `offset + 48`.
 */
export function writeSlsHeader(view: DataView, offset: number, header: SlsHeader): void {
  const { at } = SLS_HEADER;
  view.setUint8(offset + at.version, header.version);
  view.setUint8(offset + at.detType, header.detType);
  view.setBigUint64(offset + at.frameNumber, header.frameNumber, true);
  view.setUint32(offset + at.expLength, header.expLength, true);
  view.setUint32(offset + at.packetNumber, header.packetNumber, true);
  view.setBigUint64(offset + at.detSpec1, header.detSpec1, true);
  view.setBigUint64(offset + at.timestamp, header.timestamp, true);
  view.setUint16(offset + at.modId, header.modId, true);
  view.setUint16(offset + at.row, header.row, true);
  view.setUint16(offset + at.column, header.column, true);
  view.setUint16(offset + at.detSpec2, header.detSpec2, true);
  view.setUint32(offset + at.detSpec3, header.detSpec3, true);
  view.setUint16(offset + at.detSpec4, header.detSpec4, true);
}

/**
 * Reads the header at the start of `packet`. Any 48 bytes are a header: the caller judges the values.
 *
 * @throws {ProtocolError} If the packet is shorter than a header.
 */
export function readSlsHeader(packet: Uint8Array): SlsHeader {
  if (packet.byteLength < SLS_HEADER_BYTES) {
    throw new ProtocolError(
      `packet of ${packet.byteLength} bytes is shorter than the ${SLS_HEADER_BYTES}-byte header: ` +
        "check that it comes from an SLS detector",
    );
  }
  const view = viewOf(packet);
  const { at } = SLS_HEADER;
  return {
    frameNumber: view.getBigUint64(at.frameNumber, true),
    expLength: view.getUint32(at.expLength, true),
    packetNumber: view.getUint32(at.packetNumber, true),
    detSpec1: view.getBigUint64(at.detSpec1, true),
    timestamp: view.getBigUint64(at.timestamp, true),
    modId: view.getUint16(at.modId, true),
    row: view.getUint16(at.row, true),
    column: view.getUint16(at.column, true),
    detSpec2: view.getUint16(at.detSpec2, true),
    detSpec3: view.getUint32(at.detSpec3, true),
    detSpec4: view.getUint16(at.detSpec4, true),
    detType: view.getUint8(at.detType),
    version: view.getUint8(at.version),
  };
}

/** Both readings of the same 64 bits. */
const pun = new DataView(new ArrayBuffer(8));

/**
 * Jungfrau's bunch id (which is its image id) out of `detSpec1`, where it is a double; a fraction is
 * cut off, as the original's cast to uint64 does.
 *
 * @throws {ProtocolError} If the double is not a number from 0 up to 2^64.
 */
export function bunchIdFromDetSpec1(detSpec1: bigint): bigint {
  pun.setBigUint64(0, detSpec1);
  const value = pun.getFloat64(0);
  if (!(value >= 0 && value < 2 ** 64)) {
    throw new ProtocolError(
      `detSpec1 ${detSpec1} is the double ${value}, expected a bunch id from 0 up to 2^64: ` +
        "check that the packet is a Jungfrau's",
    );
  }
  return BigInt(Math.trunc(value));
}

/**
 * `detSpec1` for a bunch id: the bits of the double.
 *
 * @throws {ProtocolError} If the bunch id is no exact double from 0 up to 2^64.
 */
export function detSpec1FromBunchId(bunchId: bigint): bigint {
  const value = Number(bunchId);
  if (bunchId < 0n || value >= 2 ** 64 || BigInt(value) !== bunchId) {
    throw new ProtocolError(`bunch id ${bunchId} is no exact double from 0 up to 2^64`);
  }
  pun.setFloat64(0, value);
  return pun.getBigUint64(0);
}
