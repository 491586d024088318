/**
 * Detectors to measure with.
 *
 * @module
 */
import { type DetectorConfig, parseConfig } from "../lib/config/mod.ts";

/** Half modules of an Eiger in a row of the image. */
const EIGER_COLUMNS = 6;

/** What detector to make. */
export interface BenchDetector {
  detector: string;
  type: "eiger" | "jungfrau-raw" | "jungfrau-converted" | "gigafrost";
  modules: number;
  port: number;
  /** Slots of each frame ring and of the image ring. */
  slots?: number;
  /** GigaFRoST: sides of the image, px; default 504 × 252, a small region, which it reads fast. */
  size?: { width: number; height: number };
  /** Jungfrau: files with the maps that correct it. */
  calibration?: { gains: string; pedestal: string };
}

const GIGAFROST_SIZE = { width: 504, height: 252 };

/**
 * The config of a detector of 16 bit: Jungfrau modules in a column, Eiger half modules in rows of six,
 * a GigaFRoST's eight streams.
 */
export function benchConfig(options: BenchDetector): DetectorConfig {
  return parseConfig(benchConfigJson(options)).config;
}

/** The same as it stands in a file. */
export function benchConfigJson(options: BenchDetector): Record<string, unknown> {
  const { detector, type, modules, port, slots = 128, calibration } = options;
  const eiger = type === "eiger";
  const columns = eiger ? Math.min(modules, EIGER_COLUMNS) : 1;
  const [width, height] = eiger ? [514, 256] : [1024, 512];
  const gigafrost = type === "gigafrost" ? options.size ?? GIGAFROST_SIZE : undefined;
  const place = (i: number): number[] => {
    const x = (i % columns) * width;
    const y = Math.floor(i / columns) * height;
    return [x, y, x + width - 1, y + height - 1];
  };
  return {
    detector_name: detector,
    detector_type: type,
    n_modules: modules,
    bit_depth: 16,
    image_pixel_width: gigafrost?.width ?? columns * width,
    image_pixel_height: gigafrost?.height ?? Math.ceil(modules / columns) * height,
    start_udp_port: port,
    frame_slots: slots,
    image_slots: slots,
    module_positions: gigafrost !== undefined
      ? {}
      : Object.fromEntries(Array.from({ length: modules }, (_, i) => [i, place(i)])),
    ...(calibration !== undefined && { calibration }),
  };
}
