/**
 * A service's process, from its set-up to its end. Private to `lib/service`.
 *
 * @module
 */
import { type ResolvedStore, resolveRedis } from "../store/store_address.ts";
import type { ServiceRegistry } from "../store/mod.ts";
import { describeError } from "./describe_error.ts";
import { readEnv } from "./env.ts";
import { ExitCode, exitCodeOf } from "./exit_code.ts";
import { parentGone } from "./exit_with_parent.ts";
import { type HealthReport, serveHealth } from "./health.ts";
import { flushLimited } from "./limited.ts";
import { configureLogging, type Logger, logText, type LogThreshold } from "./logging.ts";
import type { LoadedLine, ReadyLine, ServiceContext, Stats } from "./service.ts";
import type { ServiceProgram } from "./service_program.ts";
import {
  type DataWorker,
  type DataWorkerOptions,
  loadDataWorker,
  type LoadedWorker,
  startDataWorker,
} from "./start_data_worker.ts";
import { StatusReporter } from "./status_reporter.ts";
import { STOP_LIMIT_MS, StopStack } from "./stop_stack.ts";

/** Time that `run` has to return after the stop signal, before its resources are taken down. */
const RUN_LIMIT_MS = 5_000;

/** Options that all services have. */
export type CommonOptions = ReturnType<ServiceProgram["opts"]>;

/** What a process gives to its service, besides what the command line says. */
type ProcessContext = Omit<ServiceContext<never, never>, "args" | "options" | "broker" | "redis">;

/** A service's process: its log, signals, stop steps and reports. */
export class RunningService {
  readonly name: string;
  readonly context: ProcessContext;
  readonly #options: CommonOptions;
  readonly #controller = new AbortController();
  readonly #stops = new StopStack();
  readonly #stats: (() => Stats)[] = [];
  readonly #checks = new Map<string, () => string | null>();
  readonly #logger: Logger;
  /** Workers that are loaded and have no work yet, by their module. */
  readonly #loaded = new Map<string, LoadedWorker>();
  readonly #word = Promise.withResolvers<void>();
  #isReady = false;
  /** When it was told to stop, ms of the process. */
  #stopBegan = 0;
  #failure: { error: unknown } | undefined;
  #ending: Promise<never> | undefined;
  #reporter: StatusReporter | undefined;

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

  /** Where Redis is; undefined where nothing names one. */
  redis(): ResolvedStore | undefined {
    return resolveRedis({ address: this.#options.redis, env: readEnv });
  }

  /** Takes another least level of log lines, unless the command line names one. */
  setLogLevel(level: LogThreshold): void {
    this.#configureLogging(this.#options.logLevel ?? level);
  }

  /** Keeps this service's status in Redis until it stops. */
  reportStatus(registry: ServiceRegistry, config: unknown): void {
    const reporter = new StatusReporter({
      registry,
      config,
      serviceName: this.name,
      host: hostName(),
      state: () => this.#health().status,
      stats: () => this.#collectStats(),
      onNote: (note) => logText(this.#logger, "warning", note),
    });
    this.#reporter = reporter;
    this.#stops.push(() => reporter[Symbol.asyncDispose](), "status in Redis");
  }

  /** Starts the stats log. @param period s */
  startStats(period: number): void {
    const timer = setInterval(() => this.#logStats(), period * 1_000);
    this.#stops.push(() => clearInterval(timer), "stats");
  }

  /**
   * Does a part of the service's work. When it fails, or the service is told to stop before it is done, the
   * process ends in good order.
   */
  async attempt<T>(part: () => Promise<T>): Promise<T> {
    try {
      return await this.#untilOver(part());
    } catch (error) {
      // Code that passes the signal on ends by throwing its reason: that is a clean stop.
      if (error !== this.context.signal.reason) this.#fail(error);
      return await this.end();
    }
  }

  /**
   * Listens to signals and, when the supervisor has given its word if it is to be waited for, serves the health
   * port.
   *
   * @param workers Modules of data workers, which are loaded before that word.
   */
  async open(workers: readonly URL[]): Promise<void> {
    this.#listen();
    if (this.#options.standBy) await this.#standBy(workers);
    this.#serveHealth();
  }

  /** Stops in good order and ends the process. */
  async end(): Promise<never> {
    // Whoever asks first ends it; the others wait for that.
    return await (this.#ending ??= this.#end());
  }

  async #end(): Promise<never> {
    this.#stop("done");
    if (this.#isReady) this.#logStats();
    const leftMs = STOP_LIMIT_MS - (performance.now() - this.#stopBegan);
    for (const { name, error } of await this.#stops.run(leftMs)) {
      this.#logger.error("stopping {name} failed", { name, error });
      this.#failure ??= { error };
    }
    flushLimited();
    if (this.#failure === undefined) {
      this.#logger.info("stopped");
      Deno.exit(ExitCode.ok);
    }
    const { error } = this.#failure;
    const code = exitCodeOf(error);
    logFailure(this.#logger, error, code);
    Deno.exit(code);
  }

  /** Does all that does not touch what another process of this service may still hold, and waits for its end. */
  async #standBy(workers: readonly URL[]): Promise<void> {
    for (const url of workers) this.#loaded.set(url.href, loadDataWorker(url, "stands by"));
    await Promise.all([...this.#loaded.values()].map(({ loaded }) => loaded));
    const line: LoadedLine = { event: "loaded", service: this.name, pid: Deno.pid };
    writeStdout(JSON.stringify(line) + "\n");
    await Promise.race([this.#word.promise, this.context.stopped]);
    this.context.signal.throwIfAborted();
  }

  #configureLogging(level: LogThreshold): Logger {
    return configureLogging({ service: this.name, level });
  }

  /** Waits for a part of the work, but not for ever once it has been told to stop. */
  async #untilOver<T>(running: Promise<T>): Promise<T> {
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
      return await Promise.race([running, late]);
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
    if (this.#options.exitWithParent) {
      parentGone(() => this.#word.resolve()).then(() => this.#stop("parent gone"));
    }
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
    this.#stopBegan = performance.now();
    this.#logger.info("stopping: {why}", { why });
    this.#controller.abort(new DOMException(`stopping: ${why}`, "AbortError"));
    this.#reporter?.changed();
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
    for (const { worker } of this.#loaded.values()) worker.terminate(); // nobody wanted them
    this.#loaded.clear();
    const line: ReadyLine = { ...info, event: "ready", service: this.name, pid: Deno.pid };
    writeStdout(JSON.stringify(line, (_key, v) => typeof v === "bigint" ? Number(v) : v) + "\n");
    this.#logger.info("ready", info);
    this.#reporter?.changed();
  }

  #startWorker<Counter extends string>(
    url: URL,
    options: DataWorkerOptions<Counter>,
  ): DataWorker<Counter> {
    const loaded = this.#loaded.get(url.href);
    this.#loaded.delete(url.href);
    const worker = startDataWorker(url, {
      ...(loaded && { loaded }),
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

/** This machine's name, as far as that may be known. */
function hostName(): string {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  return state === "granted" ? Deno.hostname() : readEnv("HOSTNAME") ?? "";
}

function withoutStack(error: unknown): object {
  return JSON.parse(
    JSON.stringify(describeError(error), (key, value) => key === "stack" ? undefined : value),
  );
}

const encoder = new TextEncoder();

function writeStdout(text: string): void {
  let bytes = encoder.encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}
