/**
 * Reads a calibration from files: HDF5, or raw numbers.
 *
 * @module
 */
import { dirname } from "node:path";
import type { CalibrationConfig } from "../config/mod.ts";
import { ArrayFile, isHdf5 } from "../hdf5/mod.ts";
import { File } from "../os/mod.ts";
import {
  type CalibratedModule,
  type Calibration,
  GAIN_RANGE,
  makeCalibration,
  type MapProvenance,
  type ModulesShape,
  PEDESTAL_RANGE,
} from "./calibration.ts";
import { GAIN_STAGES } from "./gain_stages.ts";

/** A map's file, or one file per module, and the dataset in HDF5 files. */
export interface MapSource {
  /** Absolute path or paths. */
  readonly path: string | readonly string[];
  /** Dataset, such as `/gains`. Of no meaning for raw numbers. */
  readonly dataset: string;
}

/** What to read a calibration from. */
export interface CalibrationSources {
  /** [stage, row, column], ADU/keV; the original's files have it as `/gains`. */
  readonly gains: MapSource;
  /** [stage, row, column], ADU; `/pedestal`, or the original's `/gainsRMS`. */
  readonly pedestal: MapSource;
  /** [row, column], not 0: masked, besides the pixels that a pedestal file's own `/pixel_mask` masks. */
  readonly pixelMask?: MapSource;
  /** [stage, row, column], RMS about the pedestal, ADU; read only if asked for. */
  readonly noises?: MapSource;
  /** The detector is forced to high gain: of maps that have stages of it, these are read. */
  readonly highGain?: boolean;
}

/** Names of the datasets when nothing else is said: those of a pedestal file, and of gain files. */
export const CALIBRATION_DATASETS = {
  gains: "/gains",
  pedestal: "/pedestal",
  noises: "/pedestal_rms",
  pixelMask: "/pixel_mask",
} as const;

/**
 * Stages that maps may have, and which of them are those of high gain: G0, G1, G2, then HG0 alone or HG0,
 * HG1 and HG2, as the detector group's files have them. Three are those of the gain that is used.
 */
const HIGH_GAIN_STAGES: Readonly<Record<number, StageRange>> = {
  3: { first: 0, last: 2 },
  4: { first: 3, last: 3 },
  6: { first: 3, last: 5 },
};

/** Stages of a map that are read: three, or one that stands for all. */
interface StageRange {
  readonly first: number;
  readonly last: number;
}

/** Thrown when a file holds no map of the detector's size, or none that could be right. */
export class CalibrationError extends Error {
  /** The class's name. */
  override name = "CalibrationError";
}

/**
 * Reads and checks a calibration. A map is one file with all modules stacked in the order of their
 * numbers, [stage, modules × rows, columns], or one file per module, [stage, rows, columns]. Stages are
 * G0, G1 and G2; HG0, or HG0, HG1 and HG2, may follow. In files that are not HDF5 are float32 or float64
 * numbers of three stages (masks: u8 or u32), little endian, in that order.
 *
 * Pixels without usable gain or pedestal are masked and counted, see {@link makeCalibration}.
 *
 * @throws {CalibrationError} If a map has another size; the message has both. If no pixel has usable gains
 * and pedestals: the maps are others than what they are taken for.
 * @throws {ArrayFileError} If a dataset is missing.
 * @throws {OsError} ENOENT, EACCES, …
 * @throws {Deno.errors.NotCapable} If this process may not read a file.
 */
export function readCalibration(sources: CalibrationSources, shape: ModulesShape): Calibration {
  const { highGain = false } = sources;
  const gains = readMap(sources.gains, shape, { highGain });
  const pedestal = readMap(sources.pedestal, shape, { highGain });
  const { masks, provenance: pixelMasks } = readMasks(sources, shape);
  const maps = masks.map((mask, module): CalibratedModule => ({
    gains: gains.maps[module]!,
    pedestals: pedestal.maps[module]!,
    mask,
  }));
  const calibration = makeCalibration(shape, maps, {
    gains: gains.provenance,
    pedestal: pedestal.provenance,
    pixelMasks,
  });
  checkSomeUsable(calibration);
  if (sources.noises === undefined) return calibration;
  const noises = readMap(sources.noises, shape, { highGain });
  const pixels = shape.rows * shape.columns;
  return {
    ...calibration,
    firstNoises: noises.maps.map((map) => Float32Array.from(map.subarray(0, pixels))),
  };
}

/**
 * The calibration that sources describe, with another pedestal: an HDF5 file with all modules stacked.
 * Gains in it replace the former ones, its own mask that of the former pedestal. Files in which pedestals
 * are called `/gains`, as the sources say, have no gains. A file as daq pedestal writes it is read by its
 * own names, whatever the sources call them.
 *
 * @throws {CalibrationError} If it is no HDF5 file, or where this process may not read.
 * @throws {OsError} ENOENT, EACCES, …
 */
export function withPedestalFile(sources: CalibrationSources, path: string): CalibrationSources {
  if (!isHdf5Beside(sources, path)) {
    throw new CalibrationError(`${path} is no HDF5 file: give one as daq pedestal writes it`);
  }
  using file = new ArrayFile(path);
  const has = (dataset: string): boolean => file.shape(dataset) !== undefined;
  const { gains, pedestal, noises } = CALIBRATION_DATASETS;
  const dataset = has(pedestal) ? pedestal : sources.pedestal.dataset;
  const ours = dataset === pedestal && has(noises) ? { dataset: noises } : {};
  return {
    ...sources,
    ...(has(gains) && dataset !== gains ? { gains: { path, dataset: gains } } : {}),
    pedestal: { path, dataset },
    ...(sources.noises === undefined ? {} : { noises: { ...sources.noises, ...ours, path } }),
  };
}

/** Whether a file is HDF5; refuses one that is where no file of the sources is. */
function isHdf5Beside({ gains, pedestal }: CalibrationSources, path: string): boolean {
  try {
    return isHdf5File(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
    const folders = new Set(
      [gains, pedestal].flatMap((map) => map.path).map((file) => dirname(file)),
    );
    throw new CalibrationError(
      `${path} is not where calibrations may be read, in the folders of the config's ones: put it into ` +
        [...folders].join(" or "),
      { cause },
    );
  }
}

/**
 * The files that a config names.
 *
 * @param config The config's calibration.
 * @param highGain The detector is forced to high gain.
 */
export function calibrationSources(
  config: CalibrationConfig,
  highGain: boolean,
): CalibrationSources {
  const {
    gains,
    gains_dataset,
    pedestal,
    pedestal_dataset,
    pixel_mask,
    pixel_mask_dataset,
    pedestal_tracking,
  } = config;
  return {
    gains: { path: gains, dataset: gains_dataset },
    pedestal: { path: pedestal, dataset: pedestal_dataset },
    highGain,
    ...(pixel_mask === undefined
      ? {}
      : { pixelMask: { path: pixel_mask, dataset: pixel_mask_dataset } }),
    ...(pedestal_tracking === undefined
      ? {}
      : { noises: { path: pedestal, dataset: pedestal_tracking.noise_dataset } }),
  };
}

/** Bits of a masked pixel; a value that has none of the 32, such as 0.5, NaN or 2^40, masks as 1. */
function maskBits(value: number): number {
  return value === 0 ? 0 : value >>> 0 || 1;
}

/**
 * The masks of all modules: a pixel is masked if the mask of the sources says so, or the own one of the
 * pedestal file that it is in.
 */
function readMasks(
  { pedestal, pixelMask }: CalibrationSources,
  shape: ModulesShape,
): { masks: Uint32Array<ArrayBuffer>[]; provenance: MapProvenance[] } {
  const masks = Array.from(
    { length: shape.modules },
    () => new Uint32Array(shape.rows * shape.columns),
  );
  const provenance: MapProvenance[] = [];
  const add = (source: MapSource, modules: readonly Uint32Array[]): void => {
    const read = readMap(source, { ...shape, modules: modules.length });
    provenance.push(read.provenance);
    modules.forEach((mask, module) =>
      read.maps[module]!.forEach((value, i) => mask[i]! |= maskBits(value))
    );
  };
  if (pixelMask !== undefined) add(pixelMask, masks);
  const ofOne = typeof pedestal.path !== "string";
  const dataset = CALIBRATION_DATASETS.pixelMask;
  [pedestal.path].flat().forEach((path, i) => {
    if (hasDataset(path, dataset)) add({ path, dataset }, ofOne ? [masks[i]!] : masks);
  });
  return { masks, provenance };
}

/** Whether a file is HDF5 and has a dataset. */
function hasDataset(path: string, dataset: string): boolean {
  if (!isHdf5File(path)) return false;
  using file = new ArrayFile(path);
  return file.shape(dataset) !== undefined;
}

/** Refuses maps of which no pixel could be used: they are not what they were taken for. */
function checkSomeUsable(
  { modules, rows, columns, masked: { mask, gain, pedestal }, provenance }: Calibration,
): void {
  if (mask + gain + pedestal < modules * rows * columns) return;
  const named = ({ path, dataset = "" }: MapProvenance): string =>
    `${[path].flat().join(", ")} ${dataset}`.trim();
  throw new CalibrationError(
    `no pixel would have a value: ${mask} are masked, ${gain} have no usable gain in ` +
      `${named(provenance.gains)}, ${pedestal} no usable pedestal in ${
        named(provenance.pedestal)
      }: ` +
      `gains are ${GAIN_RANGE.least} to ${GAIN_RANGE.most} ADU/keV, up or down, pedestals ` +
      `${PEDESTAL_RANGE.least} to ${PEDESTAL_RANGE.most} ADU; see whether these are such maps`,
  );
}

interface ReadMap {
  maps: Float64Array<ArrayBuffer>[];
  provenance: MapProvenance;
}

/** Which stages of a map are read. */
interface StageChoice {
  readonly highGain: boolean;
}

/** Reads a map of all modules; without `choice`, one that has no stages. */
function readMap(source: MapSource, shape: ModulesShape, choice?: StageChoice): ReadMap {
  const { path, dataset } = source;
  if (typeof path === "string") {
    const hdf5 = isHdf5File(path);
    const stages = choice === undefined ? 0 : GAIN_STAGES.length;
    return {
      maps: hdf5
        ? readHdf5(path, dataset, shape, choice)
        : splitModules(readRaw(path, shape, stages), shape, stages),
      provenance: { path, dataset: hdf5 ? dataset : undefined },
    };
  }
  if (path.length !== shape.modules) {
    throw new CalibrationError(
      `${path.length} files for ${shape.modules} modules: give one for each, in their order, or one ` +
        "file with all modules",
    );
  }
  const one = { ...shape, modules: 1 };
  const parts = path.map((file) => readMap({ path: file, dataset }, one, choice));
  return {
    maps: parts.flatMap(({ maps }) => maps),
    provenance: { path, dataset: parts[0]?.provenance.dataset },
  };
}

/** How many numbers a dataset has; one that is a scalar has no dimension. */
function sizeText(shape: readonly number[]): string {
  return shape.length === 0 ? "one number" : `${shape.join(" × ")} numbers`;
}

function isHdf5File(path: string): boolean {
  // Asks Deno first: calls by FFI would go past the list of what this process may read.
  Deno.statSync(path);
  using file = File.open(path);
  return isHdf5(file);
}

function readHdf5(
  path: string,
  dataset: string,
  { modules, rows, columns }: ModulesShape,
  choice: StageChoice | undefined,
): Float64Array<ArrayBuffer>[] {
  using file = new ArrayFile(path);
  const found = file.shape(dataset);
  const stages = choice === undefined ? undefined : stagesOf(found?.[0], choice);
  const wanted = [...(stages === undefined ? [] : [stages.count]), modules * rows, columns];
  if (found !== undefined && found.join() !== wanted.join()) {
    throw new CalibrationError(
      `${path}: ${dataset} is ${sizeText(found)}, ${wanted.join(" × ")} are needed: ` +
        wantedShape(modules, rows, columns, stages?.count ?? 0),
    );
  }
  return Array.from({ length: modules }, (_, module) => {
    const ofModule: [number, number][] = [[module * rows, (module + 1) * rows], [0, columns]];
    if (stages === undefined) return file.numbers(dataset, ofModule);
    const { first, last } = stages;
    const numbers = file.numbers(dataset, [[first, last + 1], ...ofModule]);
    return first === last ? forAllStages(numbers) : numbers;
  });
}

/** How many stages a map is to have, by what it has, and which are read. */
function stagesOf(found: number | undefined, { highGain }: StageChoice): StageRange & {
  readonly count: number;
} {
  const switched = GAIN_STAGES.length;
  const count = found !== undefined && found in HIGH_GAIN_STAGES ? found : switched;
  return { count, ...HIGH_GAIN_STAGES[highGain ? count : switched]! };
}

/** One stage for all: in forced high gain no pixel switches. */
function forAllStages(stage: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const all = new Float64Array(GAIN_STAGES.length * stage.length);
  GAIN_STAGES.forEach((_, i) => all.set(stage, i * stage.length));
  return all;
}

/** All numbers of a raw file; their type follows from its size. */
function readRaw(
  path: string,
  { modules, rows, columns }: ModulesShape,
  stages: number,
): Float64Array<ArrayBuffer> {
  const count = Math.max(1, stages) * modules * rows * columns;
  const bytes = Deno.readFileSync(path);
  const view = new DataView(bytes.buffer);
  const read = stages === 0
    ? { 1: (i: number) => bytes[i]!, 4: (i: number) => view.getUint32(4 * i, true) }
    : {
      4: (i: number) => view.getFloat32(4 * i, true),
      8: (i: number) => view.getFloat64(8 * i, true),
    };
  for (const [size, at] of Object.entries(read)) {
    if (bytes.byteLength !== Number(size) * count) continue;
    return Float64Array.from({ length: count }, (_, i) => at(i));
  }
  const sizes = Object.keys(read).map((size) => Number(size) * count).join(" or ");
  throw new CalibrationError(
    `${path} is no HDF5 file and has ${bytes.byteLength} bytes, ${sizes} are needed: ` +
      wantedShape(modules, rows, columns, stages),
  );
}

/** Takes stacked modules apart. */
function splitModules(
  all: Float64Array<ArrayBuffer>,
  { modules, rows, columns }: ModulesShape,
  stages: number,
): Float64Array<ArrayBuffer>[] {
  const pixels = rows * columns, planes = Math.max(1, stages);
  return Array.from({ length: modules }, (_, module) => {
    const own = new Float64Array(planes * pixels);
    for (let plane = 0; plane < planes; plane++) {
      const from = (plane * modules + module) * pixels;
      own.set(all.subarray(from, from + pixels), plane * pixels);
    }
    return own;
  });
}

function wantedShape(modules: number, rows: number, columns: number, stages: number): string {
  const what = modules === 1 ? "one module" : `${modules} modules, stacked,`;
  const gains = stages === 0 ? "" : `${GAIN_STAGES.join(", ")}, and HG0 or HG0 to HG2 if any, of `;
  return `${gains}${what} of ${rows} rows and ${columns} columns`;
}
