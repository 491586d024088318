import { ServiceStartError } from "./service_start_error.ts";

/** How a service ended, as its exit status. `README.md` has the same table for operators. */
export const ExitCode = {
  /** Stopped by a signal, by the end of its parent, or because its work was done. */
  ok: 0,
  /** An unexpected failure: a defect, to be reported with the log. */
  failure: 1,
  /** Wrong command line. */
  usage: 2,
  /** Wrong config or none, or a file that it names is not what it should be. */
  config: 3,
  /** Something outside could not be had: a port, memory, a locked ring, a permission. */
  resource: 4,
  /** A data worker died of an unexpected failure. */
  dataWorker: 5,
} as const;

/** One of the values of {@link ExitCode}. */
export type ExitCode = typeof ExitCode[keyof typeof ExitCode];

/**
 * Names of errors that mean "the machine did not give it". They are compared by name, so that a service
 * without system calls needs no FFI permission just to know `OsError`.
 */
const RESOURCE_ERRORS: ReadonlySet<string> = new Set([
  "OsError",
  "ZmqError",
  "UnsupportedPlatformError",
  "AddrInUse",
  "AddrNotAvailable",
  "NotCapable",
  "NotFound",
  "PermissionDenied",
  "BrokerError",
  "BrokerAwayError",
  "UnroutableError",
  "QueueFullError",
  "StoreError",
]);

/** Names of errors that mean "what was asked for makes no sense". */
const USAGE_ERRORS: ReadonlySet<string> = new Set([
  "UsageError",
  "BrokerUsageError",
  "StoreUsageError",
]);

/** Names of errors that mean "the config, or a file that it names, is not what is needed". */
const CONFIG_ERRORS: ReadonlySet<string> = new Set([
  "ConfigError",
  "NoConfigError",
  "CalibrationError",
  "ArrayFileError",
]);

/**
 * The exit status for an error. The chain of causes is followed from the outside in; the first error that
 * has a status of its own decides, and an unexpected death of a data worker is found below those.
 *
 * @param error What was thrown.
 */
export function exitCodeOf(error: unknown): ExitCode {
  let inWorker = false;
  for (const link of causeChain(error)) {
    const { name } = link;
    if (link instanceof ServiceStartError) return exitCodeOfChild(link.exitCode);
    if (USAGE_ERRORS.has(name)) return ExitCode.usage;
    if (CONFIG_ERRORS.has(name)) return ExitCode.config;
    if (RESOURCE_ERRORS.has(name) || /^Ring\w*Error$/.test(name)) return ExitCode.resource;
    if (name === "DataWorkerError") inWorker = true;
  }
  return inWorker ? ExitCode.dataWorker : ExitCode.failure;
}

/** An error and its causes, outermost first; at most 16, whatever cycles there are. */
export function causeChain(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error && chain.length < 16; at = at.cause) chain.push(at);
  return chain;
}

/** A supervisor that cannot start a child ends as that child did, if it ended by the table. */
function exitCodeOfChild(exitCode: number | undefined): ExitCode {
  const known = Object.values(ExitCode).find((code) => code === exitCode && code !== ExitCode.ok);
  return known ?? ExitCode.failure;
}
