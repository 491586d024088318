/**
 * What a service counts that makes images of images, kept in the header of its ring.
 *
 * @module
 */

/**
 * Names of the counters, in their order. Every image of the source is exactly one of out, overwritten
 * and damaged:
 *
 *     images_in = images_out + images_overwritten + images_damaged
 */
export const TRANSFORM_COUNTERS = [
  /** Images of the source that were dealt with. */
  "images_in",
  /** Images published. */
  "images_out",
  /** Images of which the source's ring needed the slot before they were done. */
  "images_overwritten",
  /** Images whose bytes are not what they should be. */
  "images_damaged",
  /** Published images that do not get smaller by compression, and are passed on as they are. */
  "images_incompressible",
  /** Bytes of published images in the source's ring. */
  "bytes_in",
  /** Their bytes in this ring. */
  "bytes_out",
] as const;

/** Name of one of them. */
export type TransformCounter = typeof TRANSFORM_COUNTERS[number];

/** Those of images that are in the source's ring, and never in this one. */
export const TRANSFORM_LOSSES = [
  "images_overwritten",
  "images_damaged",
] as const satisfies TransformCounter[];

/** Behind those of an assembler: a ring of images may have been made by either. */
const FIRST_COUNTER = 32;

/** Place of a counter in the ring's header. */
export function transformCounterIndex(name: TransformCounter): number {
  return FIRST_COUNTER + TRANSFORM_COUNTERS.indexOf(name);
}
