/**
 * The empty file: groups and datasets made by the HDF5 library, and where in its bytes the fields
 * are that change while images arrive.
 *
 * @module
 */
import type { Dataset, File, Group } from "h5wasm";
import type { File as OsFile } from "../os/mod.ts";
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
import type { FileTree, TreeAttributes } from "./file_tree.ts";
import { PIXEL_BYTES, type PixelType } from "./pixel_type.ts";
import type { RecordFields, RecordType } from "./record_type.ts";
import { groupAt, setAttributes, type UnfinishedFields, writeTree } from "./_write_tree.ts";

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
  /** `<group>/data`. */
  data: DatasetFields;
  /** `<group>/metadata`. */
  metadata: DatasetFields;
  /** `<group>/image_info`, if there is one. */
  info?: DatasetFields;
  /** The group's object header. */
  group: {
    /** u16: number of messages. */
    messageCountAt: number;
    /** u64 address and u64 size of the block with all messages but the first. */
    continuationAt: number;
    /** The group's own message, to be kept at the start of any such block. */
    symbolTable: Uint8Array<ArrayBuffer>;
  };
  /** Texts that are set later, by path. */
  later: ReadonlyMap<string, LaterText>;
  /** Deflated arrays, whose one chunk is not in the file yet. */
  deflated: readonly DeflatedArray[];
}

/** Where a text is that is set later. */
export interface LaterText {
  /** Its first byte. */
  at: number;
  /** Bytes for it. */
  bytes: number;
}

/** A deflated array. */
export interface DeflatedArray extends DatasetFields {
  /** Its one chunk. */
  deflated: Uint8Array;
  /** Rows and columns of it. */
  shape: readonly [rows: number, columns: number];
}

/** Superblock version 0: u64 end-of-file address (specification, II.A). */
export const END_OF_FILE_AT = 40;

const PAGE_BYTES = 4096;

/** The file is made larger in such steps, and at most by so much, until no field crosses a page. */
const SHIFT_BYTES = 64;
const MAX_SHIFT_BYTES = 1024;

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
  /** Path of the group, absolute. */
  group: string;
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
  /** What is in the file besides. */
  tree?: FileTree | undefined;
  /** Attributes of the datasets. */
  datasetAttributes?: DatasetAttributes | undefined;
}

/** Attributes of an image file's datasets. */
export type DatasetAttributes = Readonly<
  Partial<Record<"data" | "metadata" | "image_info", TreeAttributes>>
>;

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
 * | `<group>/data` | pixel | (0…∞, height, width) | (1, height, width) |
 * | `<group>/metadata` | {u64 image_id, u64 status} | (0…∞) | (metadataChunk) |
 * | `<group>/image_info` | `info` | (0…∞) | (metadataChunk) |
 *
 * and the tree of the options.
 *
 * @throws {UnexpectedStructureError} If the library's layout cannot be patched safely.
 * @throws {RangeError} If the tree has a link that leads nowhere.
 */
export function buildStructure(options: StructureOptions): Structure {
  // A field that happens to cross a page in one file does not in another one, a little larger.
  for (let shift = 0;; shift += SHIFT_BYTES) {
    try {
      return buildShifted(options, shift);
    } catch (error) {
      if (!(error instanceof CrossesPageError) || shift > MAX_SHIFT_BYTES) throw error;
    }
  }
}

function buildShifted(options: StructureOptions, shift: number): Structure {
  const { group: path, height, width, pixelType, compression, info } = options;
  const { tree = {}, datasetAttributes = {} } = options;
  const hasInfo = Object.keys(info).length > 0;
  const { bytes, result } = buildInMemory((file) => {
    if (shift > 0) file.create_attribute("placeholder", new Uint8Array(shift));
    const group = groupAt(file, path);
    const data = group.create_dataset({
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
    setAttributes(data, datasetAttributes.data);
    const records = createRecords(group, "metadata", METADATA, options.metadataChunk);
    setAttributes(records, datasetAttributes.metadata);
    if (hasInfo) {
      const records = createRecords(group, "image_info", info, options.metadataChunk);
      setAttributes(records, datasetAttributes.image_info);
    }
    // Any attribute makes the library put the group's messages into a continuation block.
    group.create_attribute("placeholder", new Uint8Array(8));
    const unfinished = writeTree(file, tree);
    if (shift > 0) file.delete_attribute("placeholder");
    return { address: addressesOf(file, path, hasInfo, unfinished), unfinished };
  });
  const { address, unfinished } = result;
  if (compression === "bitshuffle-lz4") patchFilter(bytes, address.data);
  return {
    bytes,
    data: datasetFields(bytes, address.data),
    metadata: datasetFields(bytes, address.metadata),
    ...(address.info !== undefined && { info: datasetFields(bytes, address.info) }),
    group: groupFields(bytes, address.group),
    later: new Map(
      [...unfinished.later].map((
        [path, room],
      ) => [path, laterText(bytes, address.of.get(path)!, room)]),
    ),
    deflated: [...unfinished.deflated].map(([path, { shape, deflated }]) => {
      const fields = datasetFields(bytes, address.of.get(path)!);
      giveRows(bytes, fields.lengthAt, shape[0]);
      return { ...fields, shape, deflated };
    }),
  };
}

/** Addresses of the object headers that are patched. */
function addressesOf(
  file: File,
  path: string,
  hasInfo: boolean,
  { later, deflated }: UnfinishedFields,
): {
  group: number;
  data: number;
  metadata: number;
  info: number | undefined;
  of: Map<string, number>;
} {
  return {
    group: objectAddress(file, path),
    data: objectAddress(file, `${path}/data`),
    metadata: objectAddress(file, `${path}/metadata`),
    info: hasInfo ? objectAddress(file, `${path}/image_info`) : undefined,
    of: new Map(
      [...later.keys(), ...deflated.keys()].map((path) => [path, objectAddress(file, path)]),
    ),
  };
}

/** Gives an array of two dimensions so many rows, now and at most. */
function giveRows(file: Uint8Array, lengthAt: number, rows: number): void {
  const view = new DataView(file.buffer, file.byteOffset);
  view.setBigUint64(lengthAt, BigInt(rows), true);
  view.setBigUint64(lengthAt + 16, BigInt(rows), true);
}

/**
 * Writes the structure into an empty file: its first page, which makes it an HDF5 file, last and at once.
 *
 * @throws {OsError} ENOSPC, EIO, …
 */
export function writeStructure(file: OsFile, { bytes }: Structure): void {
  if (bytes.byteLength > PAGE_BYTES) file.writeAt(bytes.subarray(PAGE_BYTES), PAGE_BYTES);
  file.writeAt(bytes.subarray(0, PAGE_BYTES), 0);
}

function createRecords(
  group: Group,
  name: string,
  fields: RecordFields,
  chunk: number,
): Dataset {
  const data = new Map(
    Object.entries(fields).map(([field, type]) => [field, EMPTY_COLUMN[type]] as const),
  );
  return group.create_dataset({ name, data, shape: [0], maxshape: [null], chunks: [chunk] });
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

/** The bytes of a scalar text, which are in one place (class 1, contiguous: u64 address, u64 bytes). */
function laterText(file: Uint8Array, address: number, bytes: number): LaterText {
  const { bodyAt } = onlyMessage(readObjectHeader(file, address), MessageType.layout);
  const view = new DataView(file.buffer, file.byteOffset + bodyAt, 18);
  const [version, kind] = [view.getUint8(0), view.getUint8(1)];
  const [at, stored] = [Number(view.getBigUint64(2, true)), Number(view.getBigUint64(10, true))];
  if (version !== 3 || kind !== 1 || stored !== bytes) {
    throw new UnexpectedStructureError(
      `layout version ${version} class ${kind} of ${stored} bytes instead of 3, 1 and ${bytes}`,
    );
  }
  requireInOnePage(at, bytes);
  return { at, bytes };
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
    throw new CrossesPageError(`a field at ${at} crosses a page`);
  }
}

/** Thrown when a field lies badly, which another layout may cure. */
class CrossesPageError extends UnexpectedStructureError {}
