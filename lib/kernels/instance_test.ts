import { equal, throws } from "node:assert/strict";
import { instantiateKernels, WASM_PAGE } from "./mod.ts";

Deno.test("instantiateKernels() takes memories of any size, and kernels reach their last byte", () => {
  for (const pages of [1, 127, 128, 129, 16_383, 16_384, 16_385, 65_536]) {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const { blankModule } = instantiateKernels(memory);
    const bytes = pages * WASM_PAGE;
    const last = new Uint8Array(memory.buffer, bytes - 1);
    last[0] = 1;
    blankModule(bytes - 1, 1, 1, 1, 0, 1);
    equal(last[0], 0);
    if (pages < 65_536) throws(() => blankModule(bytes, 1, 1, 1, 0, 1), WebAssembly.RuntimeError);
  }
});

Deno.test("instantiateKernels() refuses a memory that can grow or is not shared", () => {
  for (const [maximum, shared] of [[2, true], [1, false]] as const) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum, shared });
    throws(() => instantiateKernels(memory), WebAssembly.LinkError);
  }
});
