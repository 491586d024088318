/**
 * The correction of one pixel, said plainly. For tests: what the kernels must yield to the last bit.
 *
 * @module
 */
import type { ConvertedPixelType } from "./correct_jungfrau.ts";

/** Maps of one pixel, stage by stage. */
export interface PixelMaps {
  /** ADU/keV. */
  gain: readonly [number, number, number];
  /** ADU. */
  pedestal: readonly [number, number, number];
  masked: boolean;
}

/** What a pixel becomes, and why it has no good value. */
export interface PlainPixel {
  value: number;
  why?: "masked" | "invalid gain" | "saturated";
}

const NO_VALUE = { float32: NaN, int16: -32768, uint16: 65535, int32: -2147483648 };
const RANGE = { int16: [-32768, 32767], uint16: [0, 65535], int32: [-2147483648, 2147483647] };
const STAGE = [0, 1, undefined, 2];

/** `((raw & 0x3FFF) − pedestal) × 1/(gain × energy)` in float32 steps, rounded for counts. */
export function plainPixel(
  raw: number,
  maps: PixelMaps,
  type: ConvertedPixelType,
  photonEnergyKev: number,
  saturated: number,
): PlainPixel {
  const value = NO_VALUE[type];
  const scales = maps.gain.map((gain) => Math.fround(1 / (gain * photonEnergyKev)));
  const pedestals = maps.pedestal.map(Math.fround);
  const useless = (stage: number): boolean =>
    !Number.isFinite(scales[stage]) || scales[stage] === 0 || !Number.isFinite(pedestals[stage]);
  if (maps.masked || [0, 1, 2].some(useless)) return { value, why: "masked" };
  const stage = STAGE[raw >>> 14];
  if (stage === undefined) return { value, why: "invalid gain" };
  if (raw === saturated) return { value, why: "saturated" };
  const energy = Math.fround(
    Math.fround((raw & 0x3fff) - pedestals[stage]!) * scales[stage]!,
  );
  if (type === "float32") return { value: energy };
  const [least, most] = RANGE[type];
  return { value: Math.min(most!, Math.max(least!, roundHalfEven(energy))) + 0 }; // a count is never -0
}

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const above = x - down;
  if (above !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}
