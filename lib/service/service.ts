import type * as commander from "@commander-js/extra-typings";
import { type DetectorConfig, loadConfig } from "../config/mod.ts";
import { describeError } from "./describe_error.ts";
import { readEnv } from "./env.ts";
import { ExitCode, exitCodeOf } from "./exit_code.ts";
import { parentGone } from "./exit_with_parent.ts";
import { type HealthReport, serveHealth } from "./health.ts";
import { flushLimited } from "./limited.ts";
import { configureLogging, type Logger, logText, type LogThreshold } from "./logging.ts";
import {
  type DetectorServiceProgram,
  type ServiceProgram,
  serviceProgram,
  withConfigArgument,
} from "./service_program.ts";
import { type DataWorker, type DataWorkerOptions, startDataWorker } from "./start_data_worker.ts";
import { type StopCallback, StopStack } from "./stop_stack.ts";

/** Time that `run` has to return after the stop signal, before its resources are taken down. */
const RUN_LIMIT_MS = 5_000;
const DEFAULT_STATS_PERIOD_S = 10;

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
  /** Adds a step to stopping. Steps run after `run` has ended, the last added first, at most 5 s each. */
  onStop(callback: StopCallback, name?: string): void;
  /** Ends the service with an error that happened outside `run`. The first one decides. */
  fail(error: unknown): void;
  /** Starts a data worker whose log, death and stop belong to this service. */
  startWorker<Counter extends string>(
    url: URL,
    options: DataWorkerOptions<Counter>,
  ): DataWorker<Counter>;
}

/** What a service of a detector is given besides. */
export interface DetectorServiceContext<Args, Options> extends ServiceContext<Args, Options> {
  /** The detector's config, checked. */
  readonly config: DetectorConfig;
  /** Where it came from. */
  readonly configPath: string;
}

/**
 * Options that commander parsed, by name.
 *
 * @ignore
 */
type OptionValues = commander.OptionValues;

/**
 * commander's command line with its arguments and options.
 *
 * @ignore
 */
type Command<Args extends unknown[], Options extends OptionValues> = commander.Command<
  Args,
  Options
>;

/** What every service says of itself. */
export interface SpecBase {
  /** The executable's name, e.g. `std_udp_recv`. */
  name: string;
  /** One sentence for `--help`. */
  summary: string;
}

/** A service of a detector: its first argument is the detector config. */
export interface DetectorServiceSpec<Args extends unknown[], Options extends OptionValues>
  extends SpecBase {
  /** It has a detector config. */
  config: "detector";
  /** Adds the service's own arguments and options. */
  arguments(program: DetectorServiceProgram): Command<Args, Options>;
  /** The service. Returning ends it with status 0; throwing with {@link exitCodeOf} the error. */
  run(context: DetectorServiceContext<Args, Options>): Promise<void>;
}

/** A service without a detector config. */
export interface PlainServiceSpec<Args extends unknown[], Options extends OptionValues>
  extends SpecBase {
  /** It has no detector config. */
  config: "none";
  /** Adds the service's own arguments and options. */
  arguments(program: ServiceProgram): Command<Args, Options>;
  /** The service. Returning ends it with status 0; throwing with {@link exitCodeOf} the error. */
  run(context: ServiceContext<Args, Options>): Promise<void>;
}

/**
 * Runs a service from its command line to its exit status: the whole of a `main.ts`. Needs no permission by
 * itself but `read` for the config; never asks for one.
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
  Deno.exit(await serve(spec, args));
}

async function serve<Args extends unknown[], Options extends OptionValues>(
  spec: DetectorServiceSpec<Args, Options> | PlainServiceSpec<Args, Options>,
  args: readonly string[],
): Promise<ExitCode> {
  const base = serviceProgram(spec.name, spec.summary);
  const command = spec.config === "detector"
    ? spec.arguments(withConfigArgument(base))
    : spec.arguments(base);
  try {
    command.parse(args, { from: "user" });
  } catch (error) {
    return commanderExitCode(error);
  }
  const common: CommonOptions = base.opts();
  const service = new RunningService(spec.name, common);
  const shared = { args: command.processedArgs, options: command.opts() };
  return await service.live(async () => {
    if (spec.config === "none") {
      service.startStats(DEFAULT_STATS_PERIOD_S);
      return await spec.run({ ...service.context, ...shared });
    }
    const configPath = command.args[0]!; // `<config>` is mandatory
    const config = await service.loadConfig(configPath);
    await spec.run({ ...service.context, ...shared, config, configPath });
  });
}

type CommonOptions = ReturnType<ServiceProgram["opts"]>;

/** A service's process: its log, signals, stop steps and reports. */
class RunningService {
  readonly name: string;
  readonly context: Omit<ServiceContext<never, never>, "args" | "options">;
  readonly #options: CommonOptions;
  readonly #controller = new AbortController();
  readonly #stops = new StopStack();
  readonly #stats: (() => Stats)[] = [];
  readonly #checks = new Map<string, () => string | null>();
  readonly #logger: Logger;
  #isReady = false;
  #failure: { error: unknown } | undefined;

  constructor(name: string, options: CommonOptions) {
    this.name = options.serviceName ?? readEnv("SERVICE_NAME") ?? name;
    this.#options = options;
    this.#logger = this.#configureLogging(options.logLevel ?? "info");
    const signal = this.#controller.signal;
    const stopped = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => stopped.resolve(), { once: true });
    this.context = {
      serviceName: this.name,
      logger: this.#logger,
      signal,
      stopped: stopped.promise,
      ready: (info = {}) => this.#ready(info),
      onStats: (values) => void this.#stats.push(values),
      onHealth: (key, check) => void this.#checks.set(key, check),
      onStop: (callback, stepName) => this.#stops.push(callback, stepName),
      fail: (error) => this.#fail(error),
      startWorker: (url, workerOptions) => this.#startWorker(url, workerOptions),
    };
  }

  /** Loads the detector config and takes the log level and stats period from it. */
  async loadConfig(path: string): Promise<DetectorConfig> {
    const { config, warnings } = await loadConfig(path);
    this.#configureLogging(this.#options.logLevel ?? config.log_level);
    for (const warning of warnings) logText(this.#logger, "warning", `config: ${warning}`);
    this.startStats(config.stats_collection_period);
    return config;
  }

  /** Starts the stats log. @param period s */
  startStats(period: number): void {
    const timer = setInterval(() => this.#logStats(), period * 1_000);
    this.#stops.push(() => clearInterval(timer), "stats");
  }

  /** Runs `body` between set-up and an ordered stop. */
  async live(body: () => Promise<void>): Promise<ExitCode> {
    this.#listen();
    try {
      this.#serveHealth();
      await this.#untilOver(body());
    } catch (error) {
      // Code that passes the signal on ends by throwing its reason: that is a clean stop.
      if (error !== this.context.signal.reason) this.#fail(error);
    }
    this.#stop("done");
    if (this.#isReady) this.#logStats();
    for (const { name, error } of await this.#stops.run()) {
      this.#logger.error("stopping {name} failed", { name, error });
      this.#failure ??= { error };
    }
    flushLimited();
    if (this.#failure === undefined) {
      this.#logger.info("stopped");
      return ExitCode.ok;
    }
    const { error } = this.#failure;
    const code = exitCodeOf(error);
    logFailure(this.#logger, error, code);
    return code;
  }

  #configureLogging(level: LogThreshold): Logger {
    return configureLogging({ service: this.name, level });
  }

  /** Waits for `run`, but not for ever once it has been told to stop. */
  async #untilOver(running: Promise<void>): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onAbort = (): void => {
      timer = setTimeout(
        () =>
          reject(new Error(`run() did not return within ${RUN_LIMIT_MS} ms of the stop signal`)),
        RUN_LIMIT_MS,
      );
    };
    this.context.signal.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([running, late]);
    } finally {
      clearTimeout(timer);
      this.context.signal.removeEventListener("abort", onAbort);
    }
  }

  #listen(): void {
    let signals = 0;
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(name, () => {
        // Ctrl-C reaches the whole terminal group; a supervised service waits for its parent's word.
        if (name === "SIGINT" && this.#options.exitWithParent) return;
        // An operator who presses Ctrl-C twice does not want to wait.
        if (name === "SIGINT" && ++signals > 1) Deno.exit(ExitCode.failure);
        this.#stop(name);
      });
    }
    if (this.#options.exitWithParent) parentGone().then(() => this.#stop("parent gone"));
    globalThis.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      this.#fail(event.reason);
    });
    globalThis.addEventListener("error", (event) => {
      event.preventDefault();
      this.#fail(event.error);
    });
  }

  #stop(why: string): void {
    if (this.context.signal.aborted) return;
    this.#logger.info("stopping: {why}", { why });
    this.#controller.abort(new DOMException(`stopping: ${why}`, "AbortError"));
  }

  #fail(error: unknown): void {
    if (this.#failure === undefined) this.#failure = { error };
    else if (this.#failure.error !== error) {
      this.#logger.error("a further failure while stopping", { error });
    }
    this.#stop("failure");
  }

  #ready(info: Record<string, unknown>): void {
    if (this.#isReady || this.context.signal.aborted) return;
    this.#isReady = true;
    const line: ReadyLine = { ...info, event: "ready", service: this.name, pid: Deno.pid };
    writeStdout(JSON.stringify(line, (_key, v) => typeof v === "bigint" ? Number(v) : v) + "\n");
    this.#logger.info("ready", info);
  }

  #startWorker<Counter extends string>(
    url: URL,
    options: DataWorkerOptions<Counter>,
  ): DataWorker<Counter> {
    const worker = startDataWorker(url, {
      onLog: (level, message, properties) =>
        logText(this.#logger, level, message, { worker: options.name, ...properties }),
      ...options,
    });
    worker.failed.catch((error) => this.#fail(error));
    this.#stops.push(() => worker.stop(), options.name);
    return worker;
  }

  #logStats(): void {
    if (this.#stats.length > 0) this.#logger.info("stats", this.#collectStats());
  }

  #collectStats(): Stats {
    return Object.assign({}, ...this.#stats.map((values) => values()));
  }

  #serveHealth(): void {
    const { healthPort } = this.#options;
    if (healthPort === undefined) return;
    const server = serveHealth(healthPort, () => this.#health());
    this.#logger.info("health on http://127.0.0.1:{port}/health", { port: server.port });
    this.#stops.push(() => server.stop(), "health port");
  }

  #status(wrong: boolean): HealthReport["status"] {
    if (this.context.signal.aborted) return "stopping";
    if (!this.#isReady) return "starting";
    return wrong ? "failing" : "ok";
  }

  #health(): HealthReport {
    const checks = Object.fromEntries([...this.#checks].map(([name, check]) => [name, check()]));
    const wrong = Object.values(checks).some((text) => text !== null);
    return {
      status: this.#status(wrong),
      service: this.name,
      pid: Deno.pid,
      uptime_s: Math.round(performance.now()) / 1_000,
      checks,
      stats: this.#collectStats(),
    };
  }
}

/** One line with the whole chain of causes; a stack only where it helps: for what nobody expected. */
function logFailure(logger: Logger, error: unknown, code: ExitCode): void {
  const { message } = describeError(error);
  const expected = code !== ExitCode.failure && code !== ExitCode.dataWorker;
  const properties = { exit_code: code, error: expected ? withoutStack(error) : error };
  logText(logger, "fatal", message, properties);
}

function withoutStack(error: unknown): object {
  return JSON.parse(
    JSON.stringify(describeError(error), (key, value) => key === "stack" ? undefined : value),
  );
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

const encoder = new TextEncoder();

function writeStdout(text: string): void {
  let bytes = encoder.encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}
