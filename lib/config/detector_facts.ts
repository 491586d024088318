/**
 * What a config must know of a kind of detector before anything is received: one row each. The rest
 * of a detector, its packets and its pixels, is in its folder of `lib/detector/`.
 */
export interface DetectorFacts {
  /**
   * Size of one module in the image, px: its chips and the gaps between them. Left out where
   * `module_positions` has no say: the geometry is fixed, or a stream is a whole image.
   */
  readonly module?: { readonly width: number; readonly height: number };
  /** Bits that a pixel may have as it is received. */
  readonly bitDepths: readonly (8 | 16 | 32)[];
}

/** The detectors that a config can describe, by their `detector_type`. */
export const DETECTOR_FACTS = {
  // A half module: 512 × 256 px, and a gap of 2 px between its two chips.
  "eiger": { module: { width: 514, height: 256 }, bitDepths: [8, 16, 32] },
  "jungfrau-raw": { module: { width: 1024, height: 512 }, bitDepths: [16] },
  "jungfrau-converted": { module: { width: 1024, height: 512 }, bitDepths: [16] },
  "moench": { module: { width: 400, height: 400 }, bitDepths: [16] },
  "gotthard2": { module: { width: 1280, height: 1 }, bitDepths: [16] },
  // A strip has three counters, side by side in the image.
  "mythen3": { module: { width: 3840, height: 1 }, bitDepths: [8, 16, 32] },
  "gigafrost": { bitDepths: [16] },
  "pco": { bitDepths: [16] },
  "bsread": { bitDepths: [8, 16, 32] },
} as const satisfies Record<string, DetectorFacts>;

/** The detectors a config can describe. */
export const DETECTOR_TYPES = Object.keys(DETECTOR_FACTS) as (keyof typeof DETECTOR_FACTS)[]; // all of them

/** The facts about a kind of detector. */
export function detectorFacts(type: keyof typeof DETECTOR_FACTS): DetectorFacts {
  return DETECTOR_FACTS[type];
}
