/**
 * The pixel mask of NXmx: which pixels of the image have no sensor, and which a file masks.
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import { type DetectorConfig, imageShape, moduleRectangles } from "../config/mod.ts";
import { detectorFor } from "../detector/mod.ts";
import { ArrayFile, ArrayFileError } from "../hdf5/mod.ts";

/** Bits of a pixel's mask, by NXmx. */
export const PIXEL_MASK_BITS = {
  /** There is no sensor. */
  gap: 2 ** 0,
  /** The pixel's value is interpolated. */
  virtual: 2 ** 31,
} as const;

/** A mask, compressed. */
export interface DeflatedMask {
  /** Rows and columns. */
  shape: [rows: number, columns: number];
  /** u32 of each pixel, row by row, as a zlib stream. */
  deflated: Uint8Array;
}

/**
 * Makes the mask of a detector: gaps between modules and chips as its config places them, and the bits of
 * `nexus.detector.pixel_mask`, if there is one.
 *
 * @throws {OsError} ENOENT, EACCES, … of the mask's file.
 * @throws {ArrayFileError} If it is not HDF5, or has no mask of the image's size.
 */
export function pixelMask(config: DetectorConfig): DeflatedMask {
  const mask = gapMask(config);
  const { pixel_mask: path, pixel_mask_dataset: dataset = "" } = config.nexus?.detector ?? {};
  if (path !== undefined) addMaskFile(mask, path, dataset, imageShape(config));
  return { shape: imageShape(config), deflated: deflateSync(new Uint8Array(mask.buffer)) };
}

/** {@link PIXEL_MASK_BITS} of every pixel, row by row, as the config places modules. */
export function gapMask(config: DetectorConfig): Uint32Array<ArrayBuffer> {
  const [rows, columns] = imageShape(config);
  const mask = new Uint32Array(rows * columns).fill(PIXEL_MASK_BITS.gap);
  const { chips, runPixels, gapPixels, bandRows, bandGapRows = 0 } = detectorFor(config)
    .moduleLayout(config);
  const between = config.double_pixels === "interpolate"
    ? PIXEL_MASK_BITS.virtual
    : PIXEL_MASK_BITS.gap;
  for (const { x, y, width, height, transposed } of moduleRectangles(config)) {
    // Chips follow one another along rows, bands along columns; on its side, the other way round.
    const along = transposed ? height : width, across = transposed ? width : height;
    const inRun = sensorAt(along, chips === 1 ? along : runPixels, gapPixels);
    const inBand = sensorAt(across, bandRows ?? across, bandGapRows);
    const [inColumn, inRow] = transposed ? [inBand, inRun] : [inRun, inBand];
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const sensor = inRow[row]! && inColumn[column]!;
        mask[(y + row) * columns + x + column] = sensor ? 0 : between;
      }
    }
  }
  return mask;
}

/** Which of so many pixels in a line have a sensor: runs of it, with gaps between them. */
function sensorAt(length: number, run: number, gap: number): boolean[] {
  return Array.from({ length }, (_, i) => i % (run + gap) < run);
}

function addMaskFile(
  mask: Uint32Array,
  path: string,
  dataset: string,
  [rows, columns]: [number, number],
): void {
  using file = new ArrayFile(path);
  const shape = file.shape(dataset);
  if (shape !== undefined && (shape.length !== 2 || shape[0] !== rows || shape[1] !== columns)) {
    throw new ArrayFileError(
      `${path}: ${dataset} has the shape (${
        shape.join(", ")
      }), the image is (${rows}, ${columns}). ` +
        "Give a mask of the assembled image.",
    );
  }
  file.numbers(dataset).forEach((bits, i) => mask[i] = (mask[i]! | bits) >>> 0);
}
