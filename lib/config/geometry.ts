import { detectorFacts } from "./detector_facts.ts";
import type { DetectorConfig, ModulePosition, ModuleRotation } from "./schema.ts";

/** Where the pixels of one module go in the image. */
export interface ModuleRectangle {
  /** Index of the module, from 0. */
  readonly module: number;
  /** Column of the left edge in the image, in px. */
  readonly x: number;
  /** Row of the top edge in the image, in px. */
  readonly y: number;
  /** Columns covered, in px. */
  readonly width: number;
  /** Rows covered, in px. */
  readonly height: number;
  /** The module's first pixel of a row (lying on its side: its first row) goes to the right edge. */
  readonly flipX: boolean;
  /** The module's first row (lying on its side: its first pixel of a row) goes to the bottom edge. */
  readonly flipY: boolean;
  /** The module lies on its side: its rows are columns of the image. */
  readonly transposed: boolean;
}

/**
 * Whether the image has gaps between the chips of a module: always for some detectors, never for
 * others; where both can be (Jungfrau), the size of module 0 in `module_positions` says it.
 *
 * @param config A config whose geometry was checked, or is about to be.
 */
export function hasChipGaps(
  config: Pick<DetectorConfig, "detector_type" | "module_positions">,
): boolean {
  const { moduleWithGaps } = detectorFacts(config.detector_type);
  const position = config.module_positions["0"];
  if (moduleWithGaps === undefined || position === undefined) return false;
  const { width, height } = positionRectangle(0, position);
  return Math.max(width, height) >= moduleWithGaps.width;
}

/** Streams of a GigaFRoST: four quadrants with two links each. */
export const GIGAFROST_MODULES = 8;

/** The GigaFRoST's largest image side, in px. */
export const GIGAFROST_MAX_SIDE = 2016;

/** The GigaFRoST's smallest image width: one block of 12 pixels a quadrant, in px. */
export const GIGAFROST_MIN_WIDTH = 24;

/**
 * Says where every module goes.
 *
 * Modules of a known size follow `module_positions`. GigaFRoST modules are implied: modules 0/1 are the
 * lower left quadrant, 2/3 the lower right, 4/5 the upper left, 6/7 the upper right; the upper ones
 * are read from the middle upwards (`flipY`). The two modules (links) of a quadrant share its rectangle
 * and own every second row of it: in reading order, the even module takes rows 0, 2, …, the odd one
 * rows 1, 3, …. For pco and bsread each stream is the whole image.
 *
 * @param config A config from `parseConfig`.
 * @returns One rectangle per module, ordered by module.
 */
export function moduleRectangles(config: DetectorConfig): ModuleRectangle[] {
  return Array.from({ length: config.n_modules }, (_, module) => moduleRectangle(config, module));
}

function moduleRectangle(config: DetectorConfig, module: number): ModuleRectangle {
  const { image_pixel_width: width, image_pixel_height: height } = config;
  if (config.detector_type === "gigafrost") {
    const quadrant = module >> 1;
    const right = (quadrant & 1) === 1;
    const upper = quadrant >= 2;
    return {
      module,
      x: right ? width / 2 : 0,
      y: upper ? 0 : height / 2,
      width: width / 2,
      height: height / 2,
      flipX: false,
      flipY: upper,
      transposed: false,
    };
  }
  const position = config.module_positions[String(module)];
  return detectorFacts(config.detector_type).module === undefined || position === undefined
    ? { module, x: 0, y: 0, width, height, flipX: false, flipY: false, transposed: false }
    : positionRectangle(module, position, config.module_rotations[String(module)]);
}

/**
 * Turns the inclusive corners of `module_positions` into a rectangle and its flips. A rotation turns
 * the module, flipped as its corners say, clockwise within the rectangle.
 *
 * @param module Index of the module.
 * @param position `[x0, y0, x1, y1]` in px.
 * @param rotation Degrees clockwise.
 * @returns The rectangle, in px.
 */
export function positionRectangle(
  module: number,
  position: ModulePosition,
  rotation: ModuleRotation = 0,
): ModuleRectangle {
  const [x0, y0, x1, y1] = position;
  return {
    module,
    x: Math.min(x0, x1),
    y: Math.min(y0, y1),
    width: Math.abs(x1 - x0) + 1,
    height: Math.abs(y1 - y0) + 1,
    ...turned(x1 < x0, y1 < y0, rotation),
  };
}

/** Mirroring columns, then reversing rows, then turning clockwise, as one orientation. */
function turned(
  mirrored: boolean,
  reversed: boolean,
  rotation: ModuleRotation,
): Pick<ModuleRectangle, "flipX" | "flipY" | "transposed"> {
  switch (rotation) {
    case 0:
      return { flipX: mirrored, flipY: reversed, transposed: false };
    case 90: // the first row becomes the right-most column, from top to bottom
      return { flipX: !reversed, flipY: mirrored, transposed: true };
    case 180:
      return { flipX: !mirrored, flipY: !reversed, transposed: false };
    case 270: // the first row becomes the left-most column, from bottom to top
      return { flipX: reversed, flipY: !mirrored, transposed: true };
  }
}
