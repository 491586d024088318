/**
 * Where a module's pixels go in the image, in the terms of the assembly kernels.
 *
 * @module
 */
import { type DetectorConfig, imageShape, moduleRectangles } from "../config/mod.ts";
import type { ModuleLayout } from "../detector/mod.ts";

/** Arguments of the assembly kernels for one module; bytes but for `rows` and `chips`. */
export interface ModulePlacement {
  /** Offset of the module's first pixel from the image's first. */
  to: number;
  rows: number;
  /** Runs of a row. */
  chips: number;
  /** Bytes of a run. */
  run: number;
  /** Bytes between runs that stay as they are. */
  gap: number;
  /** From a row to the next; negative when the rows are reversed. */
  stride: number;
  /** Bytes of a pixel. */
  pixel: number;
  /** Columns mirrored: the first pixel is the right-most one. */
  mirrored: boolean;
}

/** Placement of every module of a detector, by module index. */
export function modulePlacements(config: DetectorConfig, layout: ModuleLayout): ModulePlacement[] {
  const [, width] = imageShape(config);
  const { rows, chips, runPixels, gapPixels, pixelBytes } = layout;
  const rowBytes = width * pixelBytes;
  return moduleRectangles(config).map(({ x, y, flipX, flipY }) => ({
    to: (flipY ? y + rows - 1 : y) * rowBytes + x * pixelBytes,
    rows,
    chips,
    run: runPixels * pixelBytes,
    gap: gapPixels * pixelBytes,
    stride: flipY ? -rowBytes : rowBytes,
    pixel: pixelBytes,
    mirrored: flipX,
  }));
}

/**
 * A number that differs when modules lie differently: pixels between modules are never written, so an
 * image ring that another geometry was assembled into must be zeroed first.
 */
export function geometryHash(placements: readonly ModulePlacement[]): bigint {
  let hash = 0xcbf29ce484222325n; // FNV-1a over the numbers of all placements
  for (const p of placements) {
    for (const n of [p.to, p.rows, p.chips, p.run, p.gap, p.stride, p.pixel, p.mirrored ? 1 : 0]) {
      hash = BigInt.asUintN(64, (hash ^ BigInt.asUintN(64, BigInt(n))) * 0x100000001b3n);
    }
  }
  return hash;
}
