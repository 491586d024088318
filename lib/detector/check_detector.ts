/**
 * Whether what a detector's folder says fits together, and to the config: kernels go by it alone.
 *
 * @module
 */
import { type DetectorConfig, detectorFacts, moduleRectangles } from "../config/mod.ts";
import { type Detector, packetPixelBytes } from "./detector.ts";

/** A detector's folder contradicts itself, or `lib/config/detector_facts.ts`. */
export class DetectorFolderError extends Error {
  /** The class's name. */
  override readonly name = "DetectorFolderError";
}

/**
 * Checks that a module's pixels are those of its packets, that it is as large as its place, and that packets
 * have what numbers images.
 *
 * @throws {DetectorFolderError} If not: it would be written over other modules, or past the image, or into
 * one image.
 */
export function checkDetector(config: DetectorConfig, detector: Detector): void {
  const layout = detector.moduleLayout(config);
  const { rows, chips, runPixels, gapPixels, pixelBytes, packedBits = 8 * pixelBytes } = layout;
  const pixels = rows * chips * runPixels;
  const format = detector.packetFormat(config);
  const last = format.packetsPerFrame - 1;
  const received = last * format.payloadBytes + packetPixelBytes(format, last);
  if (received !== pixels * packedBits / 8) {
    throw new DetectorFolderError(
      `${detector.name}: moduleLayout() has ${rows} × ${chips} × ${runPixels} px of ${packedBits} bit, ` +
        `${
          pixels * packedBits / 8
        } bytes, but packetFormat() ${format.packetsPerFrame} packets with ` +
        `${received} bytes of pixels: correct one of them`,
    );
  }
  const { hasBunchIds = false } = detectorFacts(config.detector_type);
  if (format.imageIdField !== "frame_number" && !hasBunchIds) {
    throw new DetectorFolderError(
      `${detector.name}: imageIdField of packetFormat() is ${format.imageIdField}, but ` +
        "lib/config/detector_facts.ts has no hasBunchIds: true: add it, or correct the field",
    );
  }
  const { bandRows = rows, bandGapRows = 0, interleaved = 1 } = layout;
  const width = chips * (runPixels + gapPixels) - gapPixels;
  const height = (rows + (rows / bandRows - 1) * bandGapRows) * interleaved;
  for (const { module, transposed, ...place } of moduleRectangles(config)) {
    const [wide, high] = transposed ? [place.height, place.width] : [place.width, place.height];
    if (wide === width && high === height) continue;
    throw new DetectorFolderError(
      `${detector.name}: by moduleLayout() a module takes ${width} × ${height} px of the image, but ` +
        `module ${module} has ${wide} × ${high}: correct it, or lib/config/detector_facts.ts`,
    );
  }
}
