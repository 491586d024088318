/**
 * Reads a calibration from files: HDF5, or raw numbers.
 *
 * @module
 */
import type { CalibrationConfig } from "../config/mod.ts";
import { ArrayFile, isHdf5 } from "../hdf5/mod.ts";
import { File } from "../os/mod.ts";
import {
  type CalibratedModule,
  type Calibration,
  makeCalibration,
  type MapProvenance,
  type ModulesShape,
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
  /** [row, column], not 0: masked. Left out, the pedestal file's `/pixel_mask` if it has one. */
  readonly pixelMask?: MapSource;
  /** [stage, row, column], RMS about the pedestal, ADU; read only if asked for. */
  readonly noises?: MapSource;
}

/** Names of the datasets when nothing else is said: those of a pedestal file, and of gain files. */
export const CALIBRATION_DATASETS = {
  gains: "/gains",
  pedestal: "/pedestal",
  pixelMask: "/pixel_mask",
} as const;

/** Thrown when a file holds no map of the detector's size. */
export class CalibrationError extends Error {
  /** The class's name. */
  override name = "CalibrationError";
}

/**
 * Reads and checks a calibration. A map is one file with all modules stacked in the order of their
 * numbers, [stage, modules × rows, columns], or one file per module, [stage, rows, columns]. In files
 * that are not HDF5 are float32 or float64 numbers (masks: u8 or u32), little endian, in that order.
 *
 * Pixels without usable gain or pedestal are masked and counted, see {@link makeCalibration}.
 *
 * @throws {CalibrationError} If a map has another size; the message has both.
 * @throws {ArrayFileError} If a dataset is missing.
 * @throws {OsError} ENOENT, EACCES, …
 * @throws {Deno.errors.NotCapable} If this process may not read a file.
 */
export function readCalibration(sources: CalibrationSources, shape: ModulesShape): Calibration {
  const gains = readMap(sources.gains, shape, GAIN_STAGES.length);
  const pedestal = readMap(sources.pedestal, shape, GAIN_STAGES.length);
  const maskSource = sources.pixelMask ?? ownMask(sources.pedestal);
  const pixelMask = maskSource && readMap(maskSource, shape, 0);
  const pixels = shape.rows * shape.columns;
  const maps = gains.maps.map((map, module): CalibratedModule => ({
    gains: map,
    pedestals: pedestal.maps[module]!,
    mask: pixelMask === undefined
      ? new Uint32Array(pixels)
      : Uint32Array.from(pixelMask.maps[module]!, maskBits),
  }));
  const calibration = makeCalibration(shape, maps, {
    gains: gains.provenance,
    pedestal: pedestal.provenance,
    pixelMask: pixelMask?.provenance,
  });
  if (sources.noises === undefined) return calibration;
  const noises = readMap(sources.noises, shape, GAIN_STAGES.length);
  return {
    ...calibration,
    firstNoises: noises.maps.map((map) => Float32Array.from(map.subarray(0, pixels))),
  };
}

/** The files that a config names. */
export function calibrationSources(config: CalibrationConfig): CalibrationSources {
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
    ...(pixel_mask === undefined
      ? {}
      : { pixelMask: { path: pixel_mask, dataset: pixel_mask_dataset } }),
    ...(pedestal_tracking === undefined
      ? {}
      : { noises: { path: pedestal, dataset: pedestal_tracking.noise_dataset } }),
  };
}

/**
 * Names of the maps that a file has, of those in {@link CALIBRATION_DATASETS}.
 *
 * @throws {CalibrationError} If it is no HDF5 file: that has no names.
 * @throws {OsError} ENOENT, EACCES, …
 * @throws {Deno.errors.NotCapable} If this process may not read it.
 */
export function datasetsIn(path: string): string[] {
  if (!isHdf5File(path)) {
    throw new CalibrationError(`${path} is no HDF5 file: give one as daq pedestal writes it`);
  }
  using file = new ArrayFile(path);
  return Object.values(CALIBRATION_DATASETS).filter((name) => file.shape(name) !== undefined);
}

/** Bits of a masked pixel; a value that has none of the 32, such as 0.5, NaN or 2^40, masks as 1. */
function maskBits(value: number): number {
  return value === 0 ? 0 : value >>> 0 || 1;
}

/** The mask in the pedestal's own files, if they have one. */
function ownMask({ path }: MapSource): MapSource | undefined {
  const first = typeof path === "string" ? path : path[0];
  if (first === undefined || !isHdf5File(first)) return undefined;
  using file = new ArrayFile(first);
  const dataset = CALIBRATION_DATASETS.pixelMask;
  return file.shape(dataset) === undefined ? undefined : { path, dataset };
}

interface ReadMap {
  maps: Float64Array<ArrayBuffer>[];
  provenance: MapProvenance;
}

/** Reads a map of all modules; `stages` is 0 for one without stages. */
function readMap(source: MapSource, shape: ModulesShape, stages: number): ReadMap {
  const { path, dataset } = source;
  if (typeof path === "string") {
    const hdf5 = isHdf5File(path);
    return {
      maps: hdf5
        ? readHdf5(path, dataset, shape, stages)
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
  const parts = path.map((file) => readMap({ path: file, dataset }, one, stages));
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
  stages: number,
): Float64Array<ArrayBuffer>[] {
  using file = new ArrayFile(path);
  const found = file.shape(dataset);
  const wanted = [...(stages === 0 ? [] : [stages]), modules * rows, columns];
  if (found !== undefined && found.join() !== wanted.join()) {
    throw new CalibrationError(
      `${path}: ${dataset} is ${sizeText(found)}, ${wanted.join(" × ")} are needed: ` +
        wantedShape(modules, rows, columns, stages),
    );
  }
  return Array.from({ length: modules }, (_, module) =>
    file.numbers(dataset, [
      ...(stages === 0 ? [] : [[0, stages] satisfies [number, number]]),
      [module * rows, (module + 1) * rows],
      [0, columns],
    ]));
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
  const gains = stages === 0 ? "" : `${GAIN_STAGES.join(", ")} of `;
  return `${gains}${what} of ${rows} rows and ${columns} columns`;
}
