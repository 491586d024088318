/**
 * Kernels for whole images, behind wrappers that check what they are given.
 *
 * @module
 */
export * from "./bin.ts";
export * from "./bitshuffle.ts";
export * from "./crop.ts";
export * from "./image_at.ts";
export * from "./kernel_memory.ts";
export * from "./mask.ts";
export * from "./statistics.ts";
export * from "./xxh3.ts";
export type { KernelExports } from "../../wasm/exports.ts";
