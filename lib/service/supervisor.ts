import { Backoff, type BackoffOptions } from "./backoff.ts";
import { eachLine } from "./each_line.ts";
import { ExitCode } from "./exit_code.ts";
import { type LogLine, parseLine } from "./logging.ts";
import type { ReadyLine } from "./service.ts";
import { programCall, type ServiceCommand } from "./service_command.ts";
import { ServiceStartError } from "./service_start_error.ts";

/**
 * Where a child stands: `starting` (process runs, not ready), `ready`, `waiting` (for its restart),
 * `stopping`, `stopped` (asked to), `failed` (given up).
 */
export type ChildState = "starting" | "ready" | "waiting" | "stopping" | "stopped" | "failed";

/** A child as the supervisor sees it. */
export interface ChildStatus {
  /** The service's name. */
  name: string;
  /** Where it stands. */
  state: ChildState;
  /** Its process, while there is one. */
  pid: number | undefined;
  /** How often it was started again. */
  restarts: number;
  /** How its last process ended: exit status, 128 + n for signal n; `undefined` if none has. */
  lastExit: number | undefined;
}

/** How to supervise. */
export interface SupervisorOptions {
  /** Takes every log line of every child; `service` says whose. What is not a log line comes as level `error`. */
  onLog?: (line: LogLine) => void;
  /** Takes every change of a child's state. */
  onState?: (status: ChildStatus) => void;
  /** Waits between restarts. */
  backoff?: BackoffOptions;
  /** From SIGTERM to SIGKILL, ms. Default 5000. */
  killAfterMs?: number;
  /** Longest time from start to ready, ms; then the process is killed. Default 30 000. */
  readyWithinMs?: number;
}

/**
 * Starts services as child processes and keeps them running.
 *
 * A child that dies is started again after a growing wait. One whose command line or config is wrong is not:
 * that would not help. No child outlives the supervisor: they are told to stop, killed if they do not, and
 * stop by themselves when the pipe to their stdin closes.
 *
 * Needs `--allow-run` for Deno (or for the sibling binaries).
 *
 * @example
 * ```ts ignore
 * await using supervisor = new Supervisor({ onLog: (line) => logs.push(line) });
 * await supervisor.start({ name: "recv", main, args: ["JF.json"], permissions: ["--allow-read=JF.json"] });
 * await Promise.race([stopped, supervisor.failed]);
 * ```
 */
export class Supervisor implements AsyncDisposable {
  /** Never resolves; rejects with a {@link ServiceStartError} when a child that was ready has to be given up. */
  readonly failed: Promise<never>;
  readonly #options: SupervisorOptions;
  #children: Child[] = [];
  readonly #giveUp: (error: ServiceStartError) => void;
  #stopping: Promise<void> | undefined;

  /** Nothing runs before a service is added. */
  constructor(options: SupervisorOptions = {}) {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // whoever cares awaits it
    this.failed = promise;
    this.#giveUp = reject;
    this.#options = options;
  }

  /**
   * Starts a service and waits until it is ready. The order of starts is the reverse order of stopping.
   *
   * @returns The child's ready line.
   * @throws {ServiceStartError} If it ends before it is ready for the first time; it is not tried again.
   */
  async start(command: ServiceCommand): Promise<ReadyLine> {
    if (this.#stopping !== undefined) {
      throw new ServiceStartError(command.name, undefined, "the supervisor is stopping");
    }
    const child = new Child(command, this.#options, this.#giveUp);
    this.#children.push(child);
    return await child.firstReady;
  }

  /**
   * Makes the services those of a list: what is not in it is stopped, what is new is started, and so is again
   * what does not run any more or is named. All are started at the same time.
   *
   * @param commands All services, in the order in which they would start.
   * @param changed Names of those to start again though they run.
   * @param onStopped Called when all that has to stop has, before anything starts.
   * @returns Names of those that were started.
   * @throws {ServiceStartError} If one ends before it is ready; the others run.
   */
  async update(
    commands: readonly ServiceCommand[],
    changed: ReadonlySet<string>,
    onStopped: () => void = () => {},
  ): Promise<string[]> {
    const names = new Set(commands.map(({ name }) => name));
    const stays = (child: Child): boolean => {
      const { name, state } = child.status();
      return names.has(name) && !changed.has(name) && state !== "failed" && state !== "stopped";
    };
    const leaving = this.#children.filter((child) => !stays(child));
    for (const child of leaving) child.retire();
    for (const child of leaving.toReversed()) await child.stop();
    if (this.#stopping !== undefined) {
      throw new ServiceStartError(leaving[0]?.status().name ?? "", undefined, "it is to stop");
    }
    onStopped();
    const kept = new Map(
      this.#children.filter((child) => !leaving.includes(child))
        .map((child) => [child.status().name, child]),
    );
    const started: Child[] = [];
    this.#children = commands.map((command) => {
      const known = kept.get(command.name);
      if (known !== undefined) return known;
      const child = new Child(command, this.#options, this.#giveUp);
      started.push(child);
      return child;
    });
    const outcomes = await Promise.allSettled(started.map(({ firstReady }) => firstReady));
    const failure = outcomes.find((outcome) => outcome.status === "rejected");
    if (failure !== undefined) throw failure.reason;
    return started.map((child) => child.status().name);
  }

  /** Every child, in the order of their starts. */
  status(): ChildStatus[] {
    return this.#children.map((child) => child.status());
  }

  /** Stops all children, the last started first, each after the one before has ended. Never throws. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stopAll();
  }

  /** Same as {@link Supervisor.stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stopAll(): Promise<void> {
    // A stop often reaches the whole process group: what ends before its turn is not to come back.
    for (const child of this.#children) child.retire();
    for (const child of this.#children.toReversed()) await child.stop();
  }
}

const SILENCE = "it said nothing";

/** One service, through all its processes. */
class Child {
  readonly firstReady: Promise<ReadyLine>;
  readonly #command: ServiceCommand;
  readonly #options: SupervisorOptions;
  readonly #ready = Promise.withResolvers<ReadyLine>();
  readonly #stop = new AbortController();
  readonly #life: Promise<void>;
  #process: Deno.ChildProcess | undefined;
  #state: ChildState = "starting";
  #restarts = 0;
  #lastExit: number | undefined;
  #lastWords = SILENCE;
  #readySince: number | undefined;

  constructor(
    command: ServiceCommand,
    options: SupervisorOptions,
    giveUp: (error: ServiceStartError) => void,
  ) {
    this.#command = command;
    this.#options = options;
    this.firstReady = this.#ready.promise;
    this.firstReady.catch(() => {}); // awaited by start(), unless that has been left
    this.#life = this.#live(giveUp);
  }

  status(): ChildStatus {
    return {
      name: this.#command.name,
      state: this.#state,
      pid: this.#process?.pid,
      restarts: this.#restarts,
      lastExit: this.#lastExit,
    };
  }

  /** From now on its process may end, but is not started again. */
  retire(): void {
    this.#stop.abort();
  }

  async stop(): Promise<void> {
    this.retire();
    if (this.#state !== "failed") this.#setState("stopping");
    const timer = setTimeout(() => this.#signal("SIGKILL"), this.#options.killAfterMs ?? 5_000);
    this.#signal("SIGTERM");
    await this.#life;
    clearTimeout(timer);
    if (this.#state !== "failed") this.#setState("stopped");
  }

  /** Starts and restarts until told to stop, or until it makes no sense. */
  async #live(giveUp: (error: ServiceStartError) => void): Promise<void> {
    const backoff = new Backoff(this.#options.backoff);
    const stopped = this.#stop.signal;
    while (!stopped.aborted) {
      this.#setState("starting");
      const healthyMs = await this.#runOnce();
      const wasReady = await isSettled(this.#ready.promise);
      if (stopped.aborted || !wasReady || this.#isHopeless()) {
        const { name } = this.#command;
        const reason = stopped.aborted ? "it was stopped before it was ready" : this.#lastWords;
        const error = new ServiceStartError(name, this.#lastExit, reason);
        this.#ready.reject(error);
        if (stopped.aborted) return;
        this.#setState("failed");
        if (wasReady) giveUp(error);
        return;
      }
      this.#setState("waiting");
      await sleep(backoff.next(healthyMs), stopped);
      this.#restarts++;
    }
  }

  /** One process, from spawn to end. @returns How long it was ready, ms. */
  async #runOnce(): Promise<number> {
    const { program, args } = programCall(this.#command);
    let process: Deno.ChildProcess;
    try {
      process = new Deno.Command(program, {
        args,
        env: { ...this.#command.env, NO_COLOR: "1" },
        stdin: "piped", // held open, never written: its end tells the child that we are gone
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      this.#lastWords = `cannot run ${program}: ${error instanceof Error ? error.message : error}`;
      this.#lastExit = undefined;
      return 0;
    }
    this.#process = process;
    this.#readySince = undefined;
    this.#lastWords = SILENCE;
    const tooLate = setTimeout(() => {
      this.#log({ level: "error", message: "not ready in time, killed" });
      this.#signal("SIGKILL");
    }, this.#options.readyWithinMs ?? 30_000);
    try {
      const [status] = await Promise.all([
        process.status,
        eachLine(process.stdout, (line) => this.#takeOutput(line, tooLate)),
        eachLine(process.stderr, (line) => this.#takeLog(line)),
      ]);
      this.#lastExit = status.code;
    } finally {
      clearTimeout(tooLate);
      this.#process = undefined;
      await process.stdin.close().catch(() => {}); // the other end is closed already
    }
    return this.#readySince === undefined ? 0 : performance.now() - this.#readySince;
  }

  #takeOutput(line: string, tooLate: ReturnType<typeof setTimeout>): void {
    const ready = parseReady(line);
    if (ready === undefined) return this.#log({ level: "info", message: line });
    clearTimeout(tooLate);
    this.#readySince = performance.now();
    if (this.#state === "starting") this.#setState("ready");
    this.#ready.resolve(ready);
  }

  #takeLog(text: string): void {
    if (text.trim() === "") return;
    const line = parseLine(text);
    // What else a service writes to stderr comes from the runtime: a crash, or commander's complaint.
    if (line === undefined) return this.#log({ level: "error", message: text });
    if (line.level === "fatal" || line.level === "error") this.#lastWords = line.message;
    this.#options.onLog?.(line);
  }

  #log({ level, message }: Pick<LogLine, "level" | "message">): void {
    // A crash message begins with what happened; a stack follows.
    if (level === "error" && this.#lastWords === SILENCE) this.#lastWords = message;
    const time = new Date().toISOString();
    const service = this.#command.name;
    this.#options.onLog?.({ time, level, service, message, properties: {} });
  }

  #isHopeless(): boolean {
    return this.#lastExit === ExitCode.usage || this.#lastExit === ExitCode.config;
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#process?.kill(signal);
    } catch (error) {
      // It has just ended by itself: that is what was wanted.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #setState(state: ChildState): void {
    this.#state = state;
    this.#options.onState?.(this.status());
  }
}

function parseReady(line: string): ReadyLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined; // not JSON: not a ready line
  }
  const isReady = typeof value === "object" && value !== null && "event" in value &&
    value.event === "ready" && "service" in value && typeof value.service === "string" &&
    "pid" in value && typeof value.pid === "number";
  return isReady ? value as ReadyLine : undefined; // just checked
}

/** Whether a promise has been fulfilled. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  return await Promise.race([promise, Promise.resolve(pending)]) !== pending;
}

async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  const onAbort = (): void => resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", onAbort);
}
