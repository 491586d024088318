/**
 * A memory for kernel tests: an input, an output, and canaries everywhere else.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { instantiateKernels, type KernelExports } from "./mod.ts";

const CANARY = 0xa5;
const PAGES = 64;
/** Where inputs and outputs lie; every test displaces them a little. */
const INPUT = 65_536;
const OUTPUT = INPUT + 2 ** 20;
/** Bytes before and after the output that are looked at. */
const AROUND = 4096;

/** Runs kernels on inputs and says what they wrote. */
export class Sandbox {
  readonly kernels: KernelExports;
  readonly #u8: Uint8Array;

  constructor() {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    this.kernels = instantiateKernels(memory);
    this.#u8 = new Uint8Array(memory.buffer);
  }

  /**
   * Calls a kernel and compares all that is in and around its output with what is expected; its input
   * must stay as it is.
   *
   * @param input The input's bytes.
   * @param expected The output's bytes; `undefined` where nothing may be written.
   * @param call Calls the kernel with the addresses of input and output.
   * @param options Displacement of both in bytes; what the output holds before, by default canaries.
   */
  check(
    input: Uint8Array,
    expected: readonly (number | undefined)[],
    call: (from: number, to: number) => void,
    options: { skew?: number; before?: Uint8Array } = {},
  ): void {
    const { skew = 0, before } = options;
    const from = INPUT + skew, to = OUTPUT + skew;
    this.#u8.set(input, from);
    this.#u8.fill(CANARY, to - AROUND, to + expected.length + AROUND);
    if (before !== undefined) this.#u8.set(before, to);
    call(from, to);
    const should = Buffer.alloc(expected.length + 2 * AROUND, CANARY);
    expected.forEach((byte, i) => should[AROUND + i] = byte ?? before?.[i] ?? CANARY);
    const found = Buffer.from(this.#u8.slice(to - AROUND, to + expected.length + AROUND));
    if (found.compare(should) !== 0) {
      const at = found.findIndex((byte, i) => byte !== should[i]);
      assert.fail(`byte ${at - AROUND} of ${expected.length} is ${found[at]}, not ${should[at]}`);
    }
    assert.equal(Buffer.from(this.#u8.slice(from, from + input.length)).compare(input), 0);
  }
}

/** Bytes that look random, the same for the same seed. */
export function randomBytes(count: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let x = seed | 1;
  for (let i = 0; i < count; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}
