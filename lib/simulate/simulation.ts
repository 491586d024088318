import { type DetectorConfig, detectorFacts } from "../config/mod.ts";
import {
  type Detector,
  detectorFor,
  frameBytes,
  type ModuleLayout,
  type PacketFormat,
} from "../detector/mod.ts";
import type { BadPixelCounts, ForcedGain } from "./dark.ts";
import { type Pattern, PATTERNS } from "./pattern.ts";

/** Probabilities of what may happen to a packet, 0 to 1; a packet suffers at most one. */
export interface FaultRates {
  /** Never sent. */
  readonly drop: number;
  /** Sent twice. */
  readonly duplicate: number;
  /** Swapped with a packet a few places later. */
  readonly reorder: number;
  /** Held back until its frame has closed. */
  readonly late: number;
  /** Replaced by a packet that is too short, has a wrong version, or a number past the frame. */
  readonly corrupt: number;
  /** Followed by a packet of another detector type or another module. */
  readonly foreign: number;
}

/** A module that sends nothing for some frames. */
export interface Stall {
  /** The module. */
  readonly module: number;
  /** First frame it does not send, from 0. */
  readonly from: number;
  /** Frames it does not send; Infinity for all that follow. */
  readonly count: number;
}

/** What to simulate; everything has a default. */
export interface SimulationOptions {
  /** Images; Infinity for as long as it is let. Default Infinity. */
  readonly images?: number;
  /** Frame number of the first image. Default 1. */
  readonly startId?: number;
  /** Jungfrau: bunch id − frame number. Default 0. */
  readonly bunchOffset?: number;
  /** Of detectors that have some: send bunch ids; false: 0, as the virtual detectors of the detector group. Default true. */
  readonly bunchIds?: boolean;
  /** Modules that send. Default: all. */
  readonly modules?: readonly number[];
  /** What the images show. Default "photons". */
  readonly pattern?: Pattern;
  /** Decides all that is random. Default 1. */
  readonly seed?: number;
  /** Images per second; 0 for as many as possible. Default 0. */
  readonly rate?: number;
  /**
   * Distinct images, sent in turn; with the pattern "dark", of each gain. Default 8, or fewer when
   * fewer are sent or all would be alike.
   */
  readonly sourceImages?: number;
  /** Pattern "dark": the gains that are forced, one after the other, over and over. Default [0]. */
  readonly gains?: readonly ForcedGain[];
  /** Pattern "dark": images until the next gain. Default 1000; Infinity with a single gain. */
  readonly framesPerGain?: number;
  /** Pattern "dark": how many bad pixels each module has. Default none. */
  readonly badPixels?: BadPixelCounts;
  /** What goes wrong, each 0 by default. */
  readonly faults?: Partial<FaultRates>;
  /** Modules that fall silent. Default none. */
  readonly stalls?: readonly Stall[];
}

/** A checked simulation: the options with their defaults, and what follows from the config. */
export interface Simulation extends Required<Omit<SimulationOptions, "faults">> {
  /** The detector's config. */
  readonly config: DetectorConfig;
  /** Its kind. */
  readonly detector: Detector;
  /** Its packets. */
  readonly format: PacketFormat;
  /** Its modules. */
  readonly layout: ModuleLayout;
  /** What goes wrong, how often. */
  readonly faults: FaultRates;
  /** Image id of the first image. */
  readonly firstImageId: bigint;
}

/** Options that describe no possible simulation. The message says which, and what is allowed. */
export class SimulationError extends Error {
  /** The class's name. */
  override readonly name = "SimulationError";
}

const DEFAULT_SOURCE_IMAGES = 8;
const DEFAULT_FRAMES_PER_GAIN = 1_000;
const NO_BAD_PIXELS: BadPixelCounts = { dead: 0, noisy: 0, wrongGain: 0 };

/** Most memory for distinct images: they share one 4 GiB WebAssembly memory with the send vectors. */
const SOURCE_BYTES_LIMIT = 3 * 2 ** 30;

/** Frames are indexed with 32 bits when they are sent. */
const MOST_IMAGES = 2 ** 32;

/**
 * Checks the options against the config and fills in the defaults.
 *
 * @throws {SimulationError} If an option is out of its range.
 * @throws {UnsupportedDetectorError} If no packets of this detector can be made.
 */
export function createSimulation(
  config: DetectorConfig,
  options: SimulationOptions = {},
): Simulation {
  const detector = detectorFor(config);
  const images = options.images ?? Infinity;
  const simulation: Simulation = {
    images,
    startId: 1,
    bunchOffset: 0,
    modules: Array.from({ length: config.n_modules }, (_, module) => module),
    pattern: "photons",
    seed: 1,
    rate: 0,
    sourceImages: isConstant(options.pattern) ? 1 : Math.min(DEFAULT_SOURCE_IMAGES, images),
    stalls: [],
    gains: [0],
    framesPerGain: (options.gains?.length ?? 1) === 1 ? Infinity : DEFAULT_FRAMES_PER_GAIN,
    badPixels: NO_BAD_PIXELS,
    ...options,
    bunchIds: options.bunchIds !== false &&
      detectorFacts(config.detector_type).hasBunchIds === true,
    faults: {
      drop: 0,
      duplicate: 0,
      reorder: 0,
      late: 0,
      corrupt: 0,
      foreign: 0,
      ...options.faults,
    },
    config,
    detector,
    format: detector.packetFormat(config),
    layout: detector.moduleLayout(config),
    firstImageId: 0n,
  };
  check(simulation);
  const { bunchIds, format } = simulation;
  const bunch = bunchIds && format.imageIdField !== "frame_number" ? simulation.bunchOffset : 0;
  return { ...simulation, firstImageId: BigInt(simulation.startId) + BigInt(bunch) };
}

/** Whether all images of a pattern are alike. */
function isConstant(pattern: Pattern | undefined): boolean {
  return pattern === "flat" || pattern === "module-id";
}

/** How many different images a simulation sends. */
export function distinctImages({ pattern, sourceImages, gains }: Simulation): number {
  return pattern === "dark" ? sourceImages * gains.length : sourceImages;
}

/** Which of the different images the frame with an index, from 0, shows. */
export function sourceOf(simulation: Simulation, frame: number): number {
  const { pattern, sourceImages, gains, framesPerGain } = simulation;
  const block = pattern === "dark" ? Math.floor(frame / framesPerGain) % gains.length : 0;
  return block * sourceImages + frame % sourceImages;
}

/** Whether every packet is sent once, whole and in order. */
export function isFaultFree(simulation: Simulation): boolean {
  return simulation.stalls.length === 0 &&
    Object.values(simulation.faults).every((rate: number) => rate === 0);
}

/** Whether a module is silent in a frame. */
export function isStalled(simulation: Simulation, module: number, frame: number): boolean {
  return simulation.stalls.some((stall) =>
    stall.module === module && frame >= stall.from && frame - stall.from < stall.count
  );
}

function check(simulation: Simulation): void {
  const { config, modules, faults, stalls, format } = simulation;
  const whole = (name: string, value: number, low: number, high: number): void => {
    if (Number.isInteger(value) && value >= low && value <= high) return;
    throw new SimulationError(`${name} is ${value}; give an integer from ${low} to ${high}`);
  };
  if (simulation.images !== Infinity) whole("images", simulation.images, 1, MOST_IMAGES);
  whole("startId", simulation.startId, 0, Number.MAX_SAFE_INTEGER - MOST_IMAGES);
  if (format.rows !== undefined) {
    // Its frame numbers have 32 bits.
    const most = simulation.images === Infinity ? 1 : simulation.images;
    whole("startId", simulation.startId, 0, 2 ** 32 - most);
  }
  whole("bunchOffset", simulation.bunchOffset, 0, Number.MAX_SAFE_INTEGER - MOST_IMAGES);
  whole("startId + bunchOffset", simulation.startId + simulation.bunchOffset, 0, 2 ** 53 - 1);
  if (format.imageIdField === "bunch_id" && !simulation.bunchIds) {
    throw new SimulationError(
      "bunchIds is false, but image_id_source of the config is bunch_id: all images would have one id; " +
        "leave image_id_source out, or make it frame_number",
    );
  }
  whole("seed", simulation.seed, 0, Number.MAX_SAFE_INTEGER);
  whole("sourceImages", simulation.sourceImages, 1, 65_536);
  if (!(simulation.rate >= 0 && simulation.rate <= 1e6)) {
    throw new SimulationError(`rate is ${simulation.rate}; give 0 to 1000000 images/s`);
  }
  if (!PATTERNS.includes(simulation.pattern)) {
    throw new SimulationError(
      `pattern is "${simulation.pattern}"; choose one of ${PATTERNS.join(", ")}`,
    );
  }
  const { pattern } = simulation;
  if ((pattern === "gain" || pattern === "dark") && !simulation.detector.gainSwitching) {
    throw new SimulationError(
      `pattern "${pattern}" needs a detector that switches gains; ${simulation.detector.name} does not: ` +
        "choose another pattern",
    );
  }
  if (modules.length === 0) throw new SimulationError("no module is to send; name at least one");
  for (const module of modules) whole("module", module, 0, config.n_modules - 1);
  if (new Set(modules).size !== modules.length) {
    throw new SimulationError(`modules ${modules.join(", ")} name one twice; name each once`);
  }
  checkDark(simulation, whole);
  const images = distinctImages(simulation);
  const bytes = modules.length * images * frameBytes(format);
  if (bytes > SOURCE_BYTES_LIMIT) {
    throw new SimulationError(
      `${images} source images of ${modules.length} modules need ${bytes} bytes; ` +
        `${SOURCE_BYTES_LIMIT} are allowed: use fewer of either`,
    );
  }
  checkFaults(faults, stalls, config.n_modules);
}

function checkDark(
  { gains, framesPerGain, badPixels, layout }: Simulation,
  whole: (name: string, value: number, low: number, high: number) => void,
): void {
  if (gains.length === 0) throw new SimulationError("no gain is forced; name at least one");
  for (const gain of gains) whole("gain", gain, 0, 2);
  if (gains.length > 1 || framesPerGain !== Infinity) {
    whole("framesPerGain", framesPerGain, 1, MOST_IMAGES - 1);
  }
  // Few enough that random places are free.
  const most = Math.floor(layout.rows * layout.chips * layout.runPixels / 8);
  whole("badPixels.dead", badPixels.dead, 0, most);
  whole("badPixels.noisy", badPixels.noisy, 0, most);
  whole("badPixels.wrongGain", badPixels.wrongGain, 0, most);
}

function checkFaults(faults: FaultRates, stalls: readonly Stall[], modules: number): void {
  let sum = 0;
  for (const [name, rate] of Object.entries<number>({ ...faults })) {
    if (!(rate >= 0 && rate <= 1)) {
      throw new SimulationError(`${name} is ${rate}; give a probability from 0 to 1`);
    }
    sum += rate;
  }
  if (sum > 1 + 1e-9) {
    throw new SimulationError(
      `the probabilities of all faults add up to ${sum}; a packet suffers at most one, ` +
        "so let them add up to 1 or less",
    );
  }
  for (const { module, from, count } of stalls) {
    if (!(Number.isInteger(module) && module >= 0 && module < modules && from >= 0 && count >= 1)) {
      throw new SimulationError(
        `a stall of module ${module} from frame ${from} for ${count} frames; give a module from 0 to ` +
          `${modules - 1}, a first frame from 0 and a count from 1`,
      );
    }
  }
}
