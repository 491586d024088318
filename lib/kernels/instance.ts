/**
 * Kernel instances: one per WebAssembly memory.
 *
 * @module
 */
import type { KernelExports } from "../../wasm/exports.ts";
import kernels from "../../wasm/module.js";

/** The kernels, working on `memory`. */
export function instantiateKernels(memory: WebAssembly.Memory): KernelExports {
  // The build checks that the module exports exactly what KernelExports names.
  return new WebAssembly.Instance(kernels, { env: { memory } }).exports as KernelExports;
}
