/**
 * Images for tests: as the kernels make them, and by the config, pixel by pixel.
 *
 * @module
 */
import { type DetectorConfig, imageBytes, imageShape } from "../config/mod.ts";
import { detectorFor, frameBytes } from "../detector/mod.ts";
import { instantiateKernels } from "../kernels/mod.ts";
import { moduleBorders } from "./borders.ts";
import { moduleConversion } from "./conversion.ts";
import { blankModule, convertModule, scratchBytes } from "./convert_module.ts";
import { modulePlacements } from "./placement.ts";

/** Pixels as they are sent or assembled. */
export type Pixels = Uint8Array | Uint16Array | Uint32Array;

/** The pixel a module sends at a place: differs between neighbours and modules. */
export function sent(module: number, i: number): number {
  return Math.imul(i + 1, 2654435761) ^ (module * 40503);
}

/** Every byte of an image where nothing is written. */
const NEVER_WRITTEN = 0xa5;

function pixelsOf(bytes: Uint8Array, size: number): Pixels {
  const { buffer, byteOffset, byteLength } = bytes;
  if (size === 1) return bytes;
  return size === 2
    ? new Uint16Array(buffer, byteOffset, byteLength / 2)
    : new Uint32Array(buffer, byteOffset, byteLength / 4);
}

/** The image by the kernels; `blanked`: with all modules blanked afterwards. */
export function assemble(config: DetectorConfig, blanked = false, value = sent): Pixels {
  const detector = detectorFor(config);
  const layout = detector.moduleLayout(config);
  const frame = frameBytes(detector.packetFormat(config));
  const size = imageBytes(config);
  const conversion = moduleConversion(layout);
  const borders = moduleBorders(config, layout);
  const works = modulePlacements(config, layout).map((placement, module) => ({
    conversion,
    placement,
    borders: borders?.[module],
  }));
  const scratchSize = Math.max(...works.map(scratchBytes));
  const pages = Math.ceil((size + frame + scratchSize) / 65536) + 4;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const kernels = instantiateKernels(memory);
  const from = 65536;
  const image = from + Math.ceil(frame / 65536) * 65536;
  const scratch = image + Math.ceil(size / 65536) * 65536;
  const bytes = new Uint8Array(memory.buffer);
  bytes.fill(NEVER_WRITTEN, image, image + size);
  works.forEach((work, module) => {
    const raw = bytes.subarray(from, from + frame);
    const count = layout.rows * layout.chips * layout.runPixels;
    const pixels = layout.packedBits === undefined
      ? pixelsOf(raw, layout.pixelBytes)
      : pixelsOf(new Uint8Array(count * layout.pixelBytes), layout.pixelBytes);
    for (let i = 0; i < pixels.length; i++) pixels[i] = value(module, i);
    if (layout.packedBits !== undefined) detector.packFrame?.(config, pixels, raw);
    convertModule(kernels, work, { from, image, scratch });
  });
  if (blanked) { for (const work of works) blankModule(kernels, work, image); }
  return pixelsOf(bytes.slice(image, image + size), layout.pixelBytes);
}

/** Rows of pixels, undefined where no module has one. */
export type Picture = (number | undefined)[][];

/** A picture turned clockwise by 90°. */
function turned(picture: Picture): Picture {
  return picture[0]!.map((_, column) => picture.map((row) => row[column]).reverse());
}

/** A module as it is sent, with the gaps between its chips. */
function modulePicture(config: DetectorConfig, value: (i: number) => number): Picture {
  const { rows, chips, runPixels, gapPixels, bandRows = rows, bandGapRows = 0 } = detectorFor(
    config,
  )
    .moduleLayout(config);
  const bands = rows / bandRows;
  const height = rows + (bands - 1) * bandGapRows;
  const width = chips * (runPixels + gapPixels) - gapPixels;
  const picture = emptyPicture(height, width);
  for (let down = 0; down < height; down++) {
    const band = Math.floor(down / (bandRows + bandGapRows));
    const row = down - band * bandGapRows;
    if (row >= (band + 1) * bandRows) continue; // between two bands
    const pixels = picture[down]!;
    for (let i = 0; i < chips * runPixels; i++) {
      pixels[i + Math.floor(i / runPixels) * gapPixels] = value(row * chips * runPixels + i);
    }
  }
  return picture;
}

function emptyPicture(height: number, width: number): Picture {
  return Array.from({ length: height }, () => Array(width).fill(undefined));
}

/** The image by the config's corners and rotations, pixel by pixel. */
export function imagePicture(config: DetectorConfig, value = sent): Picture {
  const [height, width] = imageShape(config);
  const image = emptyPicture(height, width);
  for (let module = 0; module < config.n_modules; module++) {
    const [x0, y0, x1, y1] = config.module_positions[String(module)]!;
    let picture = modulePicture(config, (i) => value(module, i));
    if (x1 < x0) picture = picture.map((row) => row.toReversed());
    if (y1 < y0) picture = picture.toReversed();
    const rotation = config.module_rotations[String(module)] ?? 0;
    for (let degrees = 0; degrees < rotation; degrees += 90) picture = turned(picture);
    const left = Math.min(x0, x1), top = Math.min(y0, y1);
    picture.forEach((row, y) => {
      const pixels = image[top + y]!;
      for (let x = 0; x < row.length; x++) {
        if (row[x] !== undefined) pixels[left + x] = row[x];
      }
    });
  }
  return image;
}

/** A picture as the bytes of an image have it: what is undefined has never been written. */
export function pixelsOfPicture(config: DetectorConfig, picture: Picture): Pixels {
  const [height, width] = imageShape(config);
  const bytes = new Uint8Array(imageBytes(config)).fill(NEVER_WRITTEN);
  const image = pixelsOf(bytes, bytes.length / (height * width));
  picture.forEach((row, y) => {
    for (let x = 0; x < width; x++) {
      const pixel = row[x];
      if (pixel !== undefined) image[y * width + x] = pixel;
    }
  });
  return image;
}

/** The image by the config's corners and rotations, double pixels as they are. */
export function expectedImage(config: DetectorConfig, value = sent): Pixels {
  return pixelsOfPicture(config, imagePicture(config, value));
}
