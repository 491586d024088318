import { CHARGE_BITS, LARGEST_CHARGE } from "../kernels/mod.ts";
import { type RandomStream, randomStream } from "./random.ts";
import type { Simulation } from "./simulation.ts";

/** A gain stage that a detector can be forced into: G0, G1, G2. */
export type ForcedGain = 0 | 1 | 2;

/** Gain code of the stages, as a Jungfrau sends it in a pixel's two highest bits. */
export const FORCED_GAIN_CODES = [0, 1, 3] as const;

/** Kinds of bad pixels of a dark simulation, and how many of each a module has. */
export interface BadPixelCounts {
  /** By turns: always the same charge, or a pedestal of 100 ADU. */
  readonly dead: number;
  /** With 32 times the noise. */
  readonly noisy: number;
  /** With another gain code than the forced one in every second source image. */
  readonly wrongGain: number;
}

/** Positions of a module's bad pixels: indices row × columns + column. */
export type BadPixels = Readonly<Record<keyof BadPixelCounts, readonly number[]>>;

/** Pedestals in the middle, ADU. */
const PEDESTALS = [2800, 15_000, 14_500] as const;
/** A pixel's pedestal differs from that by up to this, ADU. */
const PEDESTAL_SPREAD = 200;
const LOW_PEDESTAL = 100;
const NOISY_SCALE = 32;

/**
 * Where a dark simulation's bad pixels are: a function of seed and module, no pixel twice.
 *
 * @param pixels Pixels of a module.
 */
export function badPixels(
  { seed, badPixels: { dead, noisy, wrongGain } }: Pick<Simulation, "seed" | "badPixels">,
  module: number,
  pixels: number,
): BadPixels {
  const random = randomStream(seed, module, 0, 5);
  const taken = new Set<number>();
  const draw = (count: number): number[] => {
    const drawn: number[] = [];
    while (drawn.length < count) {
      const pixel = Math.floor(random.unit() * pixels);
      if (taken.has(pixel)) continue;
      taken.add(pixel);
      drawn.push(pixel);
    }
    return drawn.sort((a, b) => a - b);
  };
  return { dead: draw(dead), noisy: draw(noisy), wrongGain: draw(wrongGain) };
}

/**
 * Fills a frame with what a detector without light sends, its gain forced: a pedestal per pixel and
 * gain, the same in every frame, and noise of 4 or 8 ADU (RMS).
 *
 * @param source Which of the distinct images: those of the first forced gain come first.
 */
export function fillDark(
  simulation: Simulation,
  module: number,
  source: number,
  pixels: Uint8Array | Uint16Array | Uint32Array,
): void {
  const { seed, gains, sourceImages } = simulation;
  const gain = gains[Math.floor(source / sourceImages)] ?? 0;
  const code = FORCED_GAIN_CODES[gain];
  const fixed = randomStream(seed, module, gain, 3);
  const noise = randomStream(seed, module, source % sourceImages, 4 + 16 * gain);
  for (let i = 0; i < pixels.length; i++) {
    const own = fixed.bits();
    pixels[i] = code << CHARGE_BITS | PEDESTALS[gain] + spread(own) + draw(noise) * (1 + (own & 1));
  }
  const bad = badPixels(simulation, module, pixels.length);
  const level = (pixel: number): number => pixels[pixel]! & LARGEST_CHARGE;
  bad.dead.forEach((pixel, i) => {
    const charge = i % 2 === 0 ? PEDESTALS[gain] : LOW_PEDESTAL + (level(pixel) & 7);
    pixels[pixel] = code << CHARGE_BITS | charge;
  });
  for (const pixel of bad.noisy) {
    pixels[pixel] = code << CHARGE_BITS | PEDESTALS[gain] + draw(noise) * NOISY_SCALE;
  }
  if (source % 2 === 0) return;
  const otherCode = code === 0 ? 1 : 0;
  for (const pixel of bad.wrongGain) pixels[pixel] = otherCode << CHARGE_BITS | level(pixel);
}

/** A pixel's distance from the middle pedestal, ADU. */
function spread(bits: number): number {
  return (bits >>> 8) % (2 * PEDESTAL_SPREAD + 1) - PEDESTAL_SPREAD;
}

/** Noise: the sum of three uniform numbers, from −10 to 11, with an RMS of 4. */
function draw(random: RandomStream): number {
  const bits = random.bits();
  return (bits >>> 20 & 7) + (bits >>> 12 & 7) + (bits >>> 4 & 7) - 10;
}
