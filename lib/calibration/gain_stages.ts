/**
 * The gain stages of a gain-switching detector.
 *
 * @module
 */
import type { GainCode } from "../kernels/mod.ts";

/** Gain stages in the order of all maps: G0 (highest gain), G1, G2. */
export const GAIN_STAGES = ["G0", "G1", "G2"] as const;

/** Name of a gain stage. */
export type GainStage = typeof GAIN_STAGES[number];

/** Index of a gain stage in maps. */
export type GainIndex = 0 | 1 | 2;

/** Code of each stage in the two highest bits of a pixel; code 2 is none. */
export const GAIN_CODES: readonly [GainCode, GainCode, GainCode] = [0, 1, 3];

/** The stage of a gain code; undefined for code 2. */
export function stageOfCode(code: GainCode): GainStage | undefined {
  return GAIN_STAGES.find((_, stage) => GAIN_CODES[stage] === code);
}
