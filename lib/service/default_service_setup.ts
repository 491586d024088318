import { checkName } from "../broker/names.ts";
import { resolveBroker } from "../broker/broker_options.ts";
import { ConfigError, type DetectorConfig, parseConfig } from "../config/mod.ts";
import { unknownFields, valueIssues } from "../validation/mod.ts";
import { type CommonOptions, RunningService } from "./_running_service.ts";
import { readEnv } from "./env.ts";
import { ExitCode } from "./exit_code.ts";
import { findConfig, type FoundConfig } from "./find_config.ts";
import { logText } from "./logging.ts";
import type {
  BrokerSettings,
  ConfiguredServiceContext,
  ConfiguredSetup,
  DetectorSetup,
  OptionValues,
  PlainSetup,
  ServiceContext,
  ServiceKind,
} from "./service.ts";
import {
  type ServiceProgram,
  serviceProgram,
  withBrokerOptions,
  withConfigArgument,
  withConfigOption,
  withPrimaryOption,
} from "./service_program.ts";

const DEFAULT_STATS_PERIOD_S = 10;

/** A service that is set up and has not begun its work. */
export interface Runnable {
  /**
   * Does the service's work, then stops in good order and ends the process with its exit status.
   *
   * @param work The service; default: it waits until it is told to stop.
   * @returns Never: the process exits.
   */
  run(work?: () => Promise<void>): Promise<never>;
}

/** A set-up service that has a config. */
export type ServiceSetup<Config, Args = unknown, Options = unknown> =
  & ConfiguredServiceContext<Config, Args, Options>
  & Runnable;

/**
 * Sets up a service, in one call at the top of its `main.ts`: arguments and environment, name, log, signals,
 * health port, config, and, where Redis is named, its status there. When any of this fails, it says why and
 * ends the process with the status of the table in `lib/service/README.md`.
 *
 * The config is that of the file given (`<config>` of a detector's service, `--config` of others), else
 * `config.json`, else Redis's `config.[service_name]`, else `{}` where the schema takes that.
 *
 * @example
 * ```ts ignore
 * import { z } from "zod";
 * import { defaultServiceSetup, servePrimary } from "@std-daq/std-daq/service";
 *
 * const service = await defaultServiceSetup({
 *   name: "noop",
 *   summary: "Does nothing, and says so.",
 *   kind: "primary",
 *   config: z.object({ answer: z.string().default("done") }),
 * });
 * await servePrimary(service, {
 *   schema: z.looseObject({}),
 *   onRequest: () => service.config.answer,
 * });
 * ```
 * @param spec The service.
 * @param args Its command line. Default: this process's.
 */
export async function defaultServiceSetup<Args extends unknown[], Options extends OptionValues>(
  spec: DetectorSetup<Args, Options>,
  args?: readonly string[],
): Promise<ServiceSetup<DetectorConfig, Args, Options>>;
/** The same for a service without a config. */
export async function defaultServiceSetup<Args extends unknown[], Options extends OptionValues>(
  spec: PlainSetup<Args, Options>,
  args?: readonly string[],
): Promise<ServiceContext<Args, Options> & Runnable>;
/** The same for a service with a config of its own. */
export async function defaultServiceSetup<
  Config,
  Args extends unknown[] = [],
  Options extends OptionValues = OptionValues,
>(
  spec: ConfiguredSetup<Config, Args, Options>,
  args?: readonly string[],
): Promise<ServiceSetup<Config, Args, Options>>;
export async function defaultServiceSetup(
  spec: Spec,
  args: readonly string[] = Deno.args,
): Promise<ServiceSetup<unknown, unknown[], OptionValues>> {
  const line = commandLine(spec, args);
  const service = new RunningService(spec.name, line.common);
  const { config, source, redis } = await service.attempt(() => setUp(service, spec, line));
  let running = false;
  // Whatever happens between the set-up and run() ends the service as well.
  const onAbort = (): unknown => running || service.end();
  service.context.signal.addEventListener("abort", onAbort, { once: true });
  return {
    ...service.context,
    args: line.args,
    options: line.options,
    config,
    configSource: source,
    redis,
    broker: brokerSettings(line.broker),
    async run(work = () => service.context.stopped): Promise<never> {
      running = true;
      await service.attempt(work);
      return await service.end();
    },
  };
}

type Spec =
  | DetectorSetup<unknown[], OptionValues>
  | PlainSetup<unknown[], OptionValues>
  | ConfiguredSetup<unknown, unknown[], OptionValues>;

/** Options of a service that takes requests. */
interface BrokerLine {
  broker?: string;
  tag?: string;
  queue?: string;
  killedEndsAs?: "fail" | "success";
  maxRequestBytes?: number;
  primary?: string;
}

/** What the command line says. */
interface CommandLine {
  args: unknown[];
  options: OptionValues;
  common: CommonOptions;
  broker: BrokerLine;
  /** The config's file, if one is given. */
  file: string | undefined;
}

/** Parses the command line; ends the process if it is wrong or asks for help. */
function commandLine(spec: Spec, args: readonly string[]): CommandLine {
  const base = serviceProgram(spec.name, spec.summary);
  const broker = brokerLine(base, spec.kind ?? "background");
  const { command, file } = withConfig(spec, base);
  try {
    command.parse(args, { from: "user" });
  } catch (error) {
    Deno.exit(commanderExitCode(error));
  }
  return {
    args: command.processedArgs,
    options: command.opts(),
    common: base.opts(),
    broker: broker(),
    file: file(),
  };
}

/** Adds what the kind of service takes; the result reads it when it is parsed. */
function brokerLine(base: ServiceProgram, kind: ServiceKind): () => BrokerLine {
  if (kind === "background") return () => ({});
  const program = withBrokerOptions(base);
  if (kind === "primary") return () => program.opts();
  const following = withPrimaryOption(base);
  return () => ({ ...program.opts(), ...following.opts() });
}

/** Adds the config and the service's own arguments; `file` tells the config's when it is parsed. */
// deno-lint-ignore explicit-function-return-type -- commander's typings
function withConfig(spec: Spec, base: ServiceProgram) {
  if (spec.config === "none") return { command: spec.arguments(base), file: () => undefined };
  if (spec.config === "detector") {
    const command = spec.arguments(withConfigArgument(base));
    return { command, file: () => command.args[0] };
  }
  const program = withConfigOption(base);
  const command = spec.arguments?.(program) ?? program;
  return { command, file: () => program.opts().config };
}

/** A config that was found and is right. */
interface SetUp {
  config: unknown;
  source: string;
  redis: ReturnType<RunningService["redis"]>;
}

/** From signals to the status in Redis. */
async function setUp(service: RunningService, spec: Spec, line: CommandLine): Promise<SetUp> {
  checkNames(service.name, line.broker);
  await service.open(spec.workers ?? []);
  const redis = service.redis();
  // Loaded only where Redis is named.
  const registry = redis && await (await import("../store/mod.ts")).ServiceRegistry.open(redis);
  if (registry !== undefined) service.context.onStop(() => registry[Symbol.dispose](), "Redis");
  const lookUp = async (allowsEmpty: boolean, about?: About): Promise<FoundConfig> => {
    const { file } = line;
    try {
      return await findConfig({ serviceName: service.name, file, registry, allowsEmpty, about });
    } catch (error) {
      service.context.signal.throwIfAborted();
      throw error;
    }
  };
  const { config, source } = await configOf(service, spec, lookUp);
  if (registry !== undefined) service.reportStatus(registry, config);
  return { config, source, redis };
}

/** @throws {BrokerUsageError} If a name can be none: before anything is done under it. */
function checkNames(serviceName: string, { tag, queue, primary }: BrokerLine): void {
  checkName("service name", serviceName);
  if (tag !== undefined) checkName("tag", tag);
  if (queue !== undefined) checkName("queue", queue);
  if (primary !== undefined) checkName("primary service", primary);
}

type About = { what: string; described: string };
type LookUp = (allowsEmpty: boolean, about?: About) => Promise<FoundConfig>;

async function configOf(
  service: RunningService,
  spec: Spec,
  lookUp: LookUp,
): Promise<{ config: unknown; source: string }> {
  if (spec.config === "none") {
    service.startStats(DEFAULT_STATS_PERIOD_S);
    return { config: {}, source: "none" };
  }
  if (spec.config === "detector") {
    const { json, source } = await lookUp(false);
    const { config, warnings } = parseConfig(json, source);
    service.setLogLevel(config.log_level);
    warn(service, warnings);
    service.startStats(config.stats_collection_period);
    return { config, source };
  }
  const about = { what: `config of ${spec.name}`, described: `services/${spec.name}/README.md` };
  const { json, source } = await lookUp(spec.config.safeParse({}).success, about);
  const warnings = unknownFields(spec.config, json);
  const checked = spec.config.safeParse(json);
  if (!checked.success) {
    throw new ConfigError(source, valueIssues(checked.error.issues, json), { ...about, warnings });
  }
  warn(service, warnings);
  service.startStats(DEFAULT_STATS_PERIOD_S);
  return { config: checked.data, source };
}

/** Says what of a config has no effect. */
function warn(service: RunningService, warnings: readonly string[]): void {
  for (const warning of warnings) {
    logText(service.context.logger, "warning", `config: ${warning}`);
  }
}

function brokerSettings(line: BrokerLine): BrokerSettings {
  const { broker, tag, queue, killedEndsAs, maxRequestBytes, primary } = line;
  const named = broker ?? readEnv("BROKER_URL") ?? readEnv("BROKER_HOST");
  return {
    isNamed: named !== undefined,
    tag,
    queue,
    killedEndsAs,
    maxRequestBytes,
    primary,
    address: () => resolveBroker({ url: broker, env: readEnv }),
  };
}

/** commander has already said what was wrong. */
function commanderExitCode(error: unknown): ExitCode {
  const asked = error instanceof Error && "exitCode" in error && error.exitCode === 0;
  if (asked) return ExitCode.ok; // --help
  if (error instanceof Error && "code" in error && String(error.code).startsWith("commander.")) {
    return ExitCode.usage;
  }
  throw error;
}
