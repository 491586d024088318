/**
 * The kernels that bring modules into images in unusual ways, with their arguments checked, once per
 * call: unpacking, laying on the side, border pixels and gaps.
 *
 * @module
 */
import {
  checkRegions,
  checkWhole,
  checkWholeFrom,
  type KernelMemory,
  rowsRegion,
} from "./kernel_memory.ts";

/** A module of packed pixels and its place in an image; bytes but for `rows` and `chips`. */
export interface PackedModule {
  /** Address of the packed pixels: rows of chips of runs, without gaps. */
  readonly from: number;
  /** Address of the image's byte for the module's first pixel. */
  readonly to: number;
  /** Rows. */
  readonly rows: number;
  /** Runs of a row. */
  readonly chips: number;
  /** Pixels of a run, an even number. */
  readonly run: number;
  /** Bytes of the image between runs that stay as they are. */
  readonly gap: number;
  /** From a row of the image to the next; negative where rows are reversed. */
  readonly stride: number;
}

/**
 * Unpacks 4-bit pixels, two in a byte, the first in its low half, to 8 bit; see
 * `assembly/unpack_nibbles.ts`.
 *
 * @throws {RangeError} If the shape is not allowed or something lies outside the memory.
 */
export function unpackNibbles(on: KernelMemory, module: PackedModule): void {
  const { from, to, rows, chips, run, gap, stride } = module;
  checkWholeFrom(0, { rows, chips, run, gap });
  checkWhole({ stride });
  if (run % 2 !== 0) throw new RangeError(`A run of ${run} pixels; give an even number`);
  if (rows * chips * run === 0) return;
  const width = chips * (run + gap) - gap;
  checkRegions(on, { "packed pixels": { at: from, bytes: rows * chips * run / 2 } }, {
    "rows of the image": rowsRegion(to, rows, stride, width),
  });
  on.kernels.unpackNibbles(to, from, rows, chips, run, gap, stride);
}

/** Pixels to be transposed; strides are bytes, and negative from the last row to the first. */
export interface Transposition {
  /** Address of the first row's first pixel. */
  readonly from: number;
  /** From a row to the next. */
  readonly fromStride: number;
  /** Address of where that pixel goes. */
  readonly to: number;
  /** From a row of the result, which is a column, to the next. */
  readonly toStride: number;
  /** Rows, px. */
  readonly rows: number;
  /** Columns, px. */
  readonly columns: number;
  /** Bytes of a pixel. */
  readonly pixel: 1 | 2 | 4;
}

/**
 * Makes rows columns; see `assembly/rotate.ts`.
 *
 * @throws {RangeError} If the shape is not allowed or something lies outside the memory.
 */
export function transposeModule(on: KernelMemory, transposition: Transposition): void {
  const { from, fromStride, to, toStride, rows, columns, pixel } = transposition;
  checkWholeFrom(0, { rows, columns });
  checkWhole({ fromStride, toStride });
  checkPixel(pixel);
  if (rows * columns === 0) return;
  checkRegions(on, { "rows of the module": rowsRegion(from, rows, fromStride, columns * pixel) }, {
    "rows of the image": rowsRegion(to, columns, toStride, rows * pixel),
  });
  on.kernels.transposeModule(to, toStride, from, fromStride, rows, columns, pixel);
}

/** A line of border pixels, and the line of gap pixels beside it; bytes but for `count`. */
export interface BorderPixels {
  /** Address of the first border pixel. */
  readonly at: number;
  /** Border pixels. */
  readonly count: number;
  /** From one to the next. */
  readonly stride: number;
  /** From a border pixel to its gap pixel. */
  readonly step: number;
}

/** How border pixels are shared: whole numbers leave `limit` as it is. */
export type Sharing =
  | { readonly pixel: "uint8" | "uint16" | "uint32" | "int16" | "int32"; readonly limit: number }
  | { readonly pixel: "float32" };

const BYTES = { uint8: 1, uint16: 2, uint32: 4, int16: 2, int32: 4, float32: 4 } as const;

/** Least and largest value of a pixel that is a whole number. */
const RANGES = {
  uint8: [0, 0xff],
  uint16: [0, 0xffff],
  uint32: [0, 0xffff_ffff],
  int16: [-0x8000, 0x7fff],
  int32: [-0x8000_0000, 0x7fff_ffff],
} as const;

/**
 * Shares border pixels with their gap pixels; see `assembly/fill_gaps.ts`.
 *
 * @throws {RangeError} If numbers are not whole, the limit is no value of the pixels, a line lies outside
 * the memory, or a gap pixel over a border pixel.
 */
export function shareBorder(on: KernelMemory, border: BorderPixels, sharing: Sharing): void {
  const { at, count, stride, step } = border;
  const bytes = BYTES[sharing.pixel];
  checkWholeFrom(0, { count });
  checkWhole({ stride, step });
  if (sharing.pixel !== "float32") checkLimit(sharing.pixel, sharing.limit);
  if (count === 0) return;
  checkApart(border, bytes);
  checkRegions(on, {
    "border pixels": rowsRegion(at, count, stride, bytes),
    "gap pixels": rowsRegion(at + step, count, stride, bytes),
  }, {});
  switch (sharing.pixel) {
    case "float32":
      return on.kernels.shareFloats(at, count, stride, step);
    case "int16":
    case "int32":
      return on.kernels.shareSigned(at, count, stride, step, bytes, sharing.limit);
    default:
      return on.kernels.shareCounts(at, count, stride, step, bytes, sharing.limit);
  }
}

function checkLimit(pixel: keyof typeof RANGES, limit: number): void {
  const [least, largest] = RANGES[pixel];
  if (Number.isInteger(limit) && limit >= least && limit <= largest) return;
  throw new RangeError(`No ${pixel} is ${limit}; give a limit from ${least} to ${largest}`);
}

/** Refuses lines of which a gap pixel, the nearest ones first, lies over a border pixel. */
function checkApart({ count, stride, step }: BorderPixels, bytes: number): void {
  const most = count - 1;
  const nearest = stride === 0 ? 0 : Math.round(-step / stride);
  for (const pixels of [nearest - 1, nearest, nearest + 1]) {
    const apart = step + Math.max(-most, Math.min(most, pixels)) * stride;
    if (Math.abs(apart) >= bytes) continue;
    throw new RangeError(
      `Gap pixels ${step} bytes from border pixels that are ${stride} apart lie over them; give both room`,
    );
  }
}

function checkPixel(pixel: number): void {
  if (pixel !== 1 && pixel !== 2 && pixel !== 4) {
    throw new RangeError(`A pixel of ${pixel} bytes; give 1, 2 or 4`);
  }
}
