/**
 * A memory with its kernels, and the check that what a kernel is given lies in it.
 *
 * @module
 */
import type { KernelExports } from "../../wasm/exports.ts";
import { instantiateKernels, WASM_PAGE } from "./instance.ts";

/**
 * Where memory that kernels work on ends at the latest, bytes. Their addresses have 32 bits, and they
 * look some bytes ahead of what they read next: up to 4 GiB, such an address would be one near 0.
 */
export const KERNEL_MEMORY_END = 2 ** 32 - WASM_PAGE;

/** Kernels and the memory that they work on. */
export interface KernelMemory {
  /** The kernels, which check nothing. */
  readonly kernels: KernelExports;
  /** Their memory. */
  readonly memory: WebAssembly.Memory;
}

/** A piece of a memory. */
export interface Region {
  /** Its first byte. */
  readonly at: number;
  /** Its length. */
  readonly bytes: number;
}

/** Regions by what they are called in messages. */
export type NamedRegions = Readonly<Record<string, Region>>;

/** A memory with kernels of its own. */
export function kernelMemory(memory: WebAssembly.Memory): KernelMemory {
  return { memory, kernels: instantiateKernels(memory) };
}

/** The bytes of a region, in place. */
export function bytesOf({ memory }: KernelMemory, { at, bytes }: Region): Uint8Array {
  return new Uint8Array(memory.buffer, at, bytes);
}

/**
 * Checks that regions lie in the memory and that those that are written overlap no other.
 *
 * @param on The memory.
 * @param read What a kernel reads.
 * @param written What it writes.
 * @throws {RangeError} If a region is not in the memory, ends after {@link KERNEL_MEMORY_END}, or
 * overlaps one that is written.
 */
export function checkRegions(on: KernelMemory, read: NamedRegions, written: NamedRegions): void {
  const size = Math.min(on.memory.buffer.byteLength, KERNEL_MEMORY_END);
  // Asked at each call of a kernel, which may take a few microseconds: nothing is allocated here.
  for (const name in read) checkInside(name, read[name]!, size);
  for (const name in written) checkInside(name, written[name]!, size);
  for (const name in written) {
    for (const other in read) checkApart(name, written[name]!, other, read[other]!);
    for (const other in written) checkApart(name, written[name]!, other, written[other]!);
  }
}

function checkInside(name: string, { at, bytes }: Region, size: number): void {
  if (!Number.isInteger(at) || !Number.isInteger(bytes) || at < 0 || bytes < 0) {
    throw new RangeError(
      `The ${name} is ${bytes} bytes at ${at}: expected whole numbers from 0 on`,
    );
  }
  if (at + bytes > size) {
    throw new RangeError(
      `The ${name} of ${bytes} bytes at ${at} ends outside the memory of ${size} bytes`,
    );
  }
}

function checkApart(name: string, a: Region, other: string, b: Region): void {
  if (name !== other && a.at < b.at + b.bytes && b.at < a.at + a.bytes) {
    throw new RangeError(
      `The ${name} (${a.bytes} bytes at ${a.at}) overlaps the ${other} ` +
        `(${b.bytes} bytes at ${b.at}): give it a place of its own`,
    );
  }
}

/**
 * Where rows lie that are some bytes apart.
 *
 * @param at The first byte of the first row.
 * @param count Rows, at least 1.
 * @param stride From one to the next, bytes; negative where they follow each other backwards.
 * @param bytes Bytes of a row.
 * @throws {RangeError} If the numbers are not whole, or rows lie over each other.
 */
export function rowsRegion(at: number, count: number, stride: number, bytes: number): Region {
  checkWhole({ stride });
  checkWholeFrom(1, { rows: count });
  if (count > 1 && Math.abs(stride) < bytes) {
    throw new RangeError(`${bytes} bytes, ${stride} apart, lie over each other; give them room`);
  }
  const last = at + (count - 1) * stride;
  return { at: Math.min(at, last), bytes: Math.abs(last - at) + bytes };
}

/**
 * Checks numbers that are given by name.
 *
 * @throws {RangeError} If one is not whole.
 */
export function checkWhole(numbers: Readonly<Record<string, number>>): void {
  for (const name in numbers) {
    const value = numbers[name]!;
    if (!Number.isInteger(value)) throw new RangeError(`${name} is ${value}; give a whole number`);
  }
}

/**
 * Checks numbers that are given by name.
 *
 * @throws {RangeError} If one is not whole, or less than `least`.
 */
export function checkWholeFrom(least: number, numbers: Readonly<Record<string, number>>): void {
  checkWhole(numbers);
  for (const name in numbers) {
    const value = numbers[name]!;
    if (value < least) throw new RangeError(`${name} is ${value}; give ${least} or more`);
  }
}
