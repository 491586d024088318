/**
 * Sums of one module's dark frames, on the way to its pedestals.
 *
 * @module
 */
import {
  accumulatePedestal,
  countGains,
  finishPedestal,
  type GainCode,
  type KernelMemory,
  kernelMemory,
  PEDESTAL_BATCH,
  type PedestalState,
} from "../kernels/mod.ts";
import { SharedMemory } from "../ring/mod.ts";

/** Bytes that keep the frames of a batch from sharing sets of the cache. */
const SKEW_BYTES = 192;

/** Pedestal of a module's pixels in one gain. */
export interface StagePedestal {
  /** Mean of the frames with the right gain, ADU; NaN for pixels that had none. */
  readonly means: Float32Array<ArrayBuffer>;
  /** RMS about the mean, ADU; NaN likewise. */
  readonly noises: Float32Array<ArrayBuffer>;
  /** Frames in which the pixel had another gain. */
  readonly wrong: Uint32Array<ArrayBuffer>;
  /** Frames taken. */
  readonly frames: number;
}

/**
 * Sums dark frames of one module. Each frame is copied once, to {@link place}; whether it counts is
 * decided afterwards, so that one which was overwritten while being copied leaves no trace.
 *
 * Needs 16 frames and 24 bytes per pixel of memory: 28 MiB for a Jungfrau module.
 */
export class PedestalAccumulator {
  readonly #pixels: number;
  readonly #memory: SharedMemory;
  readonly #on: KernelMemory;
  readonly #framesAt: number;
  readonly #stride: number;
  readonly #state: PedestalState;
  readonly #means: number;
  readonly #noises: number;
  readonly #counts: number;
  #code: GainCode = 0;
  /** Frames of the batch that count, and have not been summed yet. */
  #staged = 0;
  #frames = 0;

  /**
   * Reserves the memory.
   *
   * @param pixels Pixels of the module.
   */
  constructor(pixels: number) {
    this.#pixels = pixels;
    this.#stride = 2 * pixels + SKEW_BYTES;
    this.#memory = new SharedMemory(PEDESTAL_BATCH * this.#stride + 24 * pixels + 1024);
    this.#on = kernelMemory(this.#memory.memory);
    this.#framesAt = this.#memory.allocate(PEDESTAL_BATCH * this.#stride);
    this.#state = {
      sums: this.#memory.allocate(4 * pixels),
      squares: this.#memory.allocate(8 * pixels),
      wrong: this.#memory.allocate(4 * pixels),
      pixels,
    };
    this.#means = this.#memory.allocate(4 * pixels);
    this.#noises = this.#memory.allocate(4 * pixels);
    this.#counts = this.#memory.allocate(16);
  }

  /** Frames that count so far. */
  get frames(): number {
    return this.#frames;
  }

  /** Where the next frame is to be copied: u16 pixels as they were received. */
  get place(): Uint8Array {
    const at = this.#placeAt();
    return this.#memory.u8.subarray(at, at + 2 * this.#pixels);
  }

  /** Forgets everything; the frames to come have the gain code `code`. */
  begin(code: GainCode): void {
    const { sums, squares, wrong } = this.#state;
    this.#memory.u8.fill(0, sums, sums + 4 * this.#pixels);
    this.#memory.u8.fill(0, squares, squares + 8 * this.#pixels);
    this.#memory.u8.fill(0, wrong, wrong + 4 * this.#pixels);
    this.#code = code;
    this.#staged = 0;
    this.#frames = 0;
  }

  /** The gain code that most pixels of the frame in {@link place} have. */
  dominantCode(): GainCode {
    const counts = countGains(this.#on, this.#placeAt(), this.#pixels, this.#counts);
    const codes: GainCode[] = [0, 1, 2, 3];
    return codes.reduce((best, code) => counts[code] > counts[best] ? code : best);
  }

  /** Counts the frame in {@link place}. */
  accept(): void {
    this.#frames++;
    if (++this.#staged === PEDESTAL_BATCH) this.#sum();
  }

  /**
   * The pedestals of the frames since {@link begin}.
   *
   * @throws {RangeError} If there were none, or more than 2¹⁸.
   */
  finish(): StagePedestal {
    if (this.#staged > 0) this.#sum();
    finishPedestal(this.#on, this.#state, this.#frames, this.#means, this.#noises);
    const { buffer } = this.#memory.memory;
    // Copies: the memory is used for the next gain.
    return {
      means: Float32Array.from(new Float32Array(buffer, this.#means, this.#pixels)),
      noises: Float32Array.from(new Float32Array(buffer, this.#noises, this.#pixels)),
      wrong: Uint32Array.from(new Uint32Array(buffer, this.#state.wrong, this.#pixels)),
      frames: this.#frames,
    };
  }

  #placeAt(): number {
    return this.#framesAt + this.#staged * this.#stride;
  }

  #sum(): void {
    const frames = { at: this.#framesAt, stride: this.#stride, count: this.#staged };
    accumulatePedestal(this.#on, frames, this.#code, this.#state);
    this.#staged = 0;
  }
}
