/**
 * What the tests of the kernels share: places in a memory, with canaries between them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { bytesOf, type KernelMemory, type Region } from "./kernel_memory.ts";

const CANARY = 0xa5;
const FENCE = 64; // bytes before and after each place
const FIRST = 65536;

/** Makes canaries of bytes. */
export function fillCanaries(bytes: Uint8Array): void {
  bytes.fill(CANARY);
}

/** Hands out places of a memory, one after the other. */
export class TestMemory {
  readonly #on: KernelMemory;
  readonly #taken: Region[] = [];
  #next = FIRST;

  /** @param on The memory, of which the first 64 KiB are not used. */
  constructor(on: KernelMemory) {
    this.#on = on;
  }

  /** Gives all places back. */
  reset(): void {
    this.#taken.length = 0;
    this.#next = FIRST;
  }

  /** A place of so many bytes, filled with canaries, `skew` bytes after a multiple of 16. */
  room(bytes: number, skew = 0): Region {
    const at = Math.ceil((this.#next + FENCE) / 16) * 16 + skew;
    const end = at + bytes + FENCE;
    fillCanaries(bytesOf(this.#on, { at: this.#next, bytes: end - this.#next }));
    this.#next = end;
    const region = { at, bytes };
    this.#taken.push(region);
    return region;
  }

  /** A place with these bytes. */
  put(content: Uint8Array, skew = 0): Region {
    const region = this.room(content.byteLength, skew);
    bytesOf(this.#on, region).set(content);
    return region;
  }

  /** Fails if something was written outside the places. */
  checkCanaries(): void {
    let from = FIRST;
    const end = { at: this.#next, bytes: 0 };
    for (const { at, bytes } of [...this.#taken, end]) {
      const fence = bytesOf(this.#on, { at: from, bytes: at - from });
      const wrong = fence.findIndex((byte) => byte !== CANARY);
      assert.equal(wrong, -1, `a byte ${wrong} after the place that ends at ${from} was written`);
      from = at + bytes;
    }
  }
}
