/**
 * Pedestal kernels with their arguments checked, once per call.
 *
 * @module
 */
import {
  checkRegions,
  checkWholeFrom,
  type KernelMemory,
  type NamedRegions,
  rowsRegion,
} from "./kernel_memory.ts";

/** Most frames of one {@link accumulatePedestal} call. */
export const PEDESTAL_BATCH = 16;

/** Most frames that can be accumulated in all without a sum overflowing. */
export const PEDESTAL_MOST_FRAMES: number = 2 ** 18;

/** Codes that a pixel's two highest bits can hold; a Jungfrau uses 0, 1 and 3 for G0, G1, G2. */
export type GainCode = 0 | 1 | 2 | 3;

/** Where the sums of a module's pixels are: addresses in the kernels' memory, all zeroed at first. */
export interface PedestalState {
  /** Sum of the charges, u32 per pixel. */
  readonly sums: number;
  /** Sum of their squares, u64 per pixel. */
  readonly squares: number;
  /** Frames in which the pixel had another gain, u32 per pixel. */
  readonly wrong: number;
  /** Pixels. */
  readonly pixels: number;
}

/** Frames to accumulate: `count` of them, the first at `at`, `stride` bytes from one to the next. */
export interface PedestalFrames {
  /** Address of the first frame. */
  readonly at: number;
  /** Bytes from one frame to the next, at least those of a frame; at least 1 where there is but one. */
  readonly stride: number;
  /** How many, 1 to {@link PEDESTAL_BATCH}. */
  readonly count: number;
}

/**
 * Adds dark frames of one gain to the sums. A pixel of another gain adds nothing and is counted as
 * wrong. The formula and the limits are on top of `assembly/pedestal.ts`.
 *
 * @throws {RangeError} If the number of frames or the gain is not allowed, or the regions do not fit.
 */
export function accumulatePedestal(
  on: KernelMemory,
  { at, stride, count }: PedestalFrames,
  gain: GainCode,
  state: PedestalState,
): void {
  if (!(Number.isInteger(count) && count >= 1 && count <= PEDESTAL_BATCH)) {
    throw new RangeError(`${count} frames at once; give 1 to ${PEDESTAL_BATCH}`);
  }
  if (![0, 1, 2, 3].includes(gain)) throw new RangeError(`gain code ${gain}; give 0 to 3`);
  checkWholeFrom(1, { stride });
  const { sums, squares, wrong, pixels } = state;
  const frames = rowsRegion(at, count, stride, 2 * pixels);
  checkRegions(on, { frames }, regionsOf(state));
  on.kernels.accumulatePedestal(at, stride, count, gain, sums, squares, wrong, pixels);
}

/**
 * Computes mean and RMS of every pixel from the sums: f32, ADU; NaN where no frame had the gain.
 *
 * @param count Frames that were accumulated.
 * @param means Address of the means, f32 per pixel.
 * @param noises Address of the RMS values, f32 per pixel.
 * @throws {RangeError} If there were no or too many frames, or the regions do not fit.
 */
export function finishPedestal(
  on: KernelMemory,
  state: PedestalState,
  count: number,
  means: number,
  noises: number,
): void {
  if (!(Number.isInteger(count) && count >= 1 && count <= PEDESTAL_MOST_FRAMES)) {
    throw new RangeError(`pedestal of ${count} frames; give 1 to ${PEDESTAL_MOST_FRAMES}`);
  }
  const { sums, squares, wrong, pixels } = state;
  checkRegions(on, regionsOf(state), {
    "means": { at: means, bytes: 4 * pixels },
    "RMS values": { at: noises, bytes: 4 * pixels },
  });
  on.kernels.finishPedestal(sums, squares, wrong, count, means, noises, pixels);
}

/**
 * Counts a frame's pixels by their gain code.
 *
 * @param at Address of the frame, u16 per pixel.
 * @param counts Address of 16 bytes for the result.
 * @returns Pixels of the codes 0, 1, 2 and 3.
 * @throws {RangeError} If the regions do not fit.
 */
export function countGains(
  on: KernelMemory,
  at: number,
  pixels: number,
  counts: number,
): [number, number, number, number] {
  checkWholeFrom(0, { pixels });
  checkRegions(on, { frame: { at, bytes: 2 * pixels } }, { counts: { at: counts, bytes: 16 } });
  on.kernels.countGains(at, pixels, counts);
  const view = new DataView(on.memory.buffer, counts, 16);
  const count = (code: GainCode): number => view.getUint32(4 * code, true);
  return [count(0), count(1), count(2), count(3)];
}

function regionsOf({ sums, squares, wrong, pixels }: PedestalState): NamedRegions {
  checkWholeFrom(0, { pixels });
  return {
    "sums": { at: sums, bytes: 4 * pixels },
    "squares": { at: squares, bytes: 8 * pixels },
    "wrong gains": { at: wrong, bytes: 4 * pixels },
  };
}
