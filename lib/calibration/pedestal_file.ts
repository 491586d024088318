/**
 * The file of a pedestal run.
 *
 * @module
 */
import { type ArrayFileContent, encodeArrayFile } from "../hdf5/mod.ts";
import type { RecordedStage, SkippedFrames } from "./dark_module.ts";
import { GAIN_STAGES } from "./gain_stages.ts";
import { type PedestalLimits, type PedestalMask, PIXEL_MASK_BITS } from "./pedestal_mask.ts";
import { CALIBRATION_DATASETS } from "./read_calibration.ts";

/** What was recorded of a module, and its mask. */
export interface ModulePedestals {
  /** G0, G1, G2. */
  readonly stages: readonly RecordedStage[];
  /** Which pixels are bad. */
  readonly mask: PedestalMask;
}

/** Where a pedestal file comes from. */
export interface PedestalProvenance {
  /** Name of the detector. */
  readonly detectorName: string;
  /** Its type in the config. */
  readonly detectorType: string;
  /** Frames left out after each change of gain. */
  readonly settle: number;
  /** Limits that the mask was made with. */
  readonly limits: PedestalLimits;
  /** File name of the detector config. */
  readonly configName: string;
  /** SHA-256 of the config file, hex. */
  readonly configSha256: string;
  /** Version of std-daq. */
  readonly version: string;
}

/** Columns of `/provenance/skipped_frames`. */
const SKIP_REASONS = [
  "incomplete",
  "overwritten",
  "otherGain",
  "settling",
] as const satisfies (keyof SkippedFrames)[];

/**
 * Encodes the pedestal file of a detector: docs/reference/pedestal-file.md. Modules are stacked in
 * the order of their numbers, each as its packets bring it.
 *
 * @param modules All modules of the detector.
 * @param rows Rows of a module, px.
 * @returns The bytes of an HDF5 file.
 * @throws {RangeError} If the modules are not all of this size.
 */
export function encodePedestalFile(
  modules: readonly ModulePedestals[],
  rows: number,
  provenance: PedestalProvenance,
): Uint8Array<ArrayBuffer> {
  const pixels = modules[0]?.mask.mask.length ?? 0;
  const columns = pixels / rows;
  const frames = modules[0]?.stages[0]?.imageIds.length ?? 0;
  const n = modules.length, stages = GAIN_STAGES.length;
  const means = new Float32Array(stages * n * pixels);
  const noises = new Float32Array(stages * n * pixels);
  const mask = new Uint32Array(n * pixels);
  const imageIds = new BigUint64Array(n * stages * frames);
  const skipped = new Uint32Array(n * stages * SKIP_REASONS.length);
  modules.forEach((module, m) => {
    mask.set(module.mask.mask, m * pixels);
    module.stages.forEach((stage, g) => {
      means.set(stage.pedestal.means, (g * n + m) * pixels);
      noises.set(stage.pedestal.noises, (g * n + m) * pixels);
      imageIds.set(stage.imageIds, (m * stages + g) * frames);
      skipped.set(
        SKIP_REASONS.map((reason) => stage.skipped[reason]),
        (m * stages + g) * SKIP_REASONS.length,
      );
    });
  });
  const map = { shape: [stages, n * rows, columns], attributes: MAP_ATTRIBUTES };
  const content: ArrayFileContent = {
    groups: { "/": ROOT_ATTRIBUTES, "/provenance": describe(modules, frames, provenance) },
    datasets: {
      [CALIBRATION_DATASETS.pedestal]: { data: means, ...map },
      [CALIBRATION_DATASETS.noises]: { data: noises, ...map },
      [CALIBRATION_DATASETS.pixelMask]: {
        data: mask,
        shape: [n * rows, columns],
        attributes: MASK_ATTRIBUTES,
      },
      "/provenance/image_ids": {
        data: imageIds,
        shape: [n, stages, frames],
        attributes: { axes: "module, gain, frame" },
      },
      "/provenance/skipped_frames": {
        data: skipped,
        shape: [n, stages, SKIP_REASONS.length],
        attributes: { axes: "module, gain, reason", reasons: SKIP_REASONS.join(",") },
      },
    },
  };
  return encodeArrayFile(content);
}

/** When the first and the last of the frames came that pedestals are made of. */
export function recordedSpan(
  modules: readonly ModulePedestals[],
): { started: Date; finished: Date } {
  const stages = modules.flatMap((module) => module.stages);
  const milliseconds = (ns: bigint): number => Number(ns / 1_000_000n);
  return {
    started: new Date(Math.min(...stages.map(({ firstNs }) => milliseconds(firstNs)))),
    finished: new Date(Math.max(...stages.map(({ lastNs }) => milliseconds(lastNs)))),
  };
}

const ROOT_ATTRIBUTES = { content: "std-daq pedestals", layout_version: 1n };
const MAP_ATTRIBUTES = { units: "ADU", axes: "gain, y, x" };
const MASK_ATTRIBUTES = {
  axes: "y, x",
  dead: BigInt(PIXEL_MASK_BITS.dead),
  noisy: BigInt(PIXEL_MASK_BITS.noisy),
  wrong_gain: BigInt(PIXEL_MASK_BITS.wrongGain),
};

function describe(
  modules: readonly ModulePedestals[],
  frames: number,
  provenance: PedestalProvenance,
): Record<string, string | number | bigint> {
  const { limits } = provenance;
  const { started, finished } = recordedSpan(modules);
  const sum = (count: (mask: PedestalMask) => number): bigint =>
    BigInt(modules.reduce((total, { mask }) => total + count(mask), 0));
  const ranges = limits.ranges.flatMap(([low, high], gain) => {
    const name = `limit_${GAIN_STAGES[gain]!.toLowerCase()}`;
    return [[`${name}_low`, low], [`${name}_high`, high]] as const;
  });
  return {
    detector_name: provenance.detectorName,
    detector_type: provenance.detectorType,
    modules: BigInt(modules.length),
    started: started.toISOString(),
    finished: finished.toISOString(),
    frames_per_gain: BigInt(frames),
    settle_frames: BigInt(provenance.settle),
    config_name: provenance.configName,
    config_sha256: provenance.configSha256,
    std_daq_version: provenance.version,
    ...Object.fromEntries(ranges),
    limit_noise: limits.noise,
    limit_wrong_gain: limits.wrongGain,
    masked_pixels: sum(({ masked }) => masked),
    dead_pixels: sum(({ reasons }) => reasons.dead),
    noisy_pixels: sum(({ reasons }) => reasons.noisy),
    wrong_gain_pixels: sum(({ reasons }) => reasons.wrongGain),
  };
}
