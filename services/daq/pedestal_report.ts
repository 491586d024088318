import type { ModulePedestals, RecordedStage } from "../../lib/calibration/mod.ts";

const GAINS = [0, 1, 2] as const;

/** What a pedestal run came to; numbers of pixels are of all modules. */
export interface PedestalReport {
  file: string;
  detector: string;
  modules: number;
  frames_per_gain: number;
  started: string;
  finished: string;
  pixels: number;
  masked_pixels: number;
  dead_pixels: number;
  noisy_pixels: number;
  wrong_gain_pixels: number;
  /** Of each module: median RMS in G0, G1, G2, ADU. */
  median_rms: number[][];
  /** Frames left out, by reason: of all modules and gains. */
  skipped_frames: Record<string, number>;
  /** The calibration that the next images are made with, if the file was applied. */
  calibration_id?: string;
}

/** Sums a pedestal run up. */
export function pedestalReport(
  modules: readonly ModulePedestals[],
  known: Pick<
    PedestalReport,
    "file" | "detector" | "frames_per_gain" | "started" | "finished"
  >,
): PedestalReport {
  const masks = modules.map(({ mask }) => mask);
  const stages: RecordedStage[] = modules.flatMap(({ stages }) => stages);
  const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
    items.reduce((total, item) => total + value(item), 0);
  return {
    ...known,
    modules: modules.length,
    pixels: sum(masks, ({ mask }) => mask.length),
    masked_pixels: sum(masks, ({ masked }) => masked),
    dead_pixels: sum(masks, ({ reasons }) => reasons.dead),
    noisy_pixels: sum(masks, ({ reasons }) => reasons.noisy),
    wrong_gain_pixels: sum(masks, ({ reasons }) => reasons.wrongGain),
    median_rms: masks.map(({ medianNoises }) => [...medianNoises]),
    skipped_frames: {
      incomplete: sum(stages, ({ skipped }) => skipped.incomplete),
      overwritten: sum(stages, ({ skipped }) => skipped.overwritten),
      other_gain: sum(stages, ({ skipped }) => skipped.otherGain),
      settling: sum(stages, ({ skipped }) => skipped.settling),
    },
  };
}

/** What a pedestal run came to, in a few lines. */
export function reportText(report: PedestalReport): string {
  const { median_rms, skipped_frames, modules } = report;
  const noise = GAINS.map((gain) => {
    const values = median_rms.map((stages) => stages[gain] ?? NaN);
    const [low, high] = [Math.min(...values).toFixed(2), Math.max(...values).toFixed(2)];
    return `G${gain} ${low === high ? low : `${low} to ${high}`}`;
  });
  const skipped = Object.entries(skipped_frames)
    .map(([why, n]) => `${n} ${why.replaceAll("_", " ")}`);
  return `${report.file}: pedestals of ${modules} ${modules === 1 ? "module" : "modules"}, ` +
    `${report.frames_per_gain} frames of each gain\n` +
    `noise (median RMS, ADU): ${noise.join(", ")}\n` +
    `masked: ${report.masked_pixels} of ${report.pixels} pixels ` +
    `(${report.dead_pixels} dead, ${report.noisy_pixels} noisy, ` +
    `${report.wrong_gain_pixels} of wrong gain)\n` +
    `left out: ${skipped.join(", ")} frames\n` +
    (report.calibration_id === undefined ? "" : `in force: calibration ${report.calibration_id}\n`);
}
