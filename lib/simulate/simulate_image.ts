import { type DetectorConfig, imageShape, moduleRectangles } from "../config/mod.ts";
import { fillFrame, type RawPixels } from "./pattern.ts";
import {
  createSimulation,
  type Simulation,
  type SimulationOptions,
  sourceOf,
} from "./simulation.ts";

/** Pixels of a type that holds `bytes` bytes per pixel. */
function rawPixels(bytes: number, count: number): RawPixels {
  return bytes === 1
    ? new Uint8Array(count)
    : bytes === 2
    ? new Uint16Array(count)
    : new Uint32Array(count);
}

/**
 * The image that a fault-free simulation makes a receiver assemble: all modules that send in their
 * places, 0 in the gaps, double pixels as they are sent. For jungfrau-converted these are the raw pixels before their conversion.
 *
 * @param config The detector's config.
 * @param options The simulation's options.
 * @param imageId Which image: the id that the receiver gives it.
 * @returns height × width pixels, row by row.
 * @throws {RangeError} If the simulation sends no such image.
 * @throws {SimulationError} If the options are wrong.
 */
export function simulateImage(
  config: DetectorConfig,
  options: SimulationOptions,
  imageId: bigint,
): RawPixels {
  const simulation = createSimulation(config, options);
  const index = Number(imageId - simulation.firstImageId);
  if (index < 0 || index >= simulation.images) {
    throw new RangeError(
      `image ${imageId} is not simulated: ${simulation.images} images begin at ${simulation.firstImageId}`,
    );
  }
  const [height, width] = imageShape(config);
  const image = rawPixels(simulation.layout.pixelBytes, height * width);
  for (const module of simulation.modules) {
    place(simulation, module, sourceOf(simulation, index), image, width);
  }
  return image;
}

function place(
  simulation: Simulation,
  module: number,
  source: number,
  image: RawPixels,
  width: number,
): void {
  const { rows, chips, runPixels, gapPixels, bandRows = rows, bandGapRows = 0, pixelBytes } =
    simulation.layout;
  const { interleaved = 1 } = simulation.layout;
  const columns = chips * runPixels;
  const frame = rawPixels(pixelBytes, rows * columns);
  fillFrame(simulation, module, source, frame);
  const rectangle = moduleRectangles(simulation.config)[module]!;
  const { flipX, flipY, transposed } = rectangle;
  for (let row = 0; row < rows; row++) {
    const down = row * interleaved + module % interleaved +
      Math.floor(row / bandRows) * bandGapRows;
    for (let column = 0; column < columns; column++) {
      const across = column + Math.floor(column / runPixels) * gapPixels;
      const [dx, dy] = transposed ? [down, across] : [across, down];
      const x = rectangle.x + (flipX ? rectangle.width - 1 - dx : dx);
      const y = rectangle.y + (flipY ? rectangle.height - 1 - dy : dy);
      image[y * width + x] = frame[row * columns + column]!;
    }
  }
}
