/**
 * The empty file: groups and datasets made by the HDF5 library, and where in its bytes the fields
 * are that change while images arrive.
 *
 * @module
 */
import type { Group } from "h5wasm";
import { buildInMemory, objectAddress } from "./_h5wasm.ts";
import {
  MESSAGE_HEADER_BYTES,
  MessageType,
  onlyMessage,
  readObjectHeader,
  UnexpectedStructureError,
} from "./_object_header.ts";
import { BITSHUFFLE_FILTER } from "../kernels/bitshuffle.ts";
import type { ImageCompression } from "./compression.ts";
import { PIXEL_BYTES, type PixelType } from "./pixel_type.ts";
import type { RecordFields, RecordType } from "./record_type.ts";

/** Where a chunked dataset keeps what grows. */
export interface DatasetFields {
  /** u64: length of the first dimension. */
  lengthAt: number;
  /** u64: address of the chunk index's root, all ones while there is none. */
  indexAt: number;
  /** Body of the layout message, all of it in one page. */
  layoutAt: number;
}

/** An empty image file and its variable fields (positions in bytes from the start of the file). */
export interface Structure {
  /** The whole file. */
  bytes: Uint8Array<ArrayBuffer>;
  /** `/<detector>/data`. */
  data: DatasetFields;
  /** `/<detector>/metadata`. */
  metadata: DatasetFields;
  /** `/<detector>/image_info`, if there is one. */
  info?: DatasetFields;
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

/** What is patched of a layout message: version, class, dimensions, address; or a virtual one. */
const LAYOUT_BYTES = 14;

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
  /** Records per chunk of the metadata datasets. */
  metadataChunk: number;
  /** How chunks of `data` are compressed. */
  compression: ImageCompression;
  /** Fields of `image_info`; none, and there is no such dataset. */
  info: RecordFields;
}

/** Empty columns: h5wasm takes a field's type from them. */
const EMPTY_COLUMN: Readonly<
  Record<RecordType, Uint8Array | Uint16Array | Uint32Array | BigUint64Array | Float64Array>
> = {
  uint8: new Uint8Array(),
  uint16: new Uint16Array(),
  uint32: new Uint32Array(),
  uint64: new BigUint64Array(),
  float64: new Float64Array(),
};

/** Fields of `metadata`, as in the original's files. */
const METADATA: RecordFields = { image_id: "uint64", status: "uint64" };

/** Of zlib, whose message is made into that of our filter; h5wasm has no filter 32008. */
const TEMPLATE_FILTER = 1;

/**
 * Builds the empty file:
 *
 * | path | type | shape | chunk |
 * |---|---|---|---|
 * | `/<detector>/data` | pixel | (0…∞, height, width) | (1, height, width) |
 * | `/<detector>/metadata` | {u64 image_id, u64 status} | (0…∞) | (metadataChunk) |
 * | `/<detector>/image_info` | `info` | (0…∞) | (metadataChunk) |
 *
 * @throws {UnexpectedStructureError} If the library's layout cannot be patched safely.
 */
export function buildStructure(options: StructureOptions): Structure {
  const { detector, height, width, pixelType, compression, info } = options;
  const hasInfo = Object.keys(info).length > 0;
  const { bytes, result: address } = buildInMemory((file) => {
    const group = file.create_group(detector);
    group.create_dataset({
      name: "data",
      data: PIXEL_DTYPE[pixelType].empty,
      dtype: PIXEL_DTYPE[pixelType].dtype,
      shape: [0, height, width],
      maxshape: [null, height, width],
      chunks: [1, height, width],
      ...(compression === "bitshuffle-lz4" && {
        compression: TEMPLATE_FILTER,
        compression_opts: bitshuffleParameters(PIXEL_BYTES[pixelType]),
      }),
    });
    createRecords(group, "metadata", METADATA, options.metadataChunk);
    if (hasInfo) createRecords(group, "image_info", info, options.metadataChunk);
    // Any attribute makes the library put the group's messages into a continuation block.
    group.create_attribute("placeholder", new Uint8Array(8));
    return {
      group: objectAddress(file, detector),
      data: objectAddress(file, `${detector}/data`),
      metadata: objectAddress(file, `${detector}/metadata`),
      info: hasInfo ? objectAddress(file, `${detector}/image_info`) : undefined,
    };
  });
  if (compression === "bitshuffle-lz4") patchFilter(bytes, address.data);
  return {
    bytes,
    data: datasetFields(bytes, address.data),
    metadata: datasetFields(bytes, address.metadata),
    ...(address.info !== undefined && { info: datasetFields(bytes, address.info) }),
    group: groupFields(bytes, address.group),
  };
}

function createRecords(
  group: Group,
  name: string,
  fields: RecordFields,
  chunk: number,
): void {
  const data = new Map(
    Object.entries(fields).map(([field, type]) => [field, EMPTY_COLUMN[type]] as const),
  );
  group.create_dataset({ name, data, shape: [0], maxshape: [null], chunks: [chunk] });
}

/**
 * Parameters of filter 32008, as its plugin stores them: version of bitshuffle, bytes of an element,
 * elements of a block (0: its default), and 2 for LZ4.
 */
function bitshuffleParameters(elementBytes: number): number[] {
  return [0, 4, elementBytes, 0, 2];
}

/**
 * Puts filter 32008 in the template's place (specification, IV.A.2.l, version 1): u16 filter, u16
 * bytes of the name, u16 flags (0: needed to read), u16 number of parameters, the name.
 */
function patchFilter(file: Uint8Array, address: number): void {
  const { bodyAt, bodyBytes } = onlyMessage(readObjectHeader(file, address), MessageType.filters);
  const view = new DataView(file.buffer, file.byteOffset + bodyAt, bodyBytes);
  const [version, filters, filter] = [view.getUint8(0), view.getUint8(1), view.getUint16(8, true)];
  const nameBytes = view.getUint16(10, true);
  if (version !== 1 || filters !== 1 || filter !== TEMPLATE_FILTER || nameBytes !== 8) {
    throw new UnexpectedStructureError(
      `filter message version ${version} of ${filters} filters, the first of number ${filter} ` +
        `and with a name of ${nameBytes} bytes`,
    );
  }
  view.setUint16(8, BITSHUFFLE_FILTER, true);
  view.setUint16(12, 0, true);
  file.set(new TextEncoder().encode("bitshuf\0"), bodyAt + 16);
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
  const fields = { lengthAt: dataspace + 8, indexAt: layout + 3, layoutAt: layout };
  requireInOnePage(fields.lengthAt, 8);
  requireInOnePage(layout, LAYOUT_BYTES);
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
