import { CHARGE_BITS, LARGEST_CHARGE } from "../kernels/mod.ts";
import { fillDark } from "./dark.ts";
import { type RandomStream, randomStream } from "./random.ts";
import type { Simulation } from "./simulation.ts";

/** What simulated images can show. */
export const PATTERNS = ["flat", "ramp", "module-id", "photons", "gain", "dark"] as const;

/** One of {@link PATTERNS}. */
export type Pattern = typeof PATTERNS[number];

/** Pixels as a detector sends them. */
export type RawPixels = Uint8Array | Uint16Array | Uint32Array;

/** A Jungfrau's response: charge = pedestal + slope × energy in keV, up to the stage's limit. */
const GAIN_STAGES = [
  { code: 0, pedestal: 2800, slope: 41, limitKeV: 300 },
  { code: 1, pedestal: 15000, slope: -1.44, limitKeV: 8000 },
  { code: 3, pedestal: 14500, slope: -0.107, limitKeV: 110000 },
] as const;

const PHOTON_KEV = 12.4;
const FLAT_COUNTS = 100;
const BACKGROUND_PHOTONS = 1;
const SPOTS_PER_FRAME = 60;

/**
 * Fills a module's frame.
 *
 * @param simulation What to show.
 * @param module The module.
 * @param source Which of the distinct images.
 * @param pixels The frame: rows × chips × runPixels, in the order they are sent.
 */
export function fillFrame(
  simulation: Simulation,
  module: number,
  source: number,
  pixels: RawPixels,
): void {
  const { detector, layout, pattern, seed } = simulation;
  const width = layout.chips * layout.runPixels;
  const bits = layout.packedBits ?? 8 * layout.pixelBytes;
  const { saturatedCount = 2 ** bits - 1 } = layout;
  const largest = detector.gainSwitching ? LARGEST_CHARGE : saturatedCount;
  switch (pattern) {
    case "flat":
      pixels.fill(
        detector.gainSwitching ? GAIN_STAGES[0].pedestal : Math.min(FLAT_COUNTS, largest),
      );
      break;
    case "ramp":
      fillRamp(pixels, width, 101 * source + 1009 * module, largest);
      break;
    case "module-id":
      pixels.fill((module + 1) & largest);
      break;
    case "photons":
      fillPhotons(
        pixels,
        width,
        randomStream(seed, module, source, 1),
        largest,
        detector.gainSwitching,
      );
      break;
    case "gain":
      fillGains(pixels, randomStream(seed, module, source, 2));
      break;
    case "dark":
      fillDark(simulation, module, source, pixels);
      break;
  }
}

/** Every pixel differs from its neighbours, and every image and module from the others. */
function fillRamp(pixels: RawPixels, width: number, offset: number, largest: number): void {
  for (let i = 0; i < pixels.length; i++) {
    const y = Math.floor(i / width);
    pixels[i] = (7 * (i - y * width) + 13 * y + offset) % (largest + 1);
  }
}

/** A Poisson background with Bragg-like spots on it. */
function fillPhotons(
  pixels: RawPixels,
  width: number,
  random: RandomStream,
  largest: number,
  gainSwitching: boolean,
): void {
  const background = poissonTable(BACKGROUND_PHOTONS);
  for (let i = 0; i < pixels.length; i++) {
    const bits = random.bits();
    const photons = background[bits >>> 20]!;
    pixels[i] = gainSwitching ? noisyCharge(photons, bits) : photons;
  }
  const height = pixels.length / width;
  for (let spot = 0; spot < SPOTS_PER_FRAME; spot++) {
    const x0 = random.unit() * width, y0 = random.unit() * height;
    const peak = 20 * 10 ** (2.5 * random.unit()); // 20 to 6300 photons
    const sigma = 0.8 + random.unit();
    for (let y = Math.max(0, Math.ceil(y0 - 5)); y < Math.min(height, y0 + 5); y++) {
      for (let x = Math.max(0, Math.ceil(x0 - 5)); x < Math.min(width, x0 + 5); x++) {
        const r2 = (x - x0) ** 2 + (y - y0) ** 2;
        const photons = Math.round(peak * Math.exp(-r2 / (2 * sigma ** 2)));
        const at = y * width + x;
        if (photons === 0) continue;
        pixels[at] = gainSwitching
          ? noisyCharge(photons, random.bits())
          : Math.min(largest, pixels[at]! + photons);
      }
    }
  }
}

/** Energies of which 70 % stay in the first gain stage, 20 % in the second, 10 % in the third. */
function fillGains(pixels: RawPixels, random: RandomStream): void {
  const [first, second, third] = GAIN_STAGES;
  const between = (low: number, high: number): number => low + (high - low) * random.unit();
  for (let i = 0; i < pixels.length; i++) {
    const stage = random.unit();
    pixels[i] = gainSwitchedPixel(
      stage < 0.7
        ? between(0, first.limitKeV)
        : stage < 0.9
        ? between(first.limitKeV, second.limitKeV)
        : between(second.limitKeV, third.limitKeV),
    );
  }
}

function noisyCharge(photons: number, bits: number): number {
  return gainSwitchedPixel(photons * PHOTON_KEV) + (bits & 15) - 8;
}

/** A pixel as a gain switching detector reads it: gain code in bits 14 and 15, charge below. */
function gainSwitchedPixel(keV: number): number {
  const stage = GAIN_STAGES.find(({ limitKeV }) => keV <= limitKeV) ?? GAIN_STAGES[2];
  const charge = Math.round(stage.pedestal + stage.slope * Math.min(keV, stage.limitKeV));
  return stage.code << CHARGE_BITS | Math.max(16, Math.min(LARGEST_CHARGE - 16, charge));
}

/** Poisson-distributed counts for 4096 equally likely draws. */
function poissonTable(mean: number): Uint16Array {
  const table = new Uint16Array(4096);
  let count = 0, term = Math.exp(-mean), cumulative = term;
  for (let i = 0; i < table.length; i++) {
    while ((i + 0.5) / table.length > cumulative) {
      count++;
      term *= mean / count;
      cumulative += term;
    }
    table[i] = count;
  }
  return table;
}
