/**
 * Where a module's pixels go in the image, in the terms of the assembly kernels.
 *
 * @module
 */
import { type DetectorConfig, imageBytes, imageShape, moduleRectangles } from "../config/mod.ts";
import type { ModuleLayout } from "../detector/mod.ts";
import type { ModuleBorders } from "./borders.ts";

/**
 * Arguments of the assembly kernels for one module; bytes but for `rows` and `chips`. All are the
 * module's, as it is sent; where it lies on its side, rows of it are columns of the image.
 */
export interface ModulePlacement {
  /**
   * Offset of the module's first pixel from the image's first. Of a module on its side that is
   * mirrored: of the last row's first pixel, which is the left-most.
   */
  to: number;
  rows: number;
  /** Rows after which the image leaves a gap of {@link bandGap} rows; all rows where it leaves none. */
  bandRows: number;
  /** Rows (on its side: columns) of the image between bands. */
  bandGap: number;
  /** Runs of a row. */
  chips: number;
  /** Bytes of a run. */
  run: number;
  /** Bytes between runs that stay as they are. */
  gap: number;
  /** From a row (on its side: a column) to the next; negative when their order is reversed. */
  stride: number;
  /** Bytes of a pixel in the image. */
  pixel: number;
  /** Columns (on its side: rows) mirrored: the first is the right-most one. */
  mirrored: boolean;
  /** Lies on its side: its rows are columns of the image. */
  transposed: boolean;
}

/** Placement of every module of a detector, by module index. */
export function modulePlacements(config: DetectorConfig, layout: ModuleLayout): ModulePlacement[] {
  const [height, width] = imageShape(config);
  const { rows, chips, runPixels, gapPixels, bandRows = rows, bandGapRows = 0, interleaved = 1 } =
    layout;
  const pixelBytes = imageBytes(config) / (height * width);
  const rowBytes = width * pixelBytes;
  return moduleRectangles(config).map(({ module, x, y, height, flipX, flipY, transposed }) => ({
    to: firstRow(y, height, flipY, module % interleaved) * rowBytes + x * pixelBytes,
    rows,
    bandRows,
    bandGap: bandGapRows,
    chips,
    run: runPixels * pixelBytes,
    gap: gapPixels * pixelBytes,
    stride: (flipY ? -rowBytes : rowBytes) * interleaved,
    pixel: pixelBytes,
    mirrored: flipX,
    transposed,
  }));
}

/** The image's row for a module's first one, of modules that take turns: 0 is whose turn is first. */
function firstRow(y: number, height: number, flipY: boolean, turn: number): number {
  return flipY ? y + height - 1 - turn : y + turn;
}

/** Where a module's pixels are in the image, from the first one to the end of the last, bytes. */
export function placementSpan(placement: ModulePlacement): { from: number; to: number } {
  const { to: first, rows, bandRows, bandGap, chips, run, gap, stride, pixel, transposed } =
    placement;
  const down = rows + (rows / bandRows - 1) * bandGap;
  const across = chips * run + (chips - 1) * gap;
  const [lines, line] = transposed ? [across / pixel, down * pixel] : [down, across];
  const last = first + (lines - 1) * stride;
  return { from: Math.min(first, last), to: Math.max(first, last) + line };
}

/**
 * A number that differs when modules lie differently: pixels between modules are never written, so an
 * image ring that another geometry was assembled into must be zeroed first.
 */
export function geometryHash(
  modules: readonly { placement: ModulePlacement; borders?: ModuleBorders | undefined }[],
): bigint {
  let hash = 0xcbf29ce484222325n; // FNV-1a over the numbers of all placements
  for (const { placement: p, borders } of modules) {
    const flips = (p.mirrored ? 1 : 0) + (p.transposed ? 2 : 0);
    const lines = borders === undefined ? [] : [borders.lines.length, borders.value];
    const size = [p.rows, p.bandRows, p.bandGap, p.chips, p.run, p.gap];
    for (const n of [p.to, ...size, p.stride, p.pixel, flips, ...lines]) {
      hash = BigInt.asUintN(64, (hash ^ BigInt.asUintN(64, BigInt(n))) * 0x100000001b3n);
    }
  }
  return hash;
}
