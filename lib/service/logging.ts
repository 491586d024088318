import {
  compareLogLevel,
  configureSync,
  getLogger,
  isLogLevel,
  type Logger as LogTapeLogger,
  type LogRecord,
} from "@logtape/logtape";
import { describeError } from "./describe_error.ts";

/**
 * A log: LogTape's, with a method for each {@link LogLevel}.
 *
 * @ignore Documented by LogTape.
 */
export type Logger = LogTapeLogger;

/** How important a log line is. */
export type LogLevel = "trace" | "debug" | "info" | "warning" | "error" | "fatal";

/** Values of `--log-level` and of the config's `log_level`, from most lines to fewest. */
export const LOG_LEVELS = ["debug", "info", "warning", "error", "off"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogThreshold = typeof LOG_LEVELS[number];

/** One line of a service's log, as it is written to stderr when that is not a terminal. */
export interface LogLine {
  /** When, ISO 8601 in UTC with milliseconds. */
  time: string;
  /** How important. */
  level: LogLevel;
  /** Which service. */
  service: string;
  /** What happened, with all values filled in. */
  message: string;
  /** The values apart, for machines. 64-bit integers are numbers where exact, else strings. */
  properties: Record<string, unknown>;
}

/** How to set up a process's log. */
export interface LoggingOptions {
  /** The service's name, on every line. */
  service: string;
  /** Least important level to write. `off` still writes why a service died (`fatal`). */
  level: LogThreshold;
  /** Text for people instead of JSON for machines. Default: whether stderr is a terminal. */
  human?: boolean;
  /** Where lines go, each with its line feed. Default: stderr. */
  write?: (line: string) => void;
}

/**
 * Sets up the log of this process and returns its logger. May be called again, for example when the
 * config has told another level.
 */
export function configureLogging(options: LoggingOptions): Logger {
  const { service, level, human = Deno.stderr.isTerminal(), write = writeStderr } = options;
  const format = human ? formatForPeople : formatLine;
  configureSync({
    reset: true,
    sinks: { out: (record: LogRecord) => write(format(toLine(service, record))) },
    loggers: [
      { category: [], sinks: ["out"], lowestLevel: level === "off" ? "fatal" : level },
      { category: ["logtape", "meta"], lowestLevel: "error" },
    ],
  });
  return getLogger([service]);
}

/**
 * Logs a ready-made text. The methods of `Logger` take a template, in which braces are placeholders; texts
 * from elsewhere (errors, other processes) may hold any.
 */
export function logText(
  logger: Logger,
  level: LogLevel,
  text: string,
  properties: Record<string, unknown> = {},
): void {
  if (!logger.isEnabledFor(level)) return;
  logger.emit({ level, message: [text], rawMessage: text, timestamp: Date.now(), properties });
}

/** A log line as JSON with its line feed: the machine format. */
export function formatLine(line: LogLine): string {
  return JSON.stringify(line, jsonValue) + "\n";
}

/**
 * Reads back what {@link formatLine} wrote.
 *
 * @returns The line, or `undefined` if the text is not one (a crash message of the runtime, say).
 */
export function parseLine(text: string): LogLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // Not JSON: not a log line.
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { time, level, service, message, properties } = value as Partial<
    Record<keyof LogLine, unknown>
  >; // Every member is checked below.
  if (typeof time !== "string" || typeof service !== "string") return undefined;
  if (typeof level !== "string" || !isLogLevel(level) || typeof message !== "string") {
    return undefined;
  }
  const bag = typeof properties === "object" && properties !== null ? { ...properties } : {};
  return { time, level, service, message, properties: bag };
}

/**
 * A log line for a terminal: time of day, level, service, message, then the properties not in it. What came from
 * elsewhere can neither steer the terminal nor look like another line: characters that are not seen are replaced,
 * further lines are indented.
 */
export function formatForPeople(line: LogLine): string {
  const { error, ...rest } = line.properties;
  const pairs = Object.entries(rest)
    .map(([key, value]) => `${key}=${valueText(value)}`)
    .filter((pair) => !line.message.includes(pair.slice(pair.indexOf("=") + 1)))
    .map((pair) => pair.replaceAll("\n", " "));
  const tail = pairs.length === 0 ? "" : `  ${pairs.join(" ")}`;
  const stack = error === undefined ? "" : `\n${errorText(error)}`;
  const text = `${line.service}: ${line.message}${tail}${stack}`.trimEnd();
  return `${line.time.slice(11, 23)} ${line.level.padEnd(7)} ${indented(visible(text))}\n`;
}

/** Without characters that steer a terminal, or turn the direction of writing; line feeds and tabs stay. */
function visible(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\ufffd");
}

/** Whether a line of this level passes a threshold. */
export function passes(level: LogLevel, threshold: LogThreshold): boolean {
  return compareLogLevel(level, threshold === "off" ? "fatal" : threshold) >= 0;
}

function toLine(service: string, record: LogRecord): LogLine {
  return {
    time: new Date(record.timestamp).toISOString(),
    level: record.level,
    service,
    message: record.message.map((part, i) => i % 2 === 0 ? String(part) : valueText(part)).join(""),
    properties: record.properties,
  };
}

function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return value.message;
  return JSON.stringify(value, jsonValue) ?? String(value);
}

function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof Error) return describeError(value);
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function errorText(error: unknown): string {
  const { name, message, stack, cause } = describeError(error);
  const text = stack ?? `${name}: ${message}`;
  return cause === undefined ? text : `${text}\ncaused by ${cause.stack ?? cause.message}`;
}

/** All lines but the first further in. */
function indented(text: string): string {
  return text.replaceAll("\n", "\n    ");
}

const encoder = new TextEncoder();

/** Whole lines, synchronously: a line must be out before the process ends. */
function writeStderr(line: string): void {
  let bytes = encoder.encode(line);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch (error) {
    // Nobody reads stderr any more (the parent is gone): there is nowhere left to say so.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
