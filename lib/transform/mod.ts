/**
 * Images of one ring made into images of another one, by Workers.
 *
 * @module
 */
export * from "./counters.ts";
export * from "./image_source.ts";
export * from "./image_transformer.ts";
export * from "./run_transform.ts";
export * from "./serve_transform.ts";
export * from "./slot_transformer.ts";
export * from "./source_place.ts";
export * from "./transform_queue.ts";
