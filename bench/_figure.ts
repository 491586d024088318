/**
 * What a bench row yields, and how it is printed.
 *
 * @module
 */

/** The least (or most) that is asked of a figure. */
export interface Floor {
  /** What is compared: the ratio to the yardstick, or the value itself. */
  of: "ratio" | "value";
  sense: "at most" | "at least";
  limit: number;
}

/** One line of the table. */
export interface Figure {
  /** Row of the bench it belongs to. */
  row: RowName;
  name: string;
  unit: string;
  /** Ours; a text where it is no number. */
  ours: number | string;
  /** The yardstick's. */
  theirs?: number;
  /** Ours / theirs, the median over pairs of runs. */
  ratio?: number;
  floor?: Floor;
  note?: string;
}

/** The bench's rows. */
export const ROWS = [
  "receive",
  "sustained",
  "pipelines",
  "kernels",
  "geometry",
  "gigafrost",
  "correction",
  "pedestal",
  "others",
  "images",
  "write",
  "latency",
  "services",
  "broker",
] as const;

/** Name of a row. */
export type RowName = typeof ROWS[number];

/** The middle value; of an even number of values the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return sorted.length % 2 === 1
    ? sorted[Math.floor(half)]!
    : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The value below which `share` (0 to 1) of the values lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/**
 * Compares ours with a yardstick from runs that took turns: the medians of both, and the median of the
 * ratios of neighbours in time, which what else the machine does disturbs least.
 */
export function compare(
  ours: readonly number[],
  theirs: readonly number[],
): { ours: number; theirs: number; ratio: number } {
  const ratio = median(ours.map((value, i) => value / theirs[i]!));
  return { ours: median(ours), theirs: median(theirs), ratio };
}

/** Whether a figure is what it must be: `""` where nothing is asked. */
export function verdict({ ours, ratio, floor }: Figure): "ok" | "short" | "" {
  if (floor === undefined) return "";
  const value = floor.of === "ratio" ? ratio : ours;
  if (typeof value !== "number") return "short";
  return (floor.sense === "at most" ? value <= floor.limit : value >= floor.limit) ? "ok" : "short";
}

/** The figures as a Markdown table, its columns aligned. */
export function table(figures: readonly Figure[]): string {
  const head = ["figure", "ours", "yardstick", "ratio", "asked", "", "note"];
  const rows = figures.map((figure) => [
    figure.name,
    `${number(figure.ours)} ${figure.unit}`,
    figure.theirs === undefined ? "" : `${number(figure.theirs)} ${figure.unit}`,
    figure.ratio === undefined ? "" : figure.ratio.toFixed(2),
    asked(figure),
    verdict(figure),
    figure.note ?? "",
  ]);
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length), 3));
  const line = (row: string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

function asked({ floor, unit }: Figure): string {
  if (floor === undefined) return "";
  const limit = floor.of === "ratio" ? `${floor.limit} ×` : `${number(floor.limit)} ${unit}`;
  return `${floor.sense === "at most" ? "≤" : "≥"} ${limit}`;
}

function number(value: number | string): string {
  if (typeof value === "string") return value;
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
