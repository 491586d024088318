/**
 * What a config must know of a kind of detector before anything is received, and what its files say of
 * it: one row each. The rest of a detector, its packets and its pixels, is in its folder of
 * `lib/detector/`.
 */
export interface DetectorFacts {
  /**
   * Size of one module in the image, px: its chips and the gaps between them. Left out where
   * `module_positions` has no say: the geometry is fixed, or a stream is a whole image.
   */
  readonly module?: ModuleSize;
  /** The size of a module with gaps between its chips, where it may be placed with them or without, px. */
  readonly moduleWithGaps?: ModuleSize;
  /** Bits that a pixel may have as it is received. */
  readonly bitDepths: readonly (4 | 8 | 16 | 32)[];
  /** Its packets carry a bunch id. */
  readonly hasBunchIds?: boolean;
  /** What may be done about double pixels; left out: nothing, there are none. */
  readonly doublePixels?: readonly DoublePixels[];
  /** Pixel pitch, m; left out: it has more than one, or none that is known. */
  readonly pixelPitch?: number;
  /** Raw pixels are counts; left out: they are charges, ADU. */
  readonly counts?: boolean;
  /** NXmx's kind of detector; left out: it is not clear. */
  readonly nexusType?: "pixel" | "strip";
  /** Its part of `ImageMetadata`, whose fields are in `image_info` of files; left out: none. */
  readonly imageMetadata?: "eg" | "jf" | "gf";
}

/** Width and height in the image, px. */
export interface ModuleSize {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** What is done about pixels at the borders of chips, which are twice as large as the others. */
export const DOUBLE_PIXELS = ["keep", "mask", "interpolate"] as const;

/** One of {@link DOUBLE_PIXELS}. */
export type DoublePixels = typeof DOUBLE_PIXELS[number];

const JUNGFRAU = {
  module: { width: 1024, height: 512 },
  moduleWithGaps: { width: 1030, height: 514 },
  bitDepths: [16],
  hasBunchIds: true,
  pixelPitch: 75e-6,
  nexusType: "pixel",
  imageMetadata: "jf",
} as const;

/** The detectors that a config can describe, by their `detector_type`. */
export const DETECTOR_FACTS = {
  // A half module: 512 × 256 px, and a gap of 2 px between its two chips.
  "eiger": {
    module: { width: 514, height: 256 },
    bitDepths: [4, 8, 16, 32],
    doublePixels: ["keep", "mask", "interpolate"],
    pixelPitch: 75e-6,
    counts: true,
    nexusType: "pixel",
    imageMetadata: "eg",
  },
  // A raw pixel cannot be shared: its charge has a pedestal, and its gain stage is among its bits.
  "jungfrau-raw": { ...JUNGFRAU, doublePixels: ["keep", "mask"] },
  "jungfrau-converted": { ...JUNGFRAU, doublePixels: ["keep", "mask", "interpolate"] },
  "moench": {
    module: { width: 400, height: 400 },
    bitDepths: [16],
    pixelPitch: 25e-6,
    nexusType: "pixel",
  },
  "gotthard2": { module: { width: 1280, height: 1 }, bitDepths: [16], nexusType: "strip" },
  // A strip has three counters, side by side in the image.
  "mythen3": {
    module: { width: 3840, height: 1 },
    bitDepths: [8, 16, 32],
    counts: true,
    nexusType: "strip",
  },
  "gigafrost": { bitDepths: [16], imageMetadata: "gf" },
  "pco": { bitDepths: [16] },
  "bsread": { bitDepths: [8, 16, 32] },
} as const satisfies Record<string, DetectorFacts>;

/** The detectors a config can describe. */
export const DETECTOR_TYPES = Object.keys(DETECTOR_FACTS) as (keyof typeof DETECTOR_FACTS)[]; // all of them

/** The facts about a kind of detector. */
export function detectorFacts(type: keyof typeof DETECTOR_FACTS): DetectorFacts {
  return DETECTOR_FACTS[type];
}
