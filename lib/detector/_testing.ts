import {
  type DetectorConfig,
  detectorFacts,
  type DetectorType,
  parseConfig,
} from "../config/mod.ts";

/**
 * A valid config of modules in a column, of a detector whose modules are placed by `module_positions`.
 *
 * @param type The detector.
 * @param changes Fields to replace or add, `n_modules` (1) and `bit_depth` (the detector's last) among them.
 */
export function moduleConfig(
  type: DetectorType,
  changes: Record<string, unknown> = {},
): DetectorConfig {
  const { module: size, bitDepths } = detectorFacts(type);
  if (size === undefined) throw new Error(`a ${type} has no modules to be placed`);
  const { width, height } = size;
  const modules = Number(changes.n_modules ?? 1);
  return parseConfig({
    detector_name: `test-${type}`,
    detector_type: type,
    n_modules: modules,
    bit_depth: bitDepths.at(-1),
    image_pixel_height: modules * height,
    image_pixel_width: width,
    start_udp_port: 50_000,
    module_positions: Object.fromEntries(
      Array.from(
        { length: modules },
        (_, i) => [i, [0, i * height, width - 1, (i + 1) * height - 1]],
      ),
    ),
    ...changes,
  }).config;
}
