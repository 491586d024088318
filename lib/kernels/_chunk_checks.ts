/**
 * What compressing and decompressing check of what they are given.
 *
 * @module
 */
import type { ElementBytes } from "./bitshuffle.ts";
import type { Region } from "./kernel_memory.ts";

/** Elements whose bits make whole bytes. */
export const GROUP = 8;

/** Most that the LZ4 format has in a block, bytes. */
const LONGEST_LZ4_BLOCK = 0x7e000000;

/** @throws {RangeError} If the region is no whole number of elements. */
export function elementsOf({ bytes }: Region, elementBytes: ElementBytes): number {
  if (![1, 2, 4, 8].includes(elementBytes)) {
    throw new RangeError(`An element has ${elementBytes} bytes, expected 1, 2, 4 or 8`);
  }
  if (bytes % elementBytes !== 0) {
    throw new RangeError(`${bytes} bytes are no whole number of elements of ${elementBytes} bytes`);
  }
  return bytes / elementBytes;
}

/** @throws {RangeError} If a block of so many elements is not possible. */
export function checkBlock(block: number, elementBytes: ElementBytes): void {
  if (block < GROUP || block % GROUP !== 0 || block * elementBytes > LONGEST_LZ4_BLOCK) {
    throw new RangeError(
      `A block has ${block} elements, expected a multiple of 8 from 8 to ${
        Math.floor(LONGEST_LZ4_BLOCK / elementBytes / GROUP) * GROUP
      }`,
    );
  }
}

/** @throws {RangeError} If scratch memory does not begin where vectors may. */
export function checkAligned({ at }: Region): void {
  if (at % 16 !== 0) {
    throw new RangeError(`The scratch memory begins at ${at}, expected a multiple of 16`);
  }
}
