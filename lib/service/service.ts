import type * as commander from "@commander-js/extra-typings";
import type { BrokerOptions, RequestSchema } from "../broker/mod.ts";
import type { DetectorConfig } from "../config/mod.ts";
import type { ResolvedStore } from "../store/mod.ts";
import { defaultServiceSetup } from "./default_service_setup.ts";
import type { Logger } from "./logging.ts";
import type {
  ConfiguredServiceProgram,
  DetectorServiceProgram,
  ServiceProgram,
} from "./service_program.ts";
import type { DataWorker, DataWorkerOptions } from "./start_data_worker.ts";
import type { StopCallback } from "./stop_stack.ts";

/** Values for the stats log: counters and rates, or a state in words. */
export type Stats = Record<string, number | bigint | string>;

/** The line on stdout that tells a supervisor that a service is ready; more members as the service gives. */
export interface ReadyLine {
  /** What the line says. */
  event: "ready";
  /** The service's name. */
  service: string;
  /** Its process. */
  pid: number;
  /** What the service gave to `ready()`. */
  [info: string]: unknown;
}

/** The line on stdout that tells a supervisor that a service has loaded what it needs and stands by. */
export interface LoadedLine {
  /** What the line says. */
  event: "loaded";
  /** The service's name. */
  service: string;
  /** Its process. */
  pid: number;
}

/** What every service is given. */
export interface ServiceContext<Args, Options> {
  /** `--service-name`, SERVICE_NAME, or the spec's name. */
  readonly serviceName: string;
  /** Positional arguments, the config's path included. */
  readonly args: Args;
  /** Options, the common ones included. */
  readonly options: Options;
  /** The service's log. */
  readonly logger: Logger;
  /** Aborts when the service is to stop: SIGINT, SIGTERM, the parent's end, or a failure. */
  readonly signal: AbortSignal;
  /** Resolves when {@link signal} aborts: what `run` waits for once all is set up. */
  readonly stopped: Promise<void>;
  /** Tells the world, once, that work can come: one line of JSON on stdout. */
  ready(info?: Record<string, unknown>): void;
  /** Adds values to the stats log, asked every `stats_collection_period`. */
  onStats(values: () => Stats): void;
  /** Adds a check to the health report: `null` is well, a text says what is wrong. */
  onHealth(name: string, check: () => string | null): void;
  /**
   * Adds a step to stopping. Steps run after `run` has ended, the last added first, at most 5 s each, and until 9 s
   * after the signal: what must not be lost comes before what may take long.
   */
  onStop(callback: StopCallback, name?: string): void;
  /** Ends the service with an error that happened outside `run`. The first one decides. */
  fail(error: unknown): void;
  /** Redis as `--redis` or the environment names it; undefined where nothing does. */
  readonly redis: ResolvedStore | undefined;
  /** What the command line and the environment say of RabbitMQ. */
  readonly broker: BrokerSettings;
  /** Starts a data worker whose log, death and stop belong to this service. */
  startWorker<Counter extends string>(
    url: URL,
    options: DataWorkerOptions<Counter>,
  ): DataWorker<Counter>;
}

/** RabbitMQ, as a service is told of it. */
export interface BrokerSettings {
  /** Whether `--broker`, BROKER_URL or BROKER_HOST names one; else it is this machine's. */
  readonly isNamed: boolean;
  /** Which requests are for this service, a topic pattern; `--tag`. */
  readonly tag: string | undefined;
  /** Queue that instances share; `--queue`. */
  readonly queue: string | undefined;
  /** What is told of a killed request; `--killed-ends-as`. */
  readonly killedEndsAs: "fail" | "success" | undefined;
  /** Longest request, bytes; `--max-request-bytes`. */
  readonly maxRequestBytes: number | undefined;
  /** Service that a post-processing service follows; `--primary`. */
  readonly primary: string | undefined;
  /**
   * Its address, with user and password.
   *
   * @throws {BrokerError} If the URL is none, or a file with a secret cannot be read.
   */
  address(): BrokerOptions;
}

/** What a service that has a config is given besides. */
export interface ConfiguredServiceContext<Config, Args, Options>
  extends ServiceContext<Args, Options> {
  /** The config, checked. */
  readonly config: Config;
  /** Where it came from: a path, a key of Redis, or that all is default. */
  readonly configSource: string;
}

/** What a service of a detector is given. */
export type DetectorServiceContext<Args, Options> = ConfiguredServiceContext<
  DetectorConfig,
  Args,
  Options
>;

/**
 * Options that commander parsed, by name.
 *
 * @ignore
 */
export type OptionValues = commander.OptionValues;

/**
 * commander's command line with its arguments and options.
 *
 * @ignore
 */
export type Command<Args extends unknown[], Options extends OptionValues> = commander.Command<
  Args,
  Options
>;

/**
 * How a service gets its work: by itself, by requests through RabbitMQ, or by what another service has done.
 * The latter two have `--broker`, `--tag`, `--queue`, `--killed-ends-as` and `--max-request-bytes`, the last one
 * `--primary` besides.
 */
export type ServiceKind = "background" | "primary" | "postprocessing";

/** What every service says of itself. */
export interface SpecBase {
  /** The executable's name, e.g. `std_udp_recv`. */
  name: string;
  /** One sentence for `--help`. */
  summary: string;
  /** Default `background`. */
  kind?: ServiceKind;
  /** Modules of its data workers: one of each is loaded while the service stands by for another's end. */
  workers?: readonly URL[];
}

/** The set-up of a service of a detector: its first argument is the detector config. */
export interface DetectorSetup<Args extends unknown[], Options extends OptionValues>
  extends SpecBase {
  /** It has a detector config. */
  config: "detector";
  /** Adds the service's own arguments and options. */
  arguments(program: DetectorServiceProgram): Command<Args, Options>;
}

/** The set-up of a service without a config. */
export interface PlainSetup<Args extends unknown[], Options extends OptionValues> extends SpecBase {
  /** It has no config. */
  config: "none";
  /** Adds the service's own arguments and options. */
  arguments(program: ServiceProgram): Command<Args, Options>;
}

/** Checks what a config is: any schema of zod, and whatever checks in the same way. */
export type ConfigSchema<Config> = RequestSchema<Config>;

/** The set-up of a service with a config of its own, given by `--config`. */
export interface ConfiguredSetup<Config, Args extends unknown[], Options extends OptionValues>
  extends SpecBase {
  /** What its config must look like. Where it takes `{}`, the service can do without one. */
  config: ConfigSchema<Config>;
  /** Adds the service's own arguments and options. Default: none. */
  arguments?(program: ConfiguredServiceProgram): Command<Args, Options>;
}

/** A service of a detector. */
export interface DetectorServiceSpec<Args extends unknown[], Options extends OptionValues>
  extends DetectorSetup<Args, Options> {
  /** The service. Returning ends it with status 0; throwing with {@link exitCodeOf} the error. */
  run(context: DetectorServiceContext<Args, Options>): Promise<void>;
}

/** A service without a config. */
export interface PlainServiceSpec<Args extends unknown[], Options extends OptionValues>
  extends PlainSetup<Args, Options> {
  /** The service. Returning ends it with status 0; throwing with {@link exitCodeOf} the error. */
  run(context: ServiceContext<Args, Options>): Promise<void>;
}

/**
 * Runs a service from its command line to its exit status: the whole of a `main.ts`. It is
 * {@link defaultServiceSetup} and what follows in one call. Needs no permission by itself but `read` for the
 * config; never asks for one.
 *
 * @example
 * ```ts ignore
 * await runService({
 *   name: "std_example",
 *   summary: "Counts images.",
 *   config: "detector",
 *   arguments: (program) => program.option("--every <n>", "log every n-th", Number, 100),
 *   async run({ config, options, logger, ready, stopped }): Promise<void> {
 *     logger.info("following {name}", { name: config.detector_name, every: options.every });
 *     ready();
 *     await stopped;
 *   },
 * });
 * ```
 * @param spec The service.
 * @param args Its command line. Default: this process's.
 * @returns Never: the process exits.
 */
export async function runService<Args extends unknown[], Options extends OptionValues>(
  spec: DetectorServiceSpec<Args, Options> | PlainServiceSpec<Args, Options>,
  args: readonly string[] = Deno.args,
): Promise<never> {
  if (spec.config === "none") {
    const service = await defaultServiceSetup(spec, args);
    return await service.run(() => spec.run(service));
  }
  const service = await defaultServiceSetup(spec, args);
  return await service.run(() => spec.run(service));
}
