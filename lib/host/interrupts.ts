/** One line of `/proc/interrupts`. */
export interface Interrupt {
  /** Number, or the name of one that no device has, such as `LOC`. */
  irq: string;
  /** How often since the start, by CPU in the order of {@link Interrupts.cpus}. */
  counts: number[];
  /** Controller, kind and device. */
  description: string;
}

/** All of `/proc/interrupts`. */
export interface Interrupts {
  /** The CPUs that are online. */
  cpus: number[];
  /** Every line, as it stands there. */
  lines: Interrupt[];
}

/** Reads `/proc/interrupts`. */
export function parseInterrupts(text: string): Interrupts {
  const [head = "", ...rest] = text.split("\n");
  const cpus = [...head.matchAll(/CPU(\d+)/g)].map(([, cpu]) => Number(cpu));
  const lines = rest.flatMap((line): Interrupt[] => {
    const [, irq, values = ""] = /^\s*(\w+):\s*(.*)$/.exec(line) ?? [];
    if (irq === undefined) return [];
    const words = values.split(/\s+/);
    // ERR and MIS have one count for all.
    const n = words.slice(0, cpus.length).findIndex((word) => !/^\d+$/.test(word));
    const counts = words.slice(0, n === -1 ? cpus.length : n).map(Number);
    return [{ irq, counts, description: words.slice(counts.length).join(" ") }];
  });
  return { cpus, lines };
}

/**
 * The interrupts of a network card.
 *
 * @param names What its lines may have: the interface's name, its PCI address.
 */
export function interruptsOf(
  { lines }: Interrupts,
  names: readonly string[],
): (Interrupt & { irq: string })[] {
  // `eth1` is not part of `eth10`, nor `0000:00:03.0` of `0000:00:03.01`.
  const patterns = names.map((name) =>
    new RegExp(`(?<![\\w.:])${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![\\w.:])`)
  );
  return lines.filter(({ irq, description }) =>
    /^\d+$/.test(irq) && patterns.some((pattern) => pattern.test(description))
  );
}

/**
 * Interrupts between two looks, those that happened at all, the busiest first.
 *
 * @param seconds Time between the looks.
 * @returns Each with counts per second instead of counts.
 */
export function interruptRates(
  before: Interrupts,
  after: Interrupts,
  seconds: number,
): Interrupt[] {
  const rates = after.lines.flatMap((line): Interrupt[] => {
    const then = before.lines.find(({ irq }) => irq === line.irq);
    if (then === undefined || line.counts.length !== after.cpus.length) return [];
    const counts = line.counts.map((count, i) => (count - (then.counts[i] ?? 0)) / seconds);
    return counts.some((rate) => rate > 0) ? [{ ...line, counts }] : [];
  });
  const total = ({ counts }: Interrupt): number => counts.reduce((a, b) => a + b, 0);
  return rates.sort((a, b) => total(b) - total(a));
}
