import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { parseCpuList } from "../host/cpu_list.ts";
import { LOG_LEVELS } from "./logging.ts";

/**
 * The command line that all services share, for a service to add to.
 *
 * It touches neither the environment nor the terminal's size beyond what Deno gives without permission, and
 * throws instead of exiting.
 *
 * @ignore Its type is the one commander infers.
 * @param name The service.
 * @param summary One sentence for `--help`.
 */
// The return type is what commander's typings infer from the options; naming it would repeat them all.
// deno-lint-ignore explicit-function-return-type
export function serviceProgram(name: string, summary: string) {
  return new Command(name)
    .description(summary)
    .addOption(
      new Option("--log-level <level>", "least important log line to write (default: the config's)")
        .choices(LOG_LEVELS),
    )
    .option("--service-name <name>", `name in logs (env: SERVICE_NAME; default: ${name})`)
    .option("--health-port <port>", "serve GET /health on 127.0.0.1 (needs --allow-net)", parsePort)
    .option("--redis <url>", "config and status in Redis (env: REDIS_URL, REDIS_HOST, REDIS_PORT)")
    .option("--exit-with-parent", "stop when stdin is closed: a supervisor sets it")
    // For supervisors alone: with --exit-with-parent, load everything and wait for a word on stdin.
    .addOption(new Option("--stand-by").hideHelp())
    .exitOverride()
    .configureOutput({ getOutHasColors: () => false, getErrHasColors: () => false });
}

/** The command line of a service without a detector config, before it adds its own. */
export type ServiceProgram = ReturnType<typeof serviceProgram>;

/** The same with `[config]` as first argument. */
export type DetectorServiceProgram = ReturnType<typeof withConfigArgument>;

/** The same with `--config`. */
export type ConfiguredServiceProgram = ReturnType<typeof withConfigOption>;

/**
 * The command line with the detector config as its first argument.
 *
 * @ignore Its type is the one commander infers.
 */
// deno-lint-ignore explicit-function-return-type
export function withConfigArgument(program: ServiceProgram) {
  return program.argument(
    "[config]",
    "detector config, a JSON file (default: config.json, else Redis's config.<service name>)",
  );
}

/**
 * The command line with a config of the service's own.
 *
 * @ignore Its type is the one commander infers.
 */
// deno-lint-ignore explicit-function-return-type
export function withConfigOption(program: ServiceProgram) {
  return program.option(
    "--config <file>",
    "config, a JSON file (default: config.json, else Redis's config.<service name>)",
  );
}

/**
 * The command line of a service that takes requests through RabbitMQ.
 *
 * @ignore Its type is the one commander infers.
 */
// deno-lint-ignore explicit-function-return-type
export function withBrokerOptions(program: ServiceProgram) {
  return program
    .option("--broker <url>", "RabbitMQ, amqp[s]://… (env: BROKER_URL, BROKER_HOST, …)")
    .option("--tag <pattern>", "which requests are for this service (default: #, all)")
    .option("--queue <name>", "queue that all instances share (default: one of its own)")
    .addOption(
      new Option(
        "--killed-ends-as <end>",
        "what is told of a killed request; the original says success (default: fail)",
      ).choices(["fail", "success"] as const),
    )
    .option(
      "--max-request-bytes <n>",
      "longest request that is taken, bytes (default: 1 MiB)",
      parseInteger(1),
    );
}

/**
 * The command line of a service that goes on where another one has succeeded.
 *
 * @ignore Its type is the one commander infers.
 */
// deno-lint-ignore explicit-function-return-type
export function withPrimaryOption(program: ServiceProgram) {
  return program.option("--primary <service>", "name of the service to follow");
}

/**
 * A commander parser for a port number.
 *
 * @throws {InvalidArgumentError} If it is not an integer from 0 to 65535.
 */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError("expected an integer from 0 to 65535.");
  return port;
}

/**
 * Makes a commander parser for an integer option.
 *
 * @param lowest Smallest value allowed.
 * @param highest Largest value allowed.
 * @returns A parser that throws `InvalidArgumentError` naming the range.
 */
export function parseInteger(
  lowest: number,
  highest = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    if (value >= lowest && value <= highest) return value;
    const range = highest === Number.MAX_SAFE_INTEGER
      ? `${lowest} or more`
      : `${lowest} to ${highest}`;
    throw new InvalidArgumentError(`expected an integer, ${range}.`);
  };
}

/**
 * A commander parser for a list of CPUs such as `0-3,8`.
 *
 * @returns Their numbers, ascending, each once.
 * @throws {InvalidArgumentError} If it is no such list.
 */
export function parseCpus(text: string): number[] {
  try {
    return parseCpuList(text);
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}
