/**
 * Reads a config of a recorded case.
 *
 * @param name File in `testdata`, without `.json`.
 * @returns The parsed JSON, a fresh object on every call.
 */
export async function recordedConfig(name: string): Promise<Record<string, unknown>> {
  const file = new URL(`testdata/${name}.json`, import.meta.url);
  return JSON.parse(await Deno.readTextFile(file));
}

/** Names of all recorded cases. */
export const RECORDED = [
  "eiger9m_real",
  "eiger05m_out",
  "jungfrau_converted_1m",
  "gigafrost_504x252",
] as const;

/**
 * A valid two-module Jungfrau config.
 *
 * @param changes Fields to replace or add; `undefined` removes one.
 * @returns A fresh JSON-like object.
 */
export function jungfrau(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const config: Record<string, unknown> = {
    detector_name: "jf1",
    detector_type: "jungfrau-raw",
    n_modules: 2,
    bit_depth: 16,
    image_pixel_height: 1024,
    image_pixel_width: 1024,
    start_udp_port: 50020,
    module_positions: { "0": [0, 0, 1023, 511], "1": [0, 512, 1023, 1023] },
    ...changes,
  };
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

/**
 * A valid config of one Jungfrau module.
 *
 * @param changes Fields to replace or add; `undefined` removes one.
 * @returns A fresh JSON-like object.
 */
export function jungfrauModule(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return jungfrau({
    n_modules: 1,
    image_pixel_height: 512,
    module_positions: { "0": [0, 0, 1023, 511] },
    ...changes,
  });
}
