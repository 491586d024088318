/**
 * Clocks and short waits of the data plane.
 *
 * @module
 */
import { libc } from "./_libc.ts";

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const timespec = new BigInt64Array(2);

/** Wall-clock time, ns since 1970-01-01 UTC. */
export function wallClockNs(): bigint {
  libc.clock_gettime(CLOCK_REALTIME, timespec);
  return timespec[0]! * 1_000_000_000n + timespec[1]!;
}

/** Time that never steps, ns since an arbitrary start; the same for all processes of a machine. */
export function monotonicNs(): bigint {
  libc.clock_gettime(CLOCK_MONOTONIC, timespec);
  return timespec[0]! * 1_000_000_000n + timespec[1]!;
}

/** Blocks the calling thread. Only for Workers: a main thread must stay responsive. */
export function sleepMicroseconds(microseconds: number): void {
  libc.usleep(microseconds);
}
