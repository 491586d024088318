/**
 * The process itself: identity, creation mask, CPU time, pinning.
 *
 * @module
 */
import { libc } from "./_libc.ts";
import { lastError } from "./errno.ts";

/** This process's id. */
export function processId(): number {
  return libc.getpid();
}

const SIGNALS = { SIGTERM: 15, SIGKILL: 9, none: 0 } as const;

/**
 * Sends a signal to all processes of a group; `none` only asks whether there are any. `Deno.kill` would
 * need the permission to run everything.
 *
 * @param leader Process that the group was made for, such as a `detached` child.
 * @returns Whether there are any.
 * @throws {OsError} EPERM if they are all somebody else's.
 */
export function signalGroup(leader: number, signal: keyof typeof SIGNALS): boolean {
  if (!Number.isInteger(leader) || leader <= 1) {
    throw new RangeError(`${leader} leads no group of processes: expected the id of a child`);
  }
  if (libc.kill(-leader, SIGNALS[signal]) === 0) return true;
  const error = lastError("kill", `group ${leader}`);
  if (error.code === "ESRCH") return false;
  throw error;
}

/**
 * Runs `action` with a creation mask, so that what it creates (such as a socket file bound by a
 * library) never exists with wider permissions, not even for a moment.
 * The mask belongs to the whole process: while `action` runs, other Workers create with it too, and
 * two Workers in here at once can leave the wrong mask behind. Call it from one thread.
 *
 * @param mask Bits to take away, e.g. 0o177 for files of mode 0600.
 */
export function withUmask<T>(mask: number, action: () => T): T {
  const before = libc.umask(mask);
  try {
    return action();
  } finally {
    libc.umask(before);
  }
}

/** Binds the calling thread to CPUs.
 *
 * @throws {OsError} EINVAL if the machine has none of them.
 */
export function pinThread(cpus: readonly number[]): void {
  const mask = new Uint8Array(128);
  for (const cpu of cpus) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= 1024) {
      throw new RangeError(`No such CPU: ${cpu}`);
    }
    mask[cpu >> 3]! |= 1 << (cpu & 7);
  }
  if (libc.sched_setaffinity(0, 128n, mask) !== 0) {
    throw lastError("sched_setaffinity", `CPUs ${cpus.join(",")}`);
  }
}

const CLOCK_PROCESS_CPUTIME_ID = 2, CLOCK_THREAD_CPUTIME_ID = 3;
const cpuTime = new BigInt64Array(2); // struct timespec

/**
 * CPU time used so far, microseconds: by this thread, or by all threads of the process.
 *
 * Exact to less than one. What getrusage() says of a thread that runs is as of the kernel's last tick, up to
 * 4 ms ago.
 */
export function cpuTimeMicroseconds(who: "thread" | "process"): number {
  const clock = who === "thread" ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID;
  if (libc.clock_gettime(clock, cpuTime) !== 0) throw lastError("clock_gettime", `clock ${clock}`);
  return Number(cpuTime[0]!) * 1e6 + Number(cpuTime[1]!) / 1e3;
}
