/**
 * What an assembler counts, kept in the header of the image ring where everyone can read it.
 *
 * @module
 */
import type { RingIndex } from "../ring/mod.ts";

/** Names of the counters in an image ring's header, in their order there. */
export const IMAGE_RING_COUNTERS = [
  /** Images with all packets of all modules. */
  "images_good",
  /** Images with something missing. */
  "images_incomplete",
  /** Image numbers between delivered ones of which no module delivered anything. */
  "images_skipped",
  /** Packets missing in delivered images, those of missing modules included. */
  "missing_packets",
  /** Frames that came too late for their image, or twice. */
  "frames_late",
  /** Frames that were overwritten before or while they were used. */
  "frames_overrun",
  /** Packets that were received, but in frames that are in no image. */
  "dropped_packets",
  /** Restarts of the detector's counter. */
  "restarts",
  /** Corrected pixels that the calibration masks. */
  "pixels_masked",
  /** Corrected pixels that were saturated. */
  "pixels_saturated",
  /** Corrected pixels with a gain code that does not exist. */
  "pixels_invalid_gain",
] as const;

/** Name of a counter in an image ring's header. */
export type ImageRingCounter = typeof IMAGE_RING_COUNTERS[number];

/** Values of all counters of an image ring. */
export type ImageRingCounts = Record<ImageRingCounter, bigint>;

/** Place of a counter in the ring's header. */
export function imageCounterIndex(name: ImageRingCounter): number {
  return IMAGE_RING_COUNTERS.indexOf(name);
}

/** Reads the counters from the index of an image ring. */
export function readImageCounts(index: RingIndex): ImageRingCounts {
  const counts = {} as ImageRingCounts; // filled below, every name
  IMAGE_RING_COUNTERS.forEach((name, i) => counts[name] = index.counter(i));
  return counts;
}
