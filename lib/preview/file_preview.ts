/**
 * A preview of an image file: a few of its images, in one scale.
 *
 * @module
 */
import { type ImageFileReader, readImageFile } from "../hdf5/mod.ts";
import { encodeGif } from "./gif.ts";
import { drawnPixel, ImageRenderer, type Range } from "./image_renderer.ts";
import { HOT_PALETTE, type IndexedImage, NO_VALUE } from "./indexed_image.ts";
import type { PREVIEW_FORMATS } from "./preview_formats.ts";
import { encodePng } from "./png.ts";

/** How to preview a file. */
export interface PreviewOptions {
  /** An animation, or images side by side. */
  format: typeof PREVIEW_FORMATS[number];
  /** Images, evenly over the file; default 5. */
  images?: number;
  /** Longest side of an image, at most, px; default 512. */
  longestSide?: number;
  /** Ends it between two images. */
  signal?: AbortSignal;
}

/** A preview. */
export interface Preview {
  /** The picture's file. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Rows of the images in it. */
  rows: number[];
  /** Values of the darkest and the brightest colour. */
  range: Range;
}

/** Thrown when there is nothing to see. */
export class NoImagesError extends Error {
  /** The class's name. */
  override name = "NoImagesError";
}

/** Time that an image of an animation is shown, ms. */
const DELAY_MS = 500;
/** Columns between images that are side by side, px. */
const GAP_PX = 4;

/**
 * Makes a preview, in the memory of some images.
 *
 * @throws {OsError} ENOENT, EACCES, …
 * @throws {NotAnImageFileError} If it is no image file.
 * @throws {NoImagesError} If it has no image.
 * @throws The reason of the signal.
 */
export async function previewFile(path: string, options: PreviewOptions): Promise<Preview> {
  const { format, images = 5, longestSide = 512, signal } = options;
  using reader = readImageFile(path);
  const [, height, width] = reader.shape;
  const rows = rowsToShow(reader, images);
  if (rows.length === 0) {
    throw new NoImagesError(`${path} has no image to show: wait until one is on file.`);
  }
  const renderer = new ImageRenderer(
    { width, height, pixel: drawnPixel(reader.pixelType) },
    longestSide,
  );
  const ranges: Range[] = [];
  for (const row of rows) {
    await turn(signal);
    const range = renderer.range(reader.image(row));
    if (range !== undefined) ranges.push(range);
  }
  const range = {
    low: Math.min(...ranges.map(({ low }) => low)),
    high: Math.max(...ranges.map(({ high }) => high)),
  };
  const drawn: IndexedImage[] = [];
  for (const row of rows) {
    await turn(signal);
    drawn.push(renderer.draw(reader.image(row), range));
  }
  const bytes = format === "gif"
    ? encodeGif(drawn, HOT_PALETTE, DELAY_MS)
    : encodePng(sideBySide(drawn), HOT_PALETTE);
  return { bytes, rows, range };
}

/** Rows that have an image, evenly from the first to the last. */
function rowsToShow(reader: ImageFileReader, images: number): number[] {
  const statuses = reader.statuses();
  const there = Array.from({ length: reader.shape[0] }, (_, row) => row)
    .filter((row) => statuses[row] !== 0n);
  const wanted = Math.min(images, there.length);
  return Array.from(
    { length: wanted },
    (_, i) => there[wanted === 1 ? 0 : Math.round(i * (there.length - 1) / (wanted - 1))]!,
  );
}

function sideBySide(images: readonly IndexedImage[]): IndexedImage {
  const { width: each = 0, height = 0 } = images[0] ?? {};
  const width = images.length * (each + GAP_PX) - GAP_PX;
  const pixels = new Uint8Array(width * height).fill(NO_VALUE);
  images.forEach((image, i) => {
    for (let row = 0; row < height; row++) {
      const from = image.pixels.subarray(row * each, (row + 1) * each);
      pixels.set(from, row * width + i * (each + GAP_PX));
    }
  });
  return { width, height, pixels };
}

/** Lets others have their turn. */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  signal?.throwIfAborted();
}
