/**
 * GigaFRoST's unpacking kernel with its arguments checked, once per call.
 *
 * @module
 */
import { checkRegions, type KernelMemory, rowsRegion } from "./kernel_memory.ts";

/** Fewest pixels of a row: a step of the kernel loads 16 bytes. */
const FEWEST_COLUMNS = 12;

/** Rows of packed pixels, and where they go: addresses in the kernels' memory. */
export interface PackedRows {
  /** Address of the first packed row; the others follow without a gap. */
  readonly from: number;
  /** Address of the first pixel of the first row in the image. */
  readonly to: number;
  /** Rows, at least 1. */
  readonly rows: number;
  /** Pixels of a row, an even number, at least 12. */
  readonly columns: number;
  /** Bytes from a row of the image to the next; negative where the rows are reversed. */
  readonly stride: number;
}

/**
 * Unpacks rows of 12-bit pixels, two in three bytes, to 16 bit; see `assembly/unpack_gigafrost.ts`.
 *
 * @throws {RangeError} If the shape is not allowed, or something lies outside the memory or over something else.
 */
export function unpackGigafrost(on: KernelMemory, packed: PackedRows): void {
  const { from, to, rows, columns, stride } = packed;
  if (!(columns % 2 === 0 && columns >= FEWEST_COLUMNS)) {
    throw new RangeError(`${columns} columns; give an even number from ${FEWEST_COLUMNS}`);
  }
  const rowsOfImage = rowsRegion(to, rows, stride, columns * 2);
  checkRegions(on, { "packed rows": { at: from, bytes: rows * columns * 3 / 2 } }, {
    "rows of the image": rowsOfImage,
  });
  on.kernels.unpackGigafrost(to, from, rows, columns, stride);
}
