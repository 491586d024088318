import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { DetectorConfig } from "../../lib/config/mod.ts";
import {
  type DetectorServiceProgram,
  parseInteger,
  parseModules,
  UsageError,
} from "../../lib/service/mod.ts";
import {
  createSimulation,
  type ForcedGain,
  PATTERNS,
  type Simulation,
  SimulationError,
  type Stall,
} from "../../lib/simulate/mod.ts";

/** Adds the simulator's options to its command line. */
// The return type is what commander's typings infer from the options; naming it would repeat them all.
// deno-lint-ignore explicit-function-return-type
export function simulatorOptions(program: DetectorServiceProgram) {
  return program
    .option("--rate <hz>", "images per second; 0: as fast as possible", parseRate, 10)
    .option("--images <n>", "images to send; 0: until stopped", parseInteger(0), 0)
    .option("--start-id <n>", "frame number of the first image", parseInteger(0), 1)
    .option("--bunch-offset <n>", "Jungfrau: bunch id − frame number", parseInteger(0), 0)
    .option("--no-bunch-ids", "Jungfrau: bunch ids are 0, as virtual detectors send them")
    .option("--modules <list>", "modules that send, e.g. 0-3,7 (default: all)")
    .addOption(
      new Option("--pattern <name>", "what the images show").choices(PATTERNS).default(
        "photons" as const,
      ),
    )
    .option("--source-images <n>", "distinct images, sent in turn (default: 8)", parseInteger(1))
    .option("--gain <list>", "pattern dark: forced gains, in turn, e.g. 0,1,2", parseGains)
    .option("--frames-per-gain <n>", "… images until the next gain", parseInteger(1), 1000)
    .option(
      "--dead-pixels <n>",
      "… pixels per module without noise or pedestal",
      parseInteger(0),
      0,
    )
    .option("--noisy-pixels <n>", "… with 32 times the noise", parseInteger(0), 0)
    .option(
      "--wrong-gain-pixels <n>",
      "… with another gain in every second image",
      parseInteger(0),
      0,
    )
    .option("--seed <n>", "decides all that is random", parseInteger(0), 1)
    .option("--drop <p>", "probability that a packet is never sent", parseProbability, 0)
    .option("--duplicate <p>", "… is sent twice", parseProbability, 0)
    .option("--reorder <p>", "… is swapped with one a few places later", parseProbability, 0)
    .option("--late <p>", "… comes after its frame has closed", parseProbability, 0)
    .option("--corrupt <p>", "… is too short or has a wrong header", parseProbability, 0)
    .option("--foreign <p>", "… is followed by one of another detector", parseProbability, 0)
    .option(
      "--stall-module <m[:from:count]>",
      "module that is silent, from which frame (0 is the first), for how many; may be repeated",
      parseStall,
      [] as Stall[],
    )
    .option("--address <ip>", "where the receivers are, IPv4", "127.0.0.1")
    .option("--spread", "send an image's packets evenly over most of its period, not at once")
    .option("--gso", "let the network card cut large messages into packets; not with faults")
    .option("--json", "at the end, print a line of JSON: what was sent and what must arrive");
}

/** Values of {@link simulatorOptions}. */
export type SimulatorOptions = ReturnType<ReturnType<typeof simulatorOptions>["opts"]>;

/**
 * The simulation that the options describe.
 *
 * @throws {UsageError} If they describe none.
 */
export function simulationFromOptions(
  config: DetectorConfig,
  options: SimulatorOptions,
): Simulation {
  const { drop, duplicate, reorder, late, corrupt, foreign } = options;
  const faults = { drop, duplicate, reorder, late, corrupt, foreign };
  const spoilt = options.stallModule.length > 0 || Object.values(faults).some((rate) => rate > 0);
  if (options.gso && spoilt) {
    throw new UsageError("--gso sends whole frames only: leave it out, or the faults");
  }
  if (options.gso && options.spread) {
    throw new UsageError("--gso sends whole frames at once: leave it out, or --spread");
  }
  const badPixels = {
    dead: options.deadPixels,
    noisy: options.noisyPixels,
    wrongGain: options.wrongGainPixels,
  };
  const dark = options.gain !== undefined || Object.values(badPixels).some((n) => n > 0);
  if (dark && options.pattern !== "dark") {
    throw new UsageError(
      "--gain and the options for bad pixels go with --pattern dark: add it, or leave them out",
    );
  }
  const gains = options.gain ?? [0];
  try {
    return createSimulation(config, {
      images: options.images === 0 ? Infinity : options.images,
      startId: options.startId,
      bunchOffset: options.bunchOffset,
      bunchIds: options.bunchIds,
      modules: parseModules(options.modules, config.n_modules),
      pattern: options.pattern,
      seed: options.seed,
      rate: options.rate,
      faults,
      stalls: options.stallModule,
      gains,
      framesPerGain: gains.length === 1 ? Infinity : options.framesPerGain,
      badPixels,
      ...(options.sourceImages === undefined ? {} : { sourceImages: options.sourceImages }),
    });
  } catch (cause) {
    if (cause instanceof SimulationError) throw new UsageError(cause.message, { cause });
    throw cause;
  }
}

function parseRate(text: string): number {
  return parseNumber(text, 0, 1e6);
}

function parseProbability(text: string): number {
  return parseNumber(text, 0, 1);
}

function parseNumber(text: string, lowest: number, highest: number): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (value >= lowest && value <= highest) return value;
  throw new InvalidArgumentError(`expected a number from ${lowest} to ${highest}.`);
}

function parseGains(text: string): ForcedGain[] {
  return text.split(",").map((part) => {
    if (part === "0") return 0;
    if (part === "1") return 1;
    if (part === "2") return 2;
    throw new InvalidArgumentError("expected gains 0, 1 or 2, separated by commas, e.g. 0,1,2.");
  });
}

function parseStall(text: string, previous: Stall[]): Stall[] {
  const match = /^(\d+)(?::(\d+):(\d+))?$/.exec(text);
  if (match === null) {
    throw new InvalidArgumentError(
      "expected a module, or module:first frame:frames, e.g. 1:100:20.",
    );
  }
  const [, module, from = "0", count] = match;
  const stall = {
    module: Number(module),
    from: Number(from),
    count: count === undefined ? Infinity : Number(count),
  };
  return [...previous, stall];
}
