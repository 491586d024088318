/**
 * The empty file: groups and datasets made by the HDF5 library, and where in its bytes the fields
 * are that change while images arrive.
 *
 * @module
 */
import { buildInMemory, objectAddress } from "./_h5wasm.ts";
import {
  MESSAGE_HEADER_BYTES,
  MessageType,
  onlyMessage,
  readObjectHeader,
  UnexpectedStructureError,
} from "./_object_header.ts";
import type { PixelType } from "./pixel_type.ts";

/** Where a chunked dataset keeps what grows. */
export interface DatasetFields {
  /** u64: length of the first dimension. */
  lengthAt: number;
  /** u64: address of the chunk index's root, all ones while there is none. */
  indexAt: number;
}

/** An empty image file and its variable fields (positions in bytes from the start of the file). */
export interface Structure {
  /** The whole file. */
  bytes: Uint8Array<ArrayBuffer>;
  /** `/<detector>/data`. */
  data: DatasetFields;
  /** `/<detector>/metadata`. */
  metadata: DatasetFields;
  /** The detector group's object header. */
  group: {
    /** u16: number of messages. */
    messageCountAt: number;
    /** u64 address and u64 size of the block with all messages but the first. */
    continuationAt: number;
    /** The group's own message, to be kept at the start of any such block. */
    symbolTable: Uint8Array<ArrayBuffer>;
  };
}

/** Superblock version 0: u64 end-of-file address (specification, II.A). */
export const END_OF_FILE_AT = 40;

const PAGE_BYTES = 4096;

const PIXEL_DTYPE: Readonly<Record<PixelType, { dtype: string; empty: Uint8Array }>> = {
  uint8: { dtype: "<B", empty: new Uint8Array() },
  uint16: { dtype: "<H", empty: new Uint8Array() },
  uint32: { dtype: "<I", empty: new Uint8Array() },
  int16: { dtype: "<h", empty: new Uint8Array() },
  int32: { dtype: "<i", empty: new Uint8Array() },
  float32: { dtype: "<f", empty: new Uint8Array() },
};

/** What {@link buildStructure} needs to know. */
export interface StructureOptions {
  /** Name of the group. */
  detector: string;
  /** Rows of an image, px. */
  height: number;
  /** Columns of an image, px. */
  width: number;
  /** Type of a pixel. */
  pixelType: PixelType;
  /** Records per chunk of the metadata dataset. */
  metadataChunk: number;
}

/**
 * Builds the empty file:
 *
 * | path | type | shape | chunk |
 * |---|---|---|---|
 * | `/<detector>/data` | pixel | (0…∞, height, width) | (1, height, width) |
 * | `/<detector>/metadata` | {u64 image_id, u64 status} | (0…∞) | (metadataChunk) |
 *
 * @throws {UnexpectedStructureError} If the library's layout cannot be patched safely.
 */
export function buildStructure(options: StructureOptions): Structure {
  const { detector, height, width, pixelType, metadataChunk } = options;
  const { bytes, result: address } = buildInMemory((file) => {
    const group = file.create_group(detector);
    group.create_dataset({
      name: "data",
      data: PIXEL_DTYPE[pixelType].empty,
      dtype: PIXEL_DTYPE[pixelType].dtype,
      shape: [0, height, width],
      maxshape: [null, height, width],
      chunks: [1, height, width],
    });
    group.create_dataset({
      name: "metadata",
      data: new Map([["image_id", new BigUint64Array()], ["status", new BigUint64Array()]]),
      shape: [0],
      maxshape: [null],
      chunks: [metadataChunk],
    });
    // Any attribute makes the library put the group's messages into a continuation block.
    group.create_attribute("placeholder", new Uint8Array(8));
    return {
      group: objectAddress(file, detector),
      data: objectAddress(file, `${detector}/data`),
      metadata: objectAddress(file, `${detector}/metadata`),
    };
  });
  return {
    bytes,
    data: datasetFields(bytes, address.data),
    metadata: datasetFields(bytes, address.metadata),
    group: groupFields(bytes, address.group),
  };
}

function datasetFields(file: Uint8Array, address: number): DatasetFields {
  const messages = readObjectHeader(file, address);
  const dataspace = onlyMessage(messages, MessageType.dataspace).bodyAt;
  const layout = onlyMessage(messages, MessageType.layout).bodyAt;
  if (file[dataspace] !== 1) {
    throw new UnexpectedStructureError(`dataspace version ${file[dataspace]} instead of 1`);
  }
  if (file[layout] !== 3 || file[layout + 1] !== 2) {
    throw new UnexpectedStructureError(
      `layout version ${file[layout]} class ${file[layout + 1]} instead of 3 and 2 (chunked)`,
    );
  }
  const fields = { lengthAt: dataspace + 8, indexAt: layout + 3 };
  requireInOnePage(fields.lengthAt, 8);
  requireInOnePage(fields.indexAt, 8);
  return fields;
}

function groupFields(file: Uint8Array<ArrayBuffer>, address: number): Structure["group"] {
  const messages = readObjectHeader(file, address);
  const continuation = onlyMessage(messages, MessageType.continuation);
  const symbolTable = onlyMessage(messages, MessageType.symbolTable);
  if (continuation.at !== address + 16 || symbolTable.at < continuation.at) {
    throw new UnexpectedStructureError("the group's first message is not a continuation");
  }
  // Count and continuation are patched by one write.
  requireInOnePage(address, continuation.bodyAt + continuation.bodyBytes - address);
  return {
    messageCountAt: address + 2,
    continuationAt: continuation.bodyAt,
    symbolTable: file.slice(
      symbolTable.at,
      symbolTable.at + MESSAGE_HEADER_BYTES + symbolTable.bodyBytes,
    ),
  };
}

/** A kill cannot tear a write within one page of the page cache. */
function requireInOnePage(at: number, bytes: number): void {
  if (Math.floor(at / PAGE_BYTES) !== Math.floor((at + bytes - 1) / PAGE_BYTES)) {
    throw new UnexpectedStructureError(`a field at ${at} crosses a page`);
  }
}
