/**
 * The machine that a receiver runs on: what the kernel and network cards are set to, what they should be
 * set to and why, interrupts and the load of CPUs. Everything is parsed from /proc, /sys and ethtool by pure
 * functions; {@link Host} is how they are reached.
 *
 * @module
 */
export * from "./cpu_list.ts";
export * from "./cpu_times.ts";
export * from "./host.ts";
export * from "./host_settings.ts";
export * from "./interrupts.ts";
export * from "./network_counters.ts";
export * from "./ring_sizes.ts";
