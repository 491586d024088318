/** What a CPU has spent its time on since the start, ticks of 10 ms. */
export interface CpuTimes {
  /** Its number. */
  cpu: number;
  /** Programs. */
  user: number;
  /** The kernel for programs. */
  system: number;
  /** Interrupts of devices. */
  irq: number;
  /** What follows interrupts, above all packets on their way to sockets. */
  softirq: number;
  /** The host of a virtual machine ran something else. */
  stolen: number;
  /** Nothing, or waiting for a disk. */
  idle: number;
}

/** Shares of a CPU's time, 0 to 1; their sum is 1. */
export type CpuLoad = CpuTimes;

/** Reads `/proc/stat`: a line for each CPU that is online. */
export function parseCpuTimes(text: string): CpuTimes[] {
  return [...text.matchAll(/^cpu(\d+) (.+)$/gm)].map(([, cpu, rest]) => {
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, stolen = 0] =
      (rest ?? "").trim().split(/\s+/).map(Number);
    return { cpu: Number(cpu), user: user + nice, system, irq, softirq, stolen, idle: idle + wait };
  });
}

/**
 * What CPUs did between two looks; one that came or went in between is left out, and so is one whose
 * counters have not moved.
 */
export function cpuLoad(before: readonly CpuTimes[], after: readonly CpuTimes[]): CpuLoad[] {
  return after.flatMap((now) => {
    const then = before.find(({ cpu }) => cpu === now.cpu);
    if (then === undefined) return [];
    const passed = (part: "user" | "system" | "irq" | "softirq" | "stolen" | "idle"): number =>
      Math.max(0, now[part] - then[part]); // idle times may be set back a little
    const [user, system, irq, softirq, stolen, idle] = [
      passed("user"),
      passed("system"),
      passed("irq"),
      passed("softirq"),
      passed("stolen"),
      passed("idle"),
    ] as const;
    const total = user + system + irq + softirq + stolen + idle;
    return total === 0 ? [] : [{
      cpu: now.cpu,
      user: user / total,
      system: system / total,
      irq: irq / total,
      softirq: softirq / total,
      stolen: stolen / total,
      idle: idle / total,
    }];
  });
}
