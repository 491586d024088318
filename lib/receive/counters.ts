/**
 * What a receiver counts, kept in the header of its frame ring where everyone can read it.
 *
 * Every datagram taken from a socket is counted by exactly one of accepted, duplicate, late,
 * malformed, foreign. `damaged` are malformed ones whose header still named a frame that misses them;
 * `kernel_drops` never reached the process.
 *
 * @module
 */
import { RECEIVE_COUNTERS } from "../kernels/mod.ts";
import type { RingIndex } from "../ring/mod.ts";

/** Names of the counters in a frame ring's header, in their order there. */
export const FRAME_RING_COUNTERS = [...RECEIVE_COUNTERS, "kernel_drops"] as const;

/** Name of a counter in a frame ring's header. */
export type FrameRingCounter = typeof FRAME_RING_COUNTERS[number];

/** Values of all counters of a frame ring. */
export type FrameRingCounts = Record<FrameRingCounter, bigint>;

/** Place of a counter in the ring's header. */
export function counterIndex(name: FrameRingCounter): number {
  return FRAME_RING_COUNTERS.indexOf(name);
}

/** Reads the counters from the index of a frame ring. */
export function readFrameCounts(index: RingIndex): FrameRingCounts {
  const counts = {} as FrameRingCounts; // filled below, every name
  FRAME_RING_COUNTERS.forEach((name, i) => counts[name] = index.counter(i));
  return counts;
}
