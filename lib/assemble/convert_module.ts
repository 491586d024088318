/**
 * One module of one image, by kernels: its conversion and its placement, in one kernel where there is
 * one for both, else by way of a scratch module.
 *
 * @module
 */
import type { KernelExports } from "../kernels/mod.ts";
import { finishBorders, type ModuleBorders } from "./borders.ts";
import type { ModuleConversion } from "./conversion.ts";
import type { ModulePlacement } from "./placement.ts";

/** What happens to a module on its way into the image. */
export interface ModuleWork {
  conversion: ModuleConversion;
  placement: ModulePlacement;
  /** What is done with double pixels; undefined: nothing. */
  borders: ModuleBorders | undefined;
}

/** Where a module's pixels are and go to: addresses in the kernels' memory. */
export interface ModuleAddresses {
  /** The frame. */
  from: number;
  /** The image. */
  image: number;
  /** {@link scratchBytes} bytes. */
  scratch: number;
}

/** Bytes of scratch memory that {@link convertModule} needs for a module. */
export function scratchBytes({ conversion, placement }: ModuleWork): number {
  if (conversion.kind === "copy" || isPlain(placement)) return 0;
  return placement.rows * placement.chips * placement.run;
}

/** Brings a module's frame to its place in the image. */
export function convertModule(
  kernels: KernelExports,
  { conversion, placement, borders }: ModuleWork,
  { from, image, scratch }: ModuleAddresses,
): void {
  const { rows, chips, run, gap, stride } = placement;
  const to = image + placement.to;
  switch (conversion.kind) {
    case "copy":
      placeModule(kernels, placement, from, to);
      break;
    case "unpack_nibbles":
      if (isPlain(placement)) {
        kernels.unpackNibbles(to, from, rows, chips, run, gap, stride);
      } else {
        kernels.unpackNibbles(scratch, from, 1, 1, rows * chips * run, 0, 0);
        placeModule(kernels, placement, scratch, to);
      }
      break;
    case "unpack_gigafrost": {
      const columns = run / placement.pixel;
      if (isPlain(placement)) {
        kernels.unpackGigafrost(to, from, rows, columns, stride);
      } else {
        kernels.unpackGigafrost(scratch, from, rows, columns, run);
        placeModule(kernels, placement, scratch, to);
      }
      break;
    }
  }
  if (borders !== undefined) finishBorders(kernels, borders, image);
}

/** Zeroes a module's pixels in the image, and what they share with gaps; masked pixels stay masked. */
export function blankModule(
  kernels: KernelExports,
  { placement, borders }: Pick<ModuleWork, "placement" | "borders">,
  image: number,
): void {
  const { chips, run, gap, stride, pixel, transposed } = placement;
  for (const { at, rows } of bands(placement, 0, image + placement.to)) {
    if (!transposed) {
      kernels.blankModule(at, rows, chips, run, gap, stride);
      continue;
    }
    for (const chip of chipsOnTheirSide(placement, at)) {
      kernels.blankModule(chip.at, chip.columns, 1, rows * pixel, 0, stride);
    }
  }
  if (borders !== undefined) finishBorders(kernels, borders, image);
}

/** Whether a module's rows, all in a row and from left to right, are rows of the image. */
function isPlain({ mirrored, transposed, rows, bandRows }: ModulePlacement): boolean {
  return !mirrored && !transposed && rows === bandRows;
}

/** Brings pixels of the image's type to their place. */
function placeModule(
  kernels: KernelExports,
  placement: ModulePlacement,
  from: number,
  to: number,
): void {
  const { chips, run, gap, stride, pixel, mirrored, transposed } = placement;
  for (const { at, source, rows } of bands(placement, from, to)) {
    if (!transposed) {
      if (mirrored) kernels.assembleMirrored(at, source, rows, chips, run, gap, stride, pixel);
      else kernels.assembleModule(at, source, rows, chips, run, gap, stride);
      continue;
    }
    // Rows from right to left: the last one is read first.
    const row = chips * run;
    const first = mirrored ? source + (rows - 1) * row : source;
    const step = mirrored ? -row : row;
    for (const chip of chipsOnTheirSide(placement, at)) {
      kernels.transposeModule(
        chip.at,
        stride,
        first + chip.index * run,
        step,
        rows,
        chip.columns,
        pixel,
      );
    }
  }
}

/** A module's rows between two gaps. */
interface Band {
  /** Where it goes. */
  at: number;
  /** Where it is in the frame. */
  source: number;
  rows: number;
}

/** The bands of a module, one where the image leaves no gaps between rows. */
function bands(placement: ModulePlacement, from: number, to: number): Band[] {
  const { rows, bandRows, bandGap, chips, run, stride, pixel, mirrored, transposed } = placement;
  const count = rows / bandRows;
  const step = (bandRows + bandGap) * (transposed ? pixel : stride);
  return Array.from({ length: count }, (_, i) => {
    const band = transposed && mirrored ? count - 1 - i : i; // the last one is the left-most
    return { at: to + i * step, source: from + band * bandRows * chips * run, rows: bandRows };
  });
}

/** The chips of a module whose columns are rows of the image, the gaps between them left out. */
function chipsOnTheirSide(
  { chips, run, gap, stride, pixel }: ModulePlacement,
  to: number,
): { index: number; at: number; columns: number }[] {
  const columns = run / pixel;
  return Array.from({ length: chips }, (_, index) => ({
    index,
    at: to + index * (columns + gap / pixel) * stride,
    columns,
  }));
}
