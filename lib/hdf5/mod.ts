/**
 * HDF5 image files: written straight from shared memory, valid at every instant, and read back.
 *
 * @module
 */
export * from "./image_file.ts";
export * from "./pixel_type.ts";
export * from "./read_image_file.ts";
