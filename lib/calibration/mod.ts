/**
 * Calibration: pedestals and pixel masks from dark frames.
 *
 * @module
 */
export * from "./dark_module.ts";
export * from "./gain_stages.ts";
export * from "./pedestal_accumulator.ts";
export * from "./pedestal_file.ts";
export * from "./pedestal_mask.ts";
export * from "./pedestal_run.ts";
