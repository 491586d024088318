/**
 * How images can be compressed in a file.
 *
 * @module
 */

/** `bitshuffle-lz4` is HDF5 filter 32008. */
export type ImageCompression = "none" | "bitshuffle-lz4";

/** All of them. */
export const IMAGE_COMPRESSIONS = ["none", "bitshuffle-lz4"] as const satisfies ImageCompression[];
