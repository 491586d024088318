import type { Accounting } from "../../lib/accounting/accounting.ts";
import type { TRANSFORM_LOSSES } from "../../lib/transform/counters.ts";
import { z } from "zod";
import { type StatsAnswer, stringifyJson, type Writer } from "../../lib/http/mod.ts";

const DECIMAL_UNITS = ["", "k", "M", "G", "T"];

/**
 * What somebody else has written, on one line of a terminal: without characters that steer it, end the line, or
 * turn its direction.
 */
export function oneLine(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : stringifyJson(value);
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ");
}

/** A number of something with a decimal prefix and three digits, e.g. `1.65 G`. */
export function withPrefix(value: number): string {
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < DECIMAL_UNITS.length - 1) {
    scaled /= 1_000;
    unit++;
  }
  const digits = scaled >= 99.95 || (unit === 0 && Number.isInteger(value))
    ? 0
    : scaled >= 9.995
    ? 1
    : 2;
  return `${scaled.toFixed(digits)} ${DECIMAL_UNITS[unit]}`;
}

/** A rate of images, e.g. `100 images/s  1.65 GB/s`. */
export function rateText(rate: { bytes_per_second: number; images_per_second: number }): string {
  const images = withPrefix(rate.images_per_second);
  return `${images.trimEnd()} images/s, ${withPrefix(rate.bytes_per_second)}B/s`;
}

type TransformLoss = `${"compress" | "decompress"}_${typeof TRANSFORM_LOSSES[number]}`;

/** Kinds of loss, in the order of the packets' way, with the words to show. */
const LOSSES = [
  ["kernel_drops", "dropped by the kernel"],
  ["packets_lost", "lost packets"],
  ["packets_malformed", "malformed"],
  ["packets_foreign", "foreign"],
  ["packets_late", "late"],
  ["packets_dropped", "of dropped frames"],
  ["images_incomplete", "incomplete images"],
  ["images_skipped", "skipped images"],
  ["compress_images_overwritten", "images lost before compression"],
  ["compress_images_damaged", "images damaged before compression"],
  ["decompress_images_overwritten", "images lost before decompression"],
  ["decompress_images_damaged", "images damaged before decompression"],
] as const satisfies [keyof Accounting | TransformLoss, string][];

/** What went wrong so far, in words; `no losses` if nothing did. */
export function lossText(accounting: StatsAnswer["accounting"]): string {
  const parts = LOSSES
    .filter(([key]) => (accounting[key] ?? 0n) > 0n)
    .map(([key, words]) => `${accounting[key]} ${words}`);
  return parts.length === 0 ? "no losses" : parts.join(", ");
}

/** How far an acquisition is, in words. */
export function acquisitionText({ acquisition }: Writer): string {
  const { state, message, info, stats } = acquisition;
  if (info.output_file === "") return state;
  const total = info.n_images === 0 ? "" : `/${info.n_images}`;
  const words = message === "" ? "" : `: ${oneLine(message)}`;
  return `${state} ${stats.n_write_completed}${total} images${absentText(stats)}${words}`;
}

/** What a run lacks, in words, behind the number of its images; empty if that is nothing. */
export function absentText(
  { n_lost, n_failed, n_missing }: Writer["acquisition"]["stats"],
): string {
  return (n_lost > 0 ? `, ${n_lost} lost` : "") +
    (n_failed > 0 ? `, ${n_failed} not written` : "") +
    (n_missing > 0 ? `, ${n_missing} never came` : "");
}

const validatorReportSchema = z.object({
  report_type: z.literal("file_validator"),
  report: z.object({
    valid: z.boolean(),
    problems: z.array(z.object({ level: z.string(), message: z.string() })),
  }),
});

/** `file_validator: not ok: 2 images of 3 that were asked for.`; what is no such report as it is. */
export function reportText(report: unknown): string {
  const { data } = validatorReportSchema.safeParse(report);
  if (data === undefined) return oneLine(report);
  const { report_type, report: { valid, problems } } = data;
  const found = problems.map(({ message }) => ` ${message}`).join("");
  return oneLine(`${report_type}: ${valid ? "ok" : "not ok"}${found === "" ? "" : `:${found}`}`);
}

/** One line about a running pipeline. */
export function statusLine({ stats, accounting }: StatsAnswer, writer: Writer): string {
  const writing = writer.state === "READY" ? "" : ` | ${writer.state} ${acquisitionText(writer)}`;
  return `detector ${rateText(stats.detector)} | written ${rateText(stats.writer)} | ` +
    lossText(accounting) + writing;
}

/** Rows of `name value`, the names padded to one width. */
export function rows(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}

/**
 * A bar that fills, e.g. `[#####-----] 50 %`.
 *
 * @param done How much is done, of `total`.
 * @param columns Width of the whole, characters.
 */
export function bar(done: number, total: number, columns: number): string {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const inner = Math.max(1, columns - 2 - 1 - percent.length);
  const full = Math.round(share * inner);
  return `[${"#".repeat(full)}${"-".repeat(inner - full)}] ${percent}`;
}
