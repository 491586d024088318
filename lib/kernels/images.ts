/**
 * Kernels for whole images, behind wrappers that check what they are given.
 *
 * @example
 * ```ts
 * import {
 *   bitshuffleScratchBytes,
 *   bytesOf,
 *   compressChunk,
 *   compressedBound,
 *   decompressChunk,
 *   type ImageAt,
 *   imageRegion,
 *   imageStatistics,
 *   kernelMemory,
 *   STATISTICS_BYTES,
 * } from "@std-daq/std-daq/kernels";
 * import { equal } from "node:assert/strict";
 *
 * const on = kernelMemory(new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true }));
 * let next = 65536;
 * const room = (bytes: number): { at: number; bytes: number } => {
 *   const at = next;
 *   next += Math.ceil(bytes / 16) * 16;
 *   return { at, bytes };
 * };
 *
 * // An image of 300 × 200 pixels with one photon somewhere.
 * const pixels = 300 * 200;
 * const image: ImageAt = { at: room(2 * pixels).at, width: 300, height: 200, pixel: "uint16" };
 * bytesOf(on, imageRegion(image))[12_346] = 1;
 * const { max, mean } = imageStatistics(on, image, room(STATISTICS_BYTES).at);
 * equal(max, 1);
 * equal(mean, 1 / pixels);
 *
 * // A chunk of HDF5 filter 32008, and back.
 * const scratch = room(bitshuffleScratchBytes(pixels, 2));
 * const to = room(compressedBound(pixels, 2));
 * const bytes = compressChunk(on, { from: imageRegion(image), elementBytes: 2, to, scratch });
 * const back = room(2 * pixels);
 * decompressChunk(on, { from: { at: to.at, bytes }, elementBytes: 2, to: back, scratch });
 * equal(bytesOf(on, back)[12_346], 1);
 * ```
 *
 * @module
 */
export * from "./bin.ts";
export * from "./bitshuffle.ts";
export * from "./compress_within.ts";
export * from "./crop.ts";
export * from "./image_at.ts";
export { WASM_PAGE } from "./instance.ts";
export * from "./kernel_memory.ts";
export * from "./mask.ts";
export * from "./statistics.ts";
export * from "./xxh3.ts";
export type { KernelExports } from "../../wasm/exports.ts";
