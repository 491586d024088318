/**
 * Kernels for whole images, behind wrappers that check what they are given.
 *
 * @module
 */
export * from "./bitshuffle.ts";
export * from "./kernel_memory.ts";
export type { KernelExports } from "../../wasm/exports.ts";
