/**
 * The kernels and the layouts they share with TypeScript.
 *
 * @module
 */
export * from "./correct_jungfrau.ts";
export * from "./images.ts";
export * from "./instance.ts";
export * from "./layout.ts";
export * from "./pedestal.ts";
export * from "./place_module.ts";
export * from "./track_pedestal.ts";
export * from "./unpack_gigafrost.ts";
