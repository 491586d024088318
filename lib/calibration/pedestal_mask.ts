/**
 * Which pixels cannot be used, by their pedestals.
 *
 * @module
 */
import { GAIN_STAGES } from "./gain_stages.ts";
import type { StagePedestal } from "./pedestal_accumulator.ts";

/**
 * Bits of a pixel mask; 0 is a good pixel. Dead and noisy are NeXus' (NXdetector `pixel_mask`), wrong
 * gain is a bit that NeXus leaves free.
 */
export const PIXEL_MASK_BITS = { dead: 1 << 1, noisy: 1 << 4, wrongGain: 1 << 9 } as const;

/** A reason for masking a pixel. */
export type MaskReason = keyof typeof PIXEL_MASK_BITS;

/** Lowest and highest mean of a working pixel, ADU. */
export type PedestalRange = readonly [low: number, high: number];

/** When a pixel is bad; a pixel that is bad in one gain is bad. */
export interface PedestalLimits {
  /**
   * Dead: its mean lies outside, or its RMS is 0. ADU, of G0, G1 and G2. Default
   * {@link DEFAULT_PEDESTAL_LIMITS}: wide, as pedestals depend on the module and on exposure times.
   */
  readonly ranges: readonly [PedestalRange, PedestalRange, PedestalRange];
  /** Noisy: its RMS is more than so many times the median of the module's pixels in this gain. */
  readonly noise: number;
  /** Wrong gain: it had another gain than the forced one in more than this share of the frames. */
  readonly wrongGain: number;
}

/**
 * Limits for a Jungfrau: charge grows with light in G0 and falls from a high pedestal in G1 and G2;
 * 5 times the usual noise; one frame in a hundred.
 */
export const DEFAULT_PEDESTAL_LIMITS: PedestalLimits = {
  ranges: [[500, 10_000], [8000, 16_300], [8000, 16_300]],
  noise: 5,
  wrongGain: 0.01,
};

/** A module's mask. */
export interface PedestalMask {
  /** {@link PIXEL_MASK_BITS} of every pixel, 0 for good ones. */
  readonly mask: Uint32Array<ArrayBuffer>;
  /** Pixels by reason; one that is bad for several reasons counts for each. */
  readonly reasons: Readonly<Record<MaskReason, number>>;
  /** Pixels that are masked. */
  readonly masked: number;
  /** Median RMS in G0, G1, G2, ADU; NaN where no pixel had the gain. */
  readonly medianNoises: readonly number[];
}

/**
 * Makes a module's mask.
 *
 * @param stages Its pedestals in G0, G1, G2.
 * @throws {RangeError} If the limits make no sense, or there are not three stages of equal size.
 */
export function makePedestalMask(
  stages: readonly StagePedestal[],
  limits: PedestalLimits = DEFAULT_PEDESTAL_LIMITS,
): PedestalMask {
  checkPedestalLimits(limits);
  const pixels = stages[0]?.means.length ?? 0;
  if (
    stages.length !== GAIN_STAGES.length ||
    stages.some(({ means, noises, wrong }) =>
      [means, noises, wrong].some(({ length }) => length !== pixels)
    )
  ) {
    throw new RangeError("a mask needs the pedestals of G0, G1 and G2, of the same pixels");
  }
  const mask = new Uint32Array(pixels);
  const medianNoises = stages.map((stage, i) => markStage(mask, stage, limits, limits.ranges[i]!));
  const reasons = { dead: 0, noisy: 0, wrongGain: 0 };
  let masked = 0;
  for (const bits of mask) {
    if (bits === 0) continue;
    masked++;
    if (bits & PIXEL_MASK_BITS.dead) reasons.dead++;
    if (bits & PIXEL_MASK_BITS.noisy) reasons.noisy++;
    if (bits & PIXEL_MASK_BITS.wrongGain) reasons.wrongGain++;
  }
  return { mask, reasons, masked, medianNoises };
}

/** Marks the pixels that are bad in one gain; returns the median of the RMS values. */
function markStage(
  mask: Uint32Array,
  { means, noises, wrong, frames }: StagePedestal,
  { noise, wrongGain }: PedestalLimits,
  [low, high]: PedestalRange,
): number {
  const medianNoise = median(noises);
  const noisiest = noise * medianNoise, mostWrong = wrongGain * frames;
  for (let i = 0; i < mask.length; i++) {
    const mean = means[i]!, rms = noises[i]!;
    // Comparisons with NaN (a pixel that never had the gain) are false: that is no death.
    if (mean < low || mean > high || rms === 0) mask[i]! |= PIXEL_MASK_BITS.dead;
    if (rms > noisiest) mask[i]! |= PIXEL_MASK_BITS.noisy;
    if (wrong[i]! > mostWrong) mask[i]! |= PIXEL_MASK_BITS.wrongGain;
  }
  return medianNoise;
}

/** The middle value, NaN left out; of an even number of values the upper of the middle two. */
function median(values: Float32Array): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/**
 * Checks that limits make sense.
 *
 * @throws {RangeError} If they do not.
 */
export function checkPedestalLimits({ ranges, noise, wrongGain }: PedestalLimits): void {
  ranges.forEach(([low, high], stage) => {
    if (low < high) return;
    throw new RangeError(
      `pedestals of ${
        GAIN_STAGES[stage]
      } from ${low} to ${high} ADU; give a lower and a higher limit`,
    );
  });
  if (!(noise > 1)) {
    throw new RangeError(`noise limit ${noise} × the median; give more than 1`);
  }
  if (!(wrongGain >= 0 && wrongGain < 1)) {
    throw new RangeError(`share of frames with a wrong gain ${wrongGain}; give 0 to below 1`);
  }
}
