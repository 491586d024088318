/**
 * The kernels and the layouts they share with TypeScript.
 *
 * @module
 */
export * from "./instance.ts";
export * from "./layout.ts";
export * from "./pedestal.ts";
export type { KernelExports } from "../../wasm/exports.ts";
