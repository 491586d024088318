/**
 * One acquisition from request to closed file: a state machine without transport, the public status
 * and the check of output paths.
 *
 * @module
 */
export * from "./acquisition.ts";
export * from "./credit.ts";
export * from "./file_split.ts";
export * from "./id_ranges.ts";
export * from "./missing_images.ts";
export * from "./output_path.ts";
export * from "./run_account.ts";
export * from "./status.ts";
export * from "./types.ts";
export * from "./writer_reasons.ts";
