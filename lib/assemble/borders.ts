/**
 * Double pixels: which pixels of the image lie at the borders of chips, and what is done about them.
 *
 * Two chips are two pixels apart; each border pixel reaches one pixel into that gap, so every pixel of
 * a gap belongs to one border pixel, and to one module. Borders are those inside a module, and those
 * towards a module that is as near as two chips are: the halves of an Eiger module.
 *
 * @module
 */
import {
  type DetectorConfig,
  imageBytes,
  type ModuleRectangle,
  moduleRectangles,
  pixelType,
} from "../config/mod.ts";
import type { ModuleLayout } from "../detector/mod.ts";
import type { KernelExports } from "../kernels/mod.ts";

/** Pixels of the image between two chips. */
const CHIP_GAP = 2;

/** A line of border pixels; bytes but for `count`. */
interface BorderLine {
  /** The first one, from the image's first pixel. */
  at: number;
  count: number;
  /** From one to the next. */
  stride: number;
  /** From a border pixel to the gap pixel beside it; 0 where the image has no gap. */
  step: number;
}

/** What is to be done with a module's double pixels: cloneable. */
export interface ModuleBorders {
  /** In this order: the later ones share the corners once more. */
  lines: BorderLine[];
  handling: "mask" | "share_counts" | "share_signed" | "share_floats";
  /** Bytes of a pixel. */
  pixel: number;
  /** Value of masked pixels, as bits; of counts that are shared, the one that stays whole. */
  value: number;
}

/** Does it to a module that is in its place in the image. */
export function finishBorders(
  kernels: KernelExports,
  { lines, handling, pixel, value }: ModuleBorders,
  image: number,
): void {
  for (const { at, count, stride, step } of lines) {
    const first = image + at;
    switch (handling) {
      case "mask":
        kernels.setPixels(first, count, stride, pixel, value);
        if (step !== 0) kernels.setPixels(first + step, count, stride, pixel, value);
        break;
      case "share_counts":
        kernels.shareCounts(first, count, stride, step, pixel, value);
        break;
      case "share_signed":
        kernels.shareSigned(first, count, stride, step, pixel, value);
        break;
      case "share_floats":
        kernels.shareFloats(first, count, stride, step);
        break;
    }
  }
}

/**
 * What is to be done with the double pixels of every module, by module index; undefined where they
 * are kept as they are.
 */
export function moduleBorders(
  config: DetectorConfig,
  layout: ModuleLayout,
): ModuleBorders[] | undefined {
  if (config.double_pixels === "keep" || layout.chipSize === undefined) return undefined;
  const rectangles = moduleRectangles(config);
  const type = pixelType(config);
  const pixel = imageBytes(config) / (config.image_pixel_height * config.image_pixel_width);
  const mask = config.double_pixels === "mask";
  const { saturatedCount = 2 ** config.bit_depth - 1 } = layout;
  return rectangles.map((rectangle) => ({
    lines: borderLines(rectangle, rectangles, layout, config.image_pixel_width, pixel),
    handling: mask ? "mask" : SHARED[type],
    pixel,
    value: mask || SHARED[type] === "share_signed" ? MASKED_BITS[type] : saturatedCount,
  }));
}

/** What a masked pixel is, as bits: all ones where there is no sign, the lowest number, or a quiet NaN. */
const MASKED_BITS = {
  uint8: 0xff,
  uint16: 0xffff,
  uint32: 0xffff_ffff,
  int16: -0x8000,
  int32: -0x8000_0000,
  float32: 0x7fc0_0000,
};

/** How pixels of a type are shared. */
const SHARED = {
  uint8: "share_counts",
  uint16: "share_counts",
  uint32: "share_counts",
  int16: "share_signed",
  int32: "share_signed",
  float32: "share_floats",
} as const;

/** A stretch of a module's columns or rows that one chip takes, gaps counted, from 0. */
interface Span {
  first: number;
  length: number;
  /** Whether a line of border pixels is at its beginning, and one at its end. */
  before: boolean;
  after: boolean;
  /** Whether the image has a gap there. */
  gapBefore: boolean;
  gapAfter: boolean;
}

/** A module's columns or its rows, as they lie in the image. */
interface Axis {
  spans: Span[];
  /** From one to the next, bytes. */
  step: number;
}

/**
 * The lines of a module: those at the left and right of its chips in the image, then those at their top
 * and bottom, which are longer by the gap pixels that the first ones have filled.
 */
function borderLines(
  rectangle: ModuleRectangle,
  all: readonly ModuleRectangle[],
  layout: ModuleLayout,
  imageWidth: number,
  pixel: number,
): BorderLine[] {
  const { x, y, width, height, transposed, flipX, flipY } = rectangle;
  const { rows, chips, runPixels, gapPixels, bandGapRows = 0, chipSize, joinedModules } = layout;
  const size = chipSize!; // asked for by the caller
  const { left, right, top, bottom } = joinedModules ? joinedSides(rectangle, all) : NOWHERE;
  const inX = flipX ? [right, left] as const : [left, right] as const;
  const inY = flipY ? [bottom, top] as const : [top, bottom] as const;
  const row = imageWidth * pixel;
  const across = (joined: readonly [boolean, boolean]): Span[] =>
    spans(chips * runPixels, size.columns, gapPixels, joined);
  const down = (joined: readonly [boolean, boolean]): Span[] =>
    spans(rows, size.rows, bandGapRows, joined);
  const horizontal: Axis = {
    spans: transposed ? down(inX) : across(inX),
    step: flipX ? -pixel : pixel,
  };
  const vertical: Axis = {
    spans: transposed ? across(inY) : down(inY),
    step: flipY ? -row : row,
  };
  const origin = (flipY ? y + height - 1 : y) * row + (flipX ? x + width - 1 : x) * pixel;
  return [
    ...linesAlong(vertical, horizontal, false),
    ...linesAlong(horizontal, vertical, true),
  ].map((line) => forward({ ...line, at: origin + line.at }, pixel));
}

/** The lines that run along one axis at the borders of chips on the other. */
function linesAlong(run: Axis, border: Axis, wider: boolean): BorderLine[] {
  return border.spans.flatMap((chip) =>
    run.spans.flatMap((span) => {
      const more = Number(wider && span.before && span.gapBefore);
      const count = span.length + more + Number(wider && span.after && span.gapAfter);
      const along = (span.first - more) * run.step;
      const line = (place: number, step: number): BorderLine => ({
        at: along + place * border.step,
        count,
        stride: run.step,
        step,
      });
      const last = chip.first + chip.length - 1;
      return [
        ...(chip.before ? [line(chip.first, chip.gapBefore ? -border.step : 0)] : []),
        ...(chip.after ? [line(last, chip.gapAfter ? border.step : 0)] : []),
      ];
    })
  );
}

/** Kernels go by the register where a line goes forward along a row of the image. */
function forward(line: BorderLine, pixel: number): BorderLine {
  if (line.stride !== -pixel) return line;
  return { ...line, at: line.at + (line.count - 1) * line.stride, stride: pixel };
}

/** Chips one after the other, `gap` apart; the outer borders count where another module joins. */
function spans(
  pixels: number,
  chip: number,
  gap: number,
  [joinedBefore, joinedAfter]: readonly [boolean, boolean],
): Span[] {
  const count = pixels / chip;
  return Array.from({ length: count }, (_, i) => ({
    first: i * (chip + gap),
    length: chip,
    before: i > 0 || joinedBefore,
    after: i < count - 1 || joinedAfter,
    gapBefore: i > 0 ? gap > 0 : joinedBefore,
    gapAfter: i < count - 1 ? gap > 0 : joinedAfter,
  }));
}

/** Sides of a module in the image at which another one joins. */
interface JoinedSides {
  left: boolean;
  right: boolean;
  top: boolean;
  bottom: boolean;
}

const NOWHERE: JoinedSides = { left: false, right: false, top: false, bottom: false };

/** The sides of a module at which another one is exactly as near as two chips are. */
function joinedSides(
  { x, y, width, height }: ModuleRectangle,
  all: readonly ModuleRectangle[],
): JoinedSides {
  const beside = all.filter((other) => other.y === y && other.height === height);
  const stacked = all.filter((other) => other.x === x && other.width === width);
  return {
    left: beside.some((other) => other.x + other.width + CHIP_GAP === x),
    right: beside.some((other) => x + width + CHIP_GAP === other.x),
    top: stacked.some((other) => other.y + other.height + CHIP_GAP === y),
    bottom: stacked.some((other) => y + height + CHIP_GAP === other.y),
  };
}
