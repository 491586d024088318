/**
 * One module of one image, by kernels: its conversion and its placement, in one kernel where there is
 * one for both, else by way of a scratch module.
 *
 * @module
 */
import type { KernelExports } from "../kernels/mod.ts";
import type { ModuleConversion } from "./conversion.ts";
import type { ModulePlacement } from "./placement.ts";

/** Where a module's pixels are and go to: addresses in the kernels' memory. */
export interface ModuleAddresses {
  /** The frame. */
  from: number;
  /** Where the module's first pixel goes: the image's address and {@link ModulePlacement.to}. */
  to: number;
  /** {@link scratchBytes} bytes. */
  scratch: number;
}

/** Bytes of scratch memory that {@link convertModule} needs for a module. */
export function scratchBytes(conversion: ModuleConversion, placement: ModulePlacement): number {
  if (conversion.kind === "copy" || isUpright(placement)) return 0;
  return placement.rows * placement.chips * placement.run;
}

/** Brings a module's frame to its place in the image. */
export function convertModule(
  kernels: KernelExports,
  conversion: ModuleConversion,
  placement: ModulePlacement,
  { from, to, scratch }: ModuleAddresses,
): void {
  const { rows, chips, run, gap, stride } = placement;
  switch (conversion.kind) {
    case "copy":
      return placeModule(kernels, placement, from, to);
    case "unpack_nibbles":
      if (isUpright(placement)) {
        return kernels.unpackNibbles(to, from, rows, chips, run, gap, stride);
      }
      kernels.unpackNibbles(scratch, from, 1, 1, rows * chips * run, 0, 0);
      return placeModule(kernels, placement, scratch, to);
  }
}

/** Zeroes a module's pixels in the image. */
export function blankModule(kernels: KernelExports, placement: ModulePlacement, to: number): void {
  const { rows, chips, run, gap, stride, pixel, transposed } = placement;
  if (!transposed) return kernels.blankModule(to, rows, chips, run, gap, stride);
  for (const { at, columns } of chipsOnTheirSide(placement, to)) {
    kernels.blankModule(at, columns, 1, rows * pixel, 0, stride);
  }
}

/** Whether a module's rows are, from left to right, rows of the image. */
function isUpright({ mirrored, transposed }: ModulePlacement): boolean {
  return !mirrored && !transposed;
}

/** Brings pixels of the image's type to their place. */
function placeModule(
  kernels: KernelExports,
  placement: ModulePlacement,
  from: number,
  to: number,
): void {
  const { rows, chips, run, gap, stride, pixel, mirrored, transposed } = placement;
  if (!transposed) {
    if (mirrored) kernels.assembleMirrored(to, from, rows, chips, run, gap, stride, pixel);
    else kernels.assembleModule(to, from, rows, chips, run, gap, stride);
    return;
  }
  // Rows from right to left: the last one is read first.
  const row = chips * run;
  const first = mirrored ? from + (rows - 1) * row : from;
  const step = mirrored ? -row : row;
  for (const { at, columns, chip } of chipsOnTheirSide(placement, to)) {
    kernels.transposeModule(at, stride, first + chip * run, step, rows, columns, pixel);
  }
}

/** The chips of a module whose columns are rows of the image, the gaps between them left out. */
function chipsOnTheirSide(
  { chips, run, gap, stride, pixel }: ModulePlacement,
  to: number,
): { chip: number; at: number; columns: number }[] {
  const columns = run / pixel;
  return Array.from({ length: chips }, (_, chip) => ({
    chip,
    at: to + chip * (columns + gap / pixel) * stride,
    columns,
  }));
}
