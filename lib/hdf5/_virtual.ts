/**
 * Virtual datasets: what the HDF5 library cannot be asked for through h5wasm.
 *
 * Source: HDF5 File Format Specification 3.0: III.E "Global Heap", IV.A.2.i "Data Layout Message"
 * (version 4, class 3), "Virtual Dataset (VDS) Mapping" and VII.C "Dataspace Selection" (hyperslab,
 * version 2). Compared byte for byte with a file of the library in `tests/interop`.
 *
 * A mapping block, an object of a global heap:
 *
 * | type | what |
 * |---|---|
 * | u8 | version, 0 |
 * | u64 | number of mappings |
 * | | for each: file name and dataset name, each ended by a 0 byte; selection in it; selection here |
 * | u32 | checksum of all before |
 *
 * @module
 */
import { lookup3 } from "./_lookup3.ts";

/** Where the rows of one source dataset appear in the virtual one. */
export interface RowMapping {
  /** Source file, relative to the folder of the virtual dataset's file. */
  file: string;
  /** Path of the dataset in it. */
  dataset: string;
  /** Row of the virtual dataset at which the source's row 0 appears. */
  first: number;
  /** Rows of the virtual dataset from one row of the source to the next. */
  step: number;
}

/** Whether a file of this name is in the folder of the file that shows it, whatever else the name is. */
export function isPartName(name: string): boolean {
  return !["", ".", ".."].includes(name) && !/[/\0]/.test(name);
}

/** Where the parts of a layout message of class "virtual" are, bytes from the start of its body. */
export const VIRTUAL_LAYOUT = { version: 0, class: 1, heap: 2, index: 10, $bytes: 14 } as const;

/** Version and class of such a layout message. */
export const VIRTUAL_LAYOUT_VERSION = 4;
/** See {@link VIRTUAL_LAYOUT_VERSION}. */
export const VIRTUAL_LAYOUT_CLASS = 3;

const UNLIMITED = 0xffff_ffff_ffff_ffffn;
const HEAP_BYTES = 4096; // the library's smallest
const HEAP_HEADER_BYTES = 16;
const OBJECT_HEADER_BYTES = 16;

/**
 * Encodes the mapping block of a dataset that grows along its first dimension.
 *
 * Selections are unlimited: the rows of the virtual dataset are those that its sources have when it is
 * opened.
 *
 * @param rowShape Elements of a row along the other dimensions; none for one row, one element.
 */
export function encodeMappings(
  mappings: readonly RowMapping[],
  rowShape: readonly number[],
): Uint8Array<ArrayBuffer> {
  const source = encodeRows(0, 1, rowShape);
  const parts: Uint8Array[] = [new Uint8Array(9)];
  new DataView(parts[0]!.buffer).setBigUint64(1, BigInt(mappings.length), true);
  for (const { file, dataset, first, step } of mappings) {
    parts.push(encodeName(file), encodeName(dataset), source, encodeRows(first, step, rowShape));
  }
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const block = new Uint8Array(bytes + 4);
  let at = 0;
  for (const part of parts) {
    block.set(part, at);
    at += part.byteLength;
  }
  new DataView(block.buffer).setUint32(at, lookup3(block.subarray(0, at)), true);
  return block;
}

/** A global heap collection with the given objects, which get the numbers 1, 2, …. */
export function encodeGlobalHeap(objects: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const needed = objects.reduce(
    (sum, { byteLength }) => sum + OBJECT_HEADER_BYTES + padded(byteLength),
    HEAP_HEADER_BYTES + OBJECT_HEADER_BYTES,
  );
  const heap = new Uint8Array(Math.ceil(needed / HEAP_BYTES) * HEAP_BYTES);
  const view = new DataView(heap.buffer);
  heap.set([0x47, 0x43, 0x4f, 0x4c, 1]); // "GCOL", version 1
  view.setBigUint64(8, BigInt(heap.byteLength), true);
  let at = HEAP_HEADER_BYTES;
  objects.forEach((object, i) => {
    view.setUint16(at, i + 1, true);
    view.setBigUint64(at + 8, BigInt(object.byteLength), true);
    heap.set(object, at + OBJECT_HEADER_BYTES);
    at += OBJECT_HEADER_BYTES + padded(object.byteLength);
  });
  // Object 0: what is free, its header included.
  view.setBigUint64(at + 8, BigInt(heap.byteLength - at), true);
  return heap;
}

/**
 * An object of a global heap.
 *
 * @param read Reads bytes of the heap, from its start.
 * @returns Undefined if it has no such object.
 */
export function findHeapObject(
  read: (at: number, bytes: number) => Uint8Array<ArrayBuffer>,
  index: number,
): Uint8Array<ArrayBuffer> | undefined {
  const size = Number(new DataView(read(0, HEAP_HEADER_BYTES).buffer).getBigUint64(8, true));
  for (let at = HEAP_HEADER_BYTES; at + OBJECT_HEADER_BYTES <= size;) {
    const header = new DataView(read(at, OBJECT_HEADER_BYTES).buffer);
    const number = header.getUint16(0, true);
    const bytes = Number(header.getBigUint64(8, true));
    if (number === index) return read(at + OBJECT_HEADER_BYTES, bytes);
    if (number === 0) return undefined; // the free rest
    at += OBJECT_HEADER_BYTES + padded(bytes);
  }
  return undefined;
}

/**
 * The mappings in a block as {@link encodeMappings} makes it.
 *
 * @returns Undefined if it is of another kind.
 */
export function decodeMappings(block: Uint8Array<ArrayBuffer>): RowMapping[] | undefined {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  let at = 9;
  const name = (): string => {
    const end = block.indexOf(0, at);
    const text = new TextDecoder().decode(block.subarray(at, end));
    at = end + 1;
    return text;
  };
  const rows = (): { first: number; step: number } | undefined => {
    const known = view.getUint32(at, true) === 2 && view.getUint32(at + 4, true) === 2 &&
      view.getUint8(at + 8) === 1;
    if (!known) return undefined;
    const [first, step, count, length] = [17, 25, 33, 41]
      .map((offset) => view.getBigUint64(at + offset, true));
    at += 13 + view.getUint32(at + 9, true);
    if (count !== UNLIMITED || length !== 1n) return undefined;
    return { first: Number(first), step: Number(step) };
  };
  const mappings: RowMapping[] = [];
  for (let left = view.getBigUint64(1, true); left > 0n; left--) {
    const file = name(), dataset = name();
    const source = rows(), target = rows();
    if (source?.first !== 0 || source.step !== 1 || target === undefined) return undefined;
    mappings.push({ file, dataset, ...target });
  }
  return mappings;
}

/** A hyperslab of rows without end: type 2, version 2, regular, of count, stride and block 1. */
function encodeRows(first: number, step: number, rowShape: readonly number[]): Uint8Array {
  const rank = 1 + rowShape.length;
  const bytes = new Uint8Array(17 + 32 * rank);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 2, true);
  view.setUint32(4, 2, true);
  view.setUint8(8, 1);
  view.setUint32(9, 4 + 32 * rank, true);
  view.setUint32(13, rank, true);
  const dimensions = [
    [BigInt(first), BigInt(step), UNLIMITED, 1n],
    ...rowShape.map((size) => [0n, 1n, 1n, BigInt(size)]),
  ];
  dimensions.flat().forEach((value, i) => view.setBigUint64(17 + 8 * i, value, true));
  return bytes;
}

function encodeName(name: string): Uint8Array {
  return new TextEncoder().encode(`${name}\0`);
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}
