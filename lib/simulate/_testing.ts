import { type DetectorConfig, parseConfig } from "../config/mod.ts";

/** A valid Eiger config of `modules` half modules in a column. */
export function eigerConfig(changes: Record<string, unknown> = {}): DetectorConfig {
  const modules = Number(changes.n_modules ?? 2);
  return parseConfig({
    detector_name: "simulated-eiger",
    detector_type: "eiger",
    n_modules: modules,
    bit_depth: 16,
    image_pixel_height: modules * 256,
    image_pixel_width: 514,
    start_udp_port: 50_000,
    module_positions: positions(modules, 513, 256),
    ...changes,
  }).config;
}

/** A valid Jungfrau config of `modules` modules in a column. */
export function jungfrauConfig(changes: Record<string, unknown> = {}): DetectorConfig {
  const modules = Number(changes.n_modules ?? 2);
  return parseConfig({
    detector_name: "simulated-jungfrau",
    detector_type: "jungfrau-raw",
    n_modules: modules,
    bit_depth: 16,
    image_pixel_height: modules * 512,
    image_pixel_width: 1024,
    start_udp_port: 50_000,
    module_positions: positions(modules, 1023, 512),
    ...changes,
  }).config;
}

/** A valid GigaFRoST config: a small region of which each link sends four packets, the last one short. */
export function gigafrostConfig(changes: Record<string, unknown> = {}): DetectorConfig {
  return parseConfig({
    detector_name: "simulated-gigafrost",
    detector_type: "gigafrost",
    n_modules: 8,
    bit_depth: 16,
    image_pixel_height: 252,
    image_pixel_width: 504,
    start_udp_port: 50_000,
    module_positions: {},
    ...changes,
  }).config;
}

function positions(modules: number, right: number, rows: number): Record<string, number[]> {
  return Object.fromEntries(
    Array.from({ length: modules }, (_, i) => [i, [0, i * rows, right, (i + 1) * rows - 1]]),
  );
}
