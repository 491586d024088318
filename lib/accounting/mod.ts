/**
 * The account of packets, frames and images.
 *
 * @module
 */
export * from "./accounting.ts";
export * from "./ring_counters.ts";
export * from "./transform_counts.ts";
