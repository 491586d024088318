/**
 * The pixel mask of NXmx: which pixels of the image have no sensor, which have no value of their own, and
 * which the calibration or a file masks.
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import { correctionSetup, moduleBorders } from "../assemble/mod.ts";
import { type Calibration, calibrationSources, readCalibration } from "../calibration/mod.ts";
import {
  type DetectorConfig,
  imageShape,
  type ModuleRectangle,
  moduleRectangles,
  pixelType,
} from "../config/mod.ts";
import { detectorFor, type ModuleLayout } from "../detector/mod.ts";
import { ArrayFile, ArrayFileError, PIXEL_BYTES, type TreeAttributes } from "../hdf5/mod.ts";
import { formatCalibrationId } from "../protocol/mod.ts";

/** Bits of a pixel's mask, by NXmx. Its bits 9 and 10, of a calibration, are ours: NXmx leaves them open. */
export const PIXEL_MASK_BITS = {
  /** There is no sensor. */
  gap: 2 ** 0,
  /** The pixel does not work. */
  dead: 2 ** 1,
  /** Masked because the user wants it so: double pixels. */
  user: 2 ** 8,
  /** The pixel's value is interpolated. */
  virtual: 2 ** 31,
} as const;

/** A mask, compressed. */
export interface DeflatedMask {
  /** Rows and columns. */
  shape: [rows: number, columns: number];
  /** u32 of each pixel, row by row, as a zlib stream. */
  deflated: Uint8Array;
  /** `calibration_id`: of the calibration whose masked pixels are in it, as `daq calibration` shows it. */
  attributes: TreeAttributes;
}

/**
 * Makes the mask of a detector: gaps and double pixels as its config says, the pixels that the config's
 * calibration masks, and the bits of `nexus.detector.pixel_mask`, if there is one.
 *
 * @param onNote Told why the calibration's pixels are not in it, if its files cannot be read: who looks at
 * a file later need not have them.
 * @throws {OsError} ENOENT, EACCES, … of the mask's file.
 * @throws {ArrayFileError} If it is not HDF5, or has no mask of the image's size.
 */
export function pixelMask(
  config: DetectorConfig,
  onNote: (message: string) => void = () => {},
): DeflatedMask {
  const mask = gapMask(config);
  const { pixel_mask: path, pixel_mask_dataset: dataset = "" } = config.nexus?.detector ?? {};
  if (path !== undefined) addMaskFile(mask, path, dataset, imageShape(config));
  const calibration = calibrationOf(config, onNote);
  if (calibration !== undefined) addCalibration(mask, config, calibration);
  return {
    shape: imageShape(config),
    deflated: deflateSync(new Uint8Array(mask.buffer)),
    attributes: calibration === undefined
      ? {}
      : { calibration_id: formatCalibrationId(calibration.id) },
  };
}

/** {@link PIXEL_MASK_BITS} of every pixel, row by row, as the config places modules and treats double pixels. */
export function gapMask(config: DetectorConfig): Uint32Array<ArrayBuffer> {
  const [rows, columns] = imageShape(config);
  const mask = new Uint32Array(rows * columns).fill(PIXEL_MASK_BITS.gap);
  const layout = detectorFor(config).moduleLayout(config);
  for (const rectangle of moduleRectangles(config)) {
    const { x, y, width, height, transposed } = rectangle;
    const inRow = transposed ? sensorRows(layout, width) : sensorColumns(layout, width);
    const inColumn = transposed ? sensorColumns(layout, height) : sensorRows(layout, height);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        if (inColumn[row]! && inRow[column]!) mask[(y + row) * columns + x + column] = 0;
      }
    }
  }
  markBorders(mask, config, layout);
  return mask;
}

/** Which of a module's columns, gaps counted, have a sensor. */
function sensorColumns({ chips, runPixels, gapPixels }: ModuleLayout, count: number): boolean[] {
  return sensorAt(count, chips === 1 ? count : runPixels, gapPixels);
}

/** Which of its rows have. */
function sensorRows({ bandRows, bandGapRows = 0 }: ModuleLayout, count: number): boolean[] {
  return sensorAt(count, bandRows ?? count, bandGapRows);
}

/** Which of so many pixels in a line have a sensor: runs of it, with gaps between them. */
function sensorAt(length: number, run: number, gap: number): boolean[] {
  return Array.from({ length }, (_, i) => i % (run + gap) < run);
}

/** Double pixels that are masked have no value; gaps that they are shared with have one, not their own. */
function markBorders(mask: Uint32Array, config: DetectorConfig, layout: ModuleLayout): void {
  const bytes = PIXEL_BYTES[pixelType(config)];
  for (const { lines, handling } of moduleBorders(config, layout) ?? []) {
    for (const { at, count, stride, step } of lines) {
      for (let i = 0; i < count; i++) {
        const border = (at + i * stride) / bytes;
        if (handling === "mask") {
          if (mask[border] === 0) mask[border] = PIXEL_MASK_BITS.user;
        } else if (step !== 0) mask[border + step / bytes] = PIXEL_MASK_BITS.virtual;
      }
    }
  }
}

/** The calibration that the config names, if images are made with one. */
function calibrationOf(
  config: DetectorConfig,
  onNote: (message: string) => void,
): Calibration | undefined {
  const setup = correctionSetup(config);
  if (setup === undefined || config.calibration === undefined) return undefined;
  try {
    const { noises: _, ...sources } = calibrationSources(config.calibration, config.high_gain);
    return readCalibration(sources, setup);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    onNote(`pixel_mask is without the pixels that the calibration masks: ${reason}`);
    return undefined;
  }
}

/** Adds what a calibration masks: its modules' pixels, each where it is in the image. */
function addCalibration(
  mask: Uint32Array,
  config: DetectorConfig,
  { maps, columns }: Calibration,
): void {
  const [, imageColumns] = imageShape(config);
  const layout = detectorFor(config).moduleLayout(config);
  for (const rectangle of moduleRectangles(config)) {
    maps[rectangle.module]?.mask.forEach((bits, i) => {
      if (bits === 0) return;
      const [x, y] = inImage(rectangle, layout, Math.floor(i / columns), i % columns);
      const at = y * imageColumns + x;
      mask[at] = (mask[at]! | ofSensor(bits)) >>> 0;
    });
  }
}

/** Bit 0 of a module's mask is no gap, as all of its pixels have a sensor: 1 means masked. */
function ofSensor(bits: number): number {
  const { gap, dead } = PIXEL_MASK_BITS;
  return (bits & gap) === 0 ? bits : bits & ~gap | dead;
}

/** Column and row of the image where a module's pixel is. */
function inImage(
  { x, y, width, height, flipX, flipY, transposed }: ModuleRectangle,
  { runPixels, gapPixels, chips, bandRows, bandGapRows = 0 }: ModuleLayout,
  row: number,
  column: number,
): [x: number, y: number] {
  const gapColumns = chips === 1 ? 0 : Math.floor(column / runPixels) * gapPixels;
  const along = column + gapColumns;
  const across = row + (bandRows === undefined ? 0 : Math.floor(row / bandRows) * bandGapRows);
  const [right, down] = transposed ? [across, along] : [along, across];
  return [x + (flipX ? width - 1 - right : right), y + (flipY ? height - 1 - down : down)];
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
