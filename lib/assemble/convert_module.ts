/**
 * One module of one image, by kernels: its conversion and its placement, in one kernel where there is
 * one for both, else by way of a scratch module.
 *
 * @module
 */
import {
  CONVERTED_PIXEL_BYTES,
  type ConvertedPixelType,
  INVALID_PIXEL,
  type InvalidPixels,
  type JungfrauCorrector,
  type KernelExports,
} from "../kernels/mod.ts";
import { finishBorders, type ModuleBorders } from "./borders.ts";
import type { CorrectionSetup } from "./calibration_maps.ts";
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
  /** For modules that are corrected. */
  correction?: {
    corrector: JungfrauCorrector;
    /** The module's maps, an address too. */
    maps: number;
    /** Packets that the frame misses: their bytes are 0. */
    missingPackets: number;
  };
}

/** What a module without bad pixels yields, or one that is not corrected. */
export const NONE_INVALID: InvalidPixels = { saturated: 0, invalidGain: 0 };

/** Bytes of scratch memory that {@link convertModule} needs for a module. */
export function scratchBytes({ conversion, placement }: ModuleWork): number {
  if (conversion.kind === "copy" || isFused(conversion, placement)) return 0;
  return placement.rows * placement.chips * placement.run;
}

/**
 * Brings a module's frame to its place in the image.
 *
 * @returns Pixels without a good value.
 */
export function convertModule(
  kernels: KernelExports,
  { conversion, placement, borders }: ModuleWork,
  { from, image, scratch, correction }: ModuleAddresses,
): InvalidPixels {
  const { rows, chips, run, gap, stride } = placement;
  const to = image + placement.to;
  let invalid = NONE_INVALID;
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
    case "correct_jungfrau": {
      if (correction === undefined) throw new Error("A module is to be corrected without maps");
      const { corrector, maps, missingPackets } = correction;
      const fused = isFused(conversion, placement);
      const target = fused ? { to, stride } : { to: scratch, stride: chips * run };
      invalid = corrector.correct(conversion.setup.pixelType, {
        ...target,
        from,
        rows,
        columns: conversion.setup.columns,
        g0: maps,
        switched: maps + conversion.maps.switchedAt,
        saturated: conversion.setup.saturated,
      });
      if (missingPackets > 0) blankMissing(kernels, conversion.setup, from, target);
      if (!fused) placeModule(kernels, placement, scratch, to);
      break;
    }
  }
  if (borders !== undefined) finishBorders(kernels, borders, image);
  return invalid;
}

/** Makes the rows of a corrected module invalid whose packets did not come. */
function blankMissing(
  kernels: KernelExports,
  { rows, columns, packetBytes, pixelType }: CorrectionSetup,
  from: number,
  { to, stride }: { to: number; stride: number },
): void {
  const packetRows = packetBytes / (2 * columns); // raw pixels have two bytes
  const row = columns * CONVERTED_PIXEL_BYTES[pixelType];
  for (let y = 0; y < rows; y += packetRows) {
    if (kernels.isZero(from + y * 2 * columns, packetBytes) === 0) continue;
    kernels.fillModule(to + y * stride, packetRows, 1, row, 0, stride, invalidPattern(pixelType));
  }
}

/** Four bytes of invalid pixels. */
function invalidPattern(pixelType: ConvertedPixelType): number {
  const value = INVALID_PIXEL[pixelType];
  switch (pixelType) {
    case "float32":
      return new Uint32Array(Float32Array.of(value).buffer)[0]!;
    case "int32":
      return value >>> 0;
    case "int16":
    case "uint16":
      return (value & 0xffff) * 0x1_0001;
  }
}

/**
 * Zeroes a module's pixels in the image, and what they share with gaps; masked pixels stay masked. In a
 * corrected image, where 0 is an energy, they become invalid.
 */
export function blankModule(
  kernels: KernelExports,
  { conversion, placement, borders }: ModuleWork,
  image: number,
): void {
  const fill = (at: number, rows: number, chips: number, run: number, gap: number): void => {
    if (conversion.kind !== "correct_jungfrau") {
      kernels.blankModule(at, rows, chips, run, gap, placement.stride);
      return;
    }
    const pattern = invalidPattern(conversion.setup.pixelType);
    kernels.fillModule(at, rows, chips, run, gap, placement.stride, pattern);
  };
  const { chips, run, gap, pixel, transposed } = placement;
  for (const { at, rows } of bands(placement, 0, image + placement.to)) {
    if (!transposed) {
      fill(at, rows, chips, run, gap);
      continue;
    }
    for (const chip of chipsOnTheirSide(placement, at)) {
      fill(chip.at, chip.columns, 1, rows * pixel, 0);
    }
  }
  if (borders !== undefined) finishBorders(kernels, borders, image);
}

/** Whether a module is converted straight into the image. */
function isFused(conversion: ModuleConversion, placement: ModulePlacement): boolean {
  // The correction knows no gaps between chips.
  return isPlain(placement) && (conversion.kind !== "correct_jungfrau" || placement.chips === 1);
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
