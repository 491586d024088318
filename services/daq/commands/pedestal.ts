import {
  Command,
  type CommandUnknownOpts,
  InvalidArgumentError,
} from "@commander-js/extra-typings";
import { createHash } from "node:crypto";
import { basename, dirname, resolve } from "node:path";
import type {
  ModulePedestals,
  PedestalLimits,
  PedestalRange,
  PedestalRun,
} from "../../../lib/calibration/mod.ts";
import { type DetectorConfig, loadConfig } from "../../../lib/config/mod.ts";
import { parseInteger, usage, UsageError, VERSION } from "../../../lib/service/mod.ts";
import { askAssembler } from "../calibration_client.ts";
import type { DaqContext } from "../context.ts";
import { DrawnLine } from "../drawn_line.ts";
import {
  commandControl,
  type GainControl,
  operatorControl,
  simulatorControl,
} from "../forced_gain.ts";
import { bar } from "../format.ts";
import { type PedestalReport, pedestalReport, reportText } from "../pedestal_report.ts";

const GAINS = [0, 1, 2] as const;
const DEFAULT_FRAMES = 1_000;
const DEFAULT_SETTLE = 20;
const DEFAULT_TIMEOUT_S = 60;
const DEFAULT_GAIN_TIMEOUT_S = 60;
const MOST_FRAMES = 2 ** 18;
/** Frames that the simulator sends of each gain beyond those that are needed. */
const SPARE_FRAMES = 20;
const FILE_MODE = 0o644;

/** `daq pedestal`: dark frames of G0, G1 and G2 → pedestals, noise and mask, in a file. */
export function pedestalCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("pedestal")
    .description(
      "Record dark frames with G0, G1 and G2 forced, and write pedestals, noise and pixel mask. " +
        "Needs running receivers (daq run); writing goes on undisturbed.",
    )
    .argument("<config>", "detector config, a JSON file")
    .option(
      "--frames <n>",
      "frames of each gain and module",
      parseInteger(2, MOST_FRAMES),
      DEFAULT_FRAMES,
    )
    .option(
      "--settle <n>",
      "frames to leave out after each change of gain",
      parseInteger(0),
      DEFAULT_SETTLE,
    )
    .option(
      "--gain-command <command>",
      "program and arguments that force a gain; {gain} becomes 0, 1, 2 (default: you are told)",
    )
    .option(
      "--gain-timeout <s>",
      "longest time for it to force a gain; then it is ended, with all that it has started",
      parseInteger(1, 86_400),
      DEFAULT_GAIN_TIMEOUT_S,
    )
    .option("--simulate", "have udp_simulator play the detector")
    .option("--simulator-options <options>", "more options for it, e.g. '--dead-pixels 5'")
    .option("--output <file>", "file to write (default: <detector>_pedestal_<time>.h5 here)")
    .option("--overwrite", "replace the file if it is there")
    .option(
      "--apply",
      "then have the next images made with it; the file goes beside the config's pedestal by default",
    )
    .option(
      "--timeout <s>",
      "longest time without a new frame of the gain that is waited for",
      parseInteger(1, 86_400),
      DEFAULT_TIMEOUT_S,
    )
    .option(
      "--pedestal-range <gain:low:high>",
      "means outside are dead pixels, ADU; may be repeated (default: 0:500:10000, 1 and 2:8000:16300)",
      parseRange,
      [] as GainRange[],
    )
    .option(
      "--noise-limit <x>",
      "noisy: RMS above so many times the median (default: 5)",
      parseReal,
    )
    .option(
      "--wrong-gain-limit <share>",
      "wrong gain: in more than this share of the frames (default: 0.01)",
      parseReal,
    )
    .option("--json", "print one line of JSON")
    .action(async (configPath, options) => {
      const { frames, settle, gainCommand, simulate, simulatorOptions } = options;
      if (simulate && gainCommand !== undefined) {
        throw new UsageError("--simulate and --gain-command exclude each other: choose one");
      }
      if (!simulate && simulatorOptions !== undefined) {
        throw new UsageError("--simulator-options go with --simulate: add it, or leave them out");
      }
      const path = resolve(configPath);
      const { config } = await loadConfig(path);
      // Whether there is somebody to apply it is better known before than after.
      if (options.apply) await askAssembler(config, { command: "status" }, context);
      const startControl = (tell: (text: string) => void): GainControl =>
        simulate
          ? simulatorControl(config, {
            configPath: path,
            framesPerGain: frames + settle + SPARE_FRAMES,
            options: simulatorOptions?.split(/\s+/).filter((word) => word !== "") ?? [],
          })
          : gainCommand === undefined
          ? operatorControl(tell)
          : commandControl(gainCommand, options.gainTimeout * 1_000, context.signal);
      const report = await takePedestals(context, config, {
        configPath: path,
        frames,
        settle,
        timeoutMs: options.timeout * 1_000,
        output: resolve(options.output ?? defaultOutput(config, new Date(), options.apply)),
        overwrite: options.overwrite ?? false,
        limits: (defaults) => ({
          ranges: withRanges(defaults.ranges, options.pedestalRange),
          noise: options.noiseLimit ?? defaults.noise,
          wrongGain: options.wrongGainLimit ?? defaults.wrongGain,
        }),
        startControl,
      });
      if (options.apply) report.calibration_id = await apply(context, config, report.file);
      context.out(options.json ? JSON.stringify(report) + "\n" : reportText(report));
    });
}

/** What a pedestal run was told. */
interface PedestalOptions {
  configPath: string;
  frames: number;
  settle: number;
  timeoutMs: number;
  /** Absolute. */
  output: string;
  overwrite: boolean;
  limits(defaults: PedestalLimits): PedestalLimits;
  startControl(tell: (text: string) => void): GainControl;
}

async function takePedestals(
  context: DaqContext,
  config: DetectorConfig,
  options: PedestalOptions,
): Promise<PedestalReport> {
  // System calls are for this command only: `daq status` and the like run without FFI.
  const calibration = await import("../../../lib/calibration/mod.ts");
  const { detectorFor } = await import("../../../lib/detector/mod.ts");
  const { configPath, frames, settle, output, overwrite } = options;
  const limits = options.limits(calibration.DEFAULT_PEDESTAL_LIMITS);
  const configBytes = await Deno.readFile(configPath);
  await checkOutput(output, overwrite);
  using run = await usage(() => {
    calibration.checkPedestalLimits(limits);
    return new calibration.PedestalRun(config, { frames, settle });
  });
  await recordAll(context, run, options);
  const modules = run.recorded().map((stages): ModulePedestals => ({
    stages,
    mask: calibration.makePedestalMask(stages.map(({ pedestal }) => pedestal), limits),
  }));
  const bytes = calibration.encodePedestalFile(
    modules,
    detectorFor(config).moduleLayout(config).rows,
    {
      detectorName: config.detector_name,
      detectorType: config.detector_type,
      settle,
      limits,
      configName: basename(configPath),
      configSha256: createHash("sha256").update(configBytes).digest("hex"),
      version: VERSION,
    },
  );
  const { writeWholeFile } = await import("../../../lib/os/mod.ts");
  writeWholeFile(output, bytes, { overwrite, mode: FILE_MODE });
  const { started, finished } = calibration.recordedSpan(modules);
  return pedestalReport(modules, {
    file: output,
    detector: config.detector_name,
    frames_per_gain: frames,
    started: started.toISOString(),
    finished: finished.toISOString(),
  });
}

/** Records G0, G1 and G2, whatever forces them. */
async function recordAll(
  context: DaqContext,
  run: PedestalRun,
  { frames, timeoutMs, startControl }: PedestalOptions,
): Promise<void> {
  using line = new DrawnLine(context);
  await using control = startControl((text) => line.log(text));
  const signal = AbortSignal.any([context.signal, control.failed]);
  for (const gain of GAINS) {
    await control.force(gain);
    await run.record(gain, {
      timeoutMs,
      signal,
      onProgress: (done) =>
        line.draw(`G${gain} ${bar(done, frames, 40)} ${done}/${frames} frames of every module`),
    });
  }
}

/** Has the next images made with the file; returns the calibration's id. */
async function apply(context: DaqContext, config: DetectorConfig, file: string): Promise<string> {
  try {
    return (await askAssembler(config, { command: "load", file }, context)).calibration_id;
  } catch (error) {
    context.err(`${file} is written, but not in force\n`);
    throw error;
  }
}

/** Refuses what cannot be written before anything is recorded; writing it checks once more. */
async function checkOutput(path: string, overwrite: boolean): Promise<void> {
  const { checkWholeFile } = await import("../../../lib/os/mod.ts");
  checkWholeFile(path);
  if (overwrite) return;
  try {
    await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  throw new UsageError(`${path} is there already: choose another --output, or add --overwrite`);
}

/**
 * `<detector>_pedestal_20261125_201500.h5`, time in UTC: in this folder, or where the assembler may read.
 */
function defaultOutput(
  { detector_name, calibration }: DetectorConfig,
  now: Date,
  beside: boolean | undefined,
): string {
  const digits = now.toISOString().replaceAll(/[-:]/g, "");
  const name = `${detector_name}_pedestal_${digits.slice(0, 8)}_${digits.slice(9, 15)}.h5`;
  const former = [calibration?.pedestal].flat()[0];
  return beside && former !== undefined ? `${dirname(former)}/${name}` : name;
}

interface GainRange {
  gain: 0 | 1 | 2;
  range: PedestalRange;
}

function withRanges(
  defaults: PedestalLimits["ranges"],
  changes: readonly GainRange[],
): PedestalLimits["ranges"] {
  const of = (gain: 0 | 1 | 2): PedestalRange =>
    changes.findLast((change) => change.gain === gain)?.range ?? defaults[gain];
  return [of(0), of(1), of(2)];
}

function parseRange(text: string, previous: GainRange[]): GainRange[] {
  const match = /^([012]):(\d+):(\d+)$/.exec(text);
  const gain = GAINS.find((known) => String(known) === match?.[1]);
  if (match === null || gain === undefined) {
    throw new InvalidArgumentError("expected gain:low:high, e.g. 0:500:10000.");
  }
  return [...previous, { gain, range: [Number(match[2]), Number(match[3])] }];
}

function parseReal(text: string): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError("expected a number.");
}
