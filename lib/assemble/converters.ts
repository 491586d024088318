/**
 * Who does the assembler's pixel work: the calling thread, or several Workers.
 *
 * @module
 */
import type { InvalidPixels } from "../kernels/mod.ts";
import type { Bank } from "./calibration_maps.ts";
import { NONE_INVALID } from "./convert_module.ts";
import type { ModuleConverter } from "./module_converter.ts";

/** A piece of work on one module of one image. */
export interface ConvertJob {
  /** Copy the module's frame, or zero its place. */
  operation: "convert" | "blank";
  module: number;
  frameSlot: number;
  imageSlot: number;
  /** Packets that the frame misses. */
  missingPackets: number;
  /** Bank of the calibration; of no meaning where nothing is corrected. */
  bank: Bank;
  /** Called with the pixels that have no good value when it is done, from {@link Converters.poll} or {@link Converters.submit}. */
  done(invalid: InvalidPixels): void;
}

/** Does jobs; those of one module in the order in which they were submitted. */
export interface Converters {
  /** Starts a job. */
  submit(job: ConvertJob): void;
  /** Calls `done` of the jobs that have ended; returns how many are still at work. */
  poll(): number;
  /** Blocks until a job may have ended, at most a millisecond. */
  wait(): void;
  /** Maps a module's ring, before its first job and when it was replaced. */
  attach(module: number): void;
}

/** Does every job at once, in the calling thread. */
export class InlineConverters implements Converters {
  readonly #converter: ModuleConverter;

  constructor(converter: ModuleConverter) {
    this.#converter = converter;
  }

  submit(job: ConvertJob): void {
    job.done(doJob(this.#converter, job));
  }

  poll(): number {
    return 0;
  }

  wait(): void {}

  attach(module: number): void {
    this.#converter.attach(module);
  }
}

/** Does a job; returns the pixels that have no good value. */
export function doJob(converter: ModuleConverter, job: Omit<ConvertJob, "done">): InvalidPixels {
  if (job.operation === "convert") return converter.convert(job);
  converter.blank(job.module, job.imageSlot);
  return NONE_INVALID;
}
