/**
 * A pedestal run: dark frames of all modules, gain by gain.
 *
 * @module
 */
import type { DetectorConfig } from "../config/mod.ts";
import { detectorFor } from "../detector/mod.ts";
import { PEDESTAL_MOST_FRAMES } from "../kernels/mod.ts";
import { frameRingName } from "../protocol/mod.ts";
import { DarkModule, type RecordedStage } from "./dark_module.ts";
import { GAIN_CODES, GAIN_STAGES, type GainIndex, stageOfCode } from "./gain_stages.ts";

/** How to record pedestals. */
export interface PedestalRunOptions {
  /** Frames of each gain and module, 2 to 2¹⁸. */
  readonly frames: number;
  /** Frames of each gain to leave out at first: they may not be settled. */
  readonly settle: number;
}

/** How to wait for the frames of a gain. */
export interface RecordOptions {
  /** Longest time in which an unfinished module may be without a new frame, ms. */
  readonly timeoutMs: number;
  /** Ends the recording: it throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told now and then how many frames every module has at least. */
  onProgress?(frames: number): void;
}

/** Frames did not come, or had another gain. */
export class PedestalTimeoutError extends Error {
  /** The class's name. */
  override readonly name = "PedestalTimeoutError";
}

/** Frames of a module that are looked at before it is another one's turn. */
const FRAMES_PER_TURN = 16;
/** Time until the next look when there was nothing, ms. */
const IDLE_MS = 2;
/** Modules that an error names. */
const NAMED_MODULES = 4;

/**
 * Records the pedestals of a detector from the frame rings of its receivers, whatever else reads
 * them. The frames of each gain may come in any order of gains: those of another one are left out.
 */
export class PedestalRun implements Disposable {
  readonly #options: PedestalRunOptions;
  readonly #rings: readonly string[];
  readonly #modules: readonly DarkModule[];
  readonly #recorded: Map<GainIndex, readonly RecordedStage[]> = new Map();

  /**
   * Reserves the memory.
   *
   * @throws {RangeError} If the detector does not switch gains, or the options are out of range.
   */
  constructor(config: DetectorConfig, options: PedestalRunOptions) {
    const { frames, settle } = options;
    const detector = detectorFor(config);
    if (!detector.gainSwitching) {
      throw new RangeError(
        `${config.detector_name} is of type ${config.detector_type}, which has no pedestals to take`,
      );
    }
    if (!(Number.isInteger(frames) && frames >= 2 && frames <= PEDESTAL_MOST_FRAMES)) {
      throw new RangeError(`${frames} frames of each gain; give 2 to ${PEDESTAL_MOST_FRAMES}`);
    }
    if (!(Number.isInteger(settle) && settle >= 0)) {
      throw new RangeError(`${settle} frames to settle; give 0 or more`);
    }
    const { rows, chips, runPixels } = detector.moduleLayout(config);
    const pixels = rows * chips * runPixels;
    this.#options = options;
    this.#rings = Array.from(
      { length: config.n_modules },
      (_, module) => frameRingName(config.detector_name, module),
    );
    this.#modules = this.#rings.map((ring) => new DarkModule({ ring, pixels, frames, settle }));
  }

  /** Frames of the current gain that every module has at least. */
  get frames(): number {
    return Math.min(...this.#modules.map(({ frames }) => frames));
  }

  /**
   * Records a gain, from frames published from now on.
   *
   * @throws {PedestalTimeoutError} If a module gets no frames of this gain for too long.
   * @throws {RingMismatchError} If a ring is not as the config says.
   */
  async record(gain: GainIndex, options: RecordOptions): Promise<readonly RecordedStage[]> {
    const { timeoutMs, signal, onProgress } = options;
    signal?.throwIfAborted();
    for (const module of this.#modules) module.begin(GAIN_CODES[gain]);
    const lastFrames = this.#modules.map(() => 0);
    const lastTimes = this.#modules.map(() => performance.now());
    while (!this.#modules.every(({ complete }) => complete)) {
      let busy = false;
      this.#modules.forEach((module, i) => {
        busy = module.poll(FRAMES_PER_TURN) || busy;
        if (module.frames === lastFrames[i] && !module.complete) return;
        lastFrames[i] = module.frames;
        lastTimes[i] = performance.now();
      });
      if (performance.now() - Math.min(...lastTimes) > timeoutMs) {
        throw new PedestalTimeoutError(this.#describeMissing(gain, timeoutMs));
      }
      onProgress?.(this.frames);
      await pause(busy ? 0 : IDLE_MS);
      signal?.throwIfAborted();
    }
    const recorded = this.#modules.map((module) => module.finish());
    this.#recorded.set(gain, recorded);
    return recorded;
  }

  /**
   * What was recorded: by module, then by gain.
   *
   * @throws {TypeError} If a gain has not been recorded.
   */
  recorded(): RecordedStage[][] {
    const gains: GainIndex[] = [0, 1, 2];
    const stages = gains.map((gain) => {
      const stage = this.#recorded.get(gain);
      if (stage === undefined) throw new TypeError(`${GAIN_STAGES[gain]} has not been recorded`);
      return stage;
    });
    return this.#modules.map((_, module) => stages.map((stage) => stage[module]!));
  }

  /** Detaches from the rings. */
  [Symbol.dispose](): void {
    for (const module of this.#modules) module[Symbol.dispose]();
  }

  #describeMissing(gain: GainIndex, timeoutMs: number): string {
    const behind = this.#modules
      .map((module, i) => ({ module, i }))
      .filter(({ module }) => !module.complete);
    const told = behind.slice(0, NAMED_MODULES).map(({ module, i }) =>
      `module ${i}: ${this.#describe(module, i)}`
    );
    const more = behind.length > NAMED_MODULES
      ? `; ${behind.length - NAMED_MODULES} more modules`
      : "";
    return `No dark frame of ${GAIN_STAGES[gain]} for ${timeoutMs / 1e3} s. ` +
      `${told.join("; ")}${more}.`;
  }

  #describe(module: DarkModule, i: number): string {
    const { frames, skipped, attached, lastCode } = module;
    const have = `${frames} of ${this.#options.frames} frames`;
    if (!attached) {
      return `${have}, and there is no ring ${this.#rings[i]}: start std_udp_recv (daq run)`;
    }
    const reasons = Object.entries({
      "of another gain": skipped.otherGain,
      "incomplete": skipped.incomplete,
      "overwritten": skipped.overwritten,
      "settling": skipped.settling,
    }).filter(([, n]) => n > 0).map(([why, n]) => `${n} ${why}`);
    if (reasons.length === 0) return `${have}, and none came: see whether the detector takes data`;
    const now = lastCode === undefined || skipped.otherGain === 0
      ? ""
      : `; the last one had ${stageOfCode(lastCode) ?? "the invalid gain code 2"}`;
    return `${have}, left out: ${reasons.join(", ")}${now}`;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
