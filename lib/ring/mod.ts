/**
 * Rings in shared memory: frames of a module, images of a detector.
 *
 * @module
 */
export type { File } from "../os/mod.ts";
export * from "./errors.ts";
export * from "./fit_rings.ts";
export * from "./remove_rings.ts";
export * from "./ring_follower.ts";
export * from "./ring_index.ts";
export * from "./ring_reader.ts";
export * from "./ring_writer.ts";
export * from "./shared_memory.ts";
export * from "./spec.ts";
