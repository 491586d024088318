/**
 * The file writer: images from the ring into HDF5 files, on a driver's orders.
 *
 * @module
 */
export * from "./compressors.ts";
export * from "./data_roots.ts";
export * from "./file_writer.ts";
export * from "./image_in_ring.ts";
export * from "./image_info.ts";
export * from "./image_locator.ts";
export * from "./run_files.ts";
