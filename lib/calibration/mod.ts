/**
 * Calibration: gains, pedestals and pixel masks, read from files or made of dark frames.
 *
 * @module
 */
export * from "./calibration.ts";
export * from "./dark_module.ts";
export * from "./gain_stages.ts";
export * from "./pedestal_accumulator.ts";
export * from "./pedestal_file.ts";
export * from "./pedestal_mask.ts";
export * from "./pedestal_run.ts";
export * from "./read_calibration.ts";
export type { GainCode } from "../kernels/mod.ts";
export { ArrayFileError } from "../hdf5/mod.ts";
