/**
 * What can be done with finished image files: check them, and show them in another format.
 *
 * @module
 */
export * from "./acquisition_report.ts";
export * from "./check_file.ts";
export * from "./convert_file.ts";
export * from "./finished_run.ts";
export * from "./image_ids.ts";
export * from "./pixel_checks.ts";
export * from "./pixel_statistics.ts";
