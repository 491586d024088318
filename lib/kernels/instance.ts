/**
 * Kernel instances: one per WebAssembly memory.
 *
 * @module
 */
import type { KernelExports } from "../../wasm/exports.ts";
import { KERNELS, MEMORY_LIMITS_AT } from "../../wasm/kernels.ts";

/** Size of a page of WebAssembly memory, bytes. */
export const WASM_PAGE = 65_536;

/**
 * The kernels, compiled for a memory of so many pages that cannot grow. The engine checks each access
 * against the memory's size; of a memory that could grow it reads the size anew for each store.
 */
function compile(pages: number): WebAssembly.Module {
  const wasm = Uint8Array.fromBase64(KERNELS);
  // LEB128 in a fixed length: 7 bits each, all but the last with the top bit set.
  const limit = [pages & 0x7f | 0x80, pages >> 7 & 0x7f | 0x80, pages >> 14];
  wasm.set([...limit, ...limit], MEMORY_LIMITS_AT);
  return new WebAssembly.Module(wasm);
}

/**
 * The kernels, working on `memory`.
 *
 * @throws {WebAssembly.LinkError} If the memory is not shared or can grow.
 */
export function instantiateKernels(memory: WebAssembly.Memory): KernelExports {
  const kernels = compile(memory.buffer.byteLength / WASM_PAGE);
  // The build checks that the module exports exactly what KernelExports names.
  return new WebAssembly.Instance(kernels, { env: { memory } }).exports as KernelExports;
}
