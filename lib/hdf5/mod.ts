/**
 * HDF5 image files: written straight from shared memory, valid at every instant, and read back.
 *
 * @example
 * ```ts
 * import { File, ImageFile, readImageFile } from "@std-daq/std-daq/hdf5";
 * import { SharedMemory } from "@std-daq/std-daq/ring";
 * import { deepStrictEqual } from "node:assert/strict";
 *
 * const folder = await Deno.makeTempDir();
 * const path = `${folder}/images.h5`;
 *
 * // Two images of 2 × 3 pixels, written from where they are: in a service, a ring.
 * const memory = new SharedMemory(4096);
 * const at = memory.allocate(12);
 * const pixels = new Uint16Array(memory.memory.buffer, at, 6);
 * const file = File.open(path, { write: true, create: "exclusive" });
 * const images = ImageFile.create(file, {
 *   detector: "JF",
 *   height: 2,
 *   width: 3,
 *   pixelType: "uint16",
 *   expectedImages: 2,
 *   attributes: { run_id: 7n },
 * });
 * for (const imageId of [1n, 2n]) {
 *   pixels.fill(Number(imageId));
 *   images.appendImage({
 *     imageId,
 *     status: 1,
 *     address: memory.base + BigInt(at),
 *     bytes: pixels.byteLength,
 *   });
 * }
 * images.close();
 * file.close();
 *
 * using reader = readImageFile(path);
 * deepStrictEqual(reader.shape, [2, 2, 3]);
 * deepStrictEqual([...reader.imageIds()], [1n, 2n]);
 * deepStrictEqual([...reader.image(1)], [2, 2, 2, 2, 2, 2]);
 * await Deno.remove(folder, { recursive: true });
 * ```
 *
 * @module
 */
export { File, type FileOwner, type OpenOptions } from "../os/mod.ts";
export * from "./array_file.ts";
export * from "./compression.ts";
export * from "./file_tree.ts";
export * from "./image_file.ts";
export * from "./master_file.ts";
export * from "./pixel_type.ts";
export * from "./read_array_file.ts";
export * from "./read_image_file.ts";
export * from "./record_type.ts";
export * from "./run_of_file.ts";
