import assert from "node:assert/strict";
import { detectorFacts, type DetectorType } from "../../lib/config/mod.ts";
import { freeUdpPorts } from "./free_ports.ts";

let counter = 0;

/** A detector name that no other test, and no test run beside this one, has. */
export function uniqueName(prefix: string): string {
  const random = Math.floor(Math.random() * 2 ** 32).toString(36);
  return `${prefix}${Deno.pid}-${counter++}-${random}`;
}

/** A detector config as JSON. */
export type ConfigJson = Record<string, unknown> & { detector_name: string; n_modules: number };

/** For a detector that pauses in the middle of a frame: what sends here is a test on a busy machine. */
export const PATIENT = { frame_timeout_ms: 20_000, image_timeout_ms: 20_000 };

const COMMON = {
  log_level: "info",
  stats_collection_period: 1,
  // Longer than by default for the same reason, but not so long that a test has to wait.
  frame_timeout_ms: 1_500,
  image_timeout_ms: 3_000,
};

/** Modules of any detector that are placed one above the other, on free ports. */
export function moduleConfig(
  type: DetectorType,
  modules: number,
  more: Record<string, unknown> = {},
): ConfigJson {
  const { module: size = assert.fail(`a ${type} has no modules to be placed`), bitDepths } =
    detectorFacts(type);
  const { width, height } = size;
  return {
    ...COMMON,
    detector_name: uniqueName("e2e-mod"),
    detector_type: type,
    n_modules: modules,
    bit_depth: bitDepths.at(-1),
    image_pixel_height: height * modules,
    image_pixel_width: width,
    start_udp_port: freeUdpPorts(modules),
    module_positions: Object.fromEntries(
      Array.from({ length: modules }, (_, i) => [
        i,
        [0, height * i, width - 1, height * (i + 1) - 1],
      ]),
    ),
    ...more,
  };
}

/** Jungfrau modules of 1024 × 512 px, one above the other, on free ports. */
export function jungfrauConfig(modules: number, more: Record<string, unknown> = {}): ConfigJson {
  return moduleConfig("jungfrau-raw", modules, { detector_name: uniqueName("e2e-jf"), ...more });
}

/** A GigaFRoST with its eight streams, on free ports; 504 × 252 px where `more` says nothing else. */
export function gigafrostConfig(more: Record<string, unknown> = {}): ConfigJson {
  return {
    ...COMMON,
    detector_name: uniqueName("e2e-gf"),
    detector_type: "gigafrost",
    n_modules: 8,
    bit_depth: 16,
    image_pixel_height: 252,
    image_pixel_width: 504,
    start_udp_port: freeUdpPorts(8),
    module_positions: {},
    ...more,
  };
}

/** Eiger half modules of 514 × 256 px (16 bit), one above the other, every second one upside down. */
export function eigerConfig(modules: number, more: Record<string, unknown> = {}): ConfigJson {
  const rows = (i: number): [number, number] =>
    i % 2 === 0 ? [256 * i, 256 * i + 255] : [256 * i + 255, 256 * i];
  return {
    ...COMMON,
    detector_name: uniqueName("e2e-eg"),
    detector_type: "eiger",
    n_modules: modules,
    bit_depth: 16,
    image_pixel_height: 256 * modules,
    image_pixel_width: 514,
    start_udp_port: freeUdpPorts(modules),
    module_positions: Object.fromEntries(Array.from({ length: modules }, (_, i) => {
      const [first, last] = rows(i);
      return [i, [0, first, 513, last]];
    })),
    ...more,
  };
}
