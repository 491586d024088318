import { pause } from "../os/pause.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { eachLine } from "./each_line.ts";
import { ExitCode } from "./exit_code.ts";
import { type LogLine, parseLine } from "./logging.ts";
import type { LoadedLine, ReadyLine } from "./service.ts";
import { programCall, type ServiceCommand, STAND_BY } from "./service_command.ts";
import { ServiceStartError } from "./service_start_error.ts";
import { STOP_LIMIT_MS } from "./stop_stack.ts";

/** Whoever still runs so long after SIGTERM does not stop by itself, ms. */
const KILL_AFTER_MS = STOP_LIMIT_MS + 1_000;

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

/** What {@link Supervisor.update} has done. */
export interface ServiceUpdate {
  /** Names of the services that were started. */
  started: string[];
  /** From the first one's stop until all were ready again, ms; 0 if none was started. */
  awayMs: number;
}

/** How to supervise. */
export interface SupervisorOptions {
  /** Takes every log line of every child; `service` says whose. What is not a log line comes as level `error`. */
  onLog?: (line: LogLine) => void;
  /** Takes every change of a child's state. */
  onState?: (status: ChildStatus) => void;
  /** Waits between restarts. */
  backoff?: BackoffOptions;
  /** From SIGTERM to SIGKILL, ms. Default 10 000, which is more than a service takes. */
  killAfterMs?: number;
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
  /** Children that stand by for the end of others. */
  #next: Child[] = [];
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
    this.#refuseOnceStopping(command.name);
    const child = new Child(command, this.#options, this.#giveUp);
    this.#children.push(child);
    return await child.firstReady;
  }

  /**
   * Makes the services those of a list: what is not in it is stopped, what is new is started, and so is again
   * what does not run any more or is named. Those to start load what they need while the former ones still
   * work, and begin, all at the same time, when these have ended.
   *
   * @param commands All services, in the order in which they would start.
   * @param changed Names of those to start again though they run.
   * @param onStopped Called when all that has to stop has, before anything begins.
   * @throws {ServiceStartError} If one cannot be loaded: then nothing was stopped. If one ends before it is
   * ready: then the others run.
   */
  async update(
    commands: readonly ServiceCommand[],
    changed: ReadonlySet<string>,
    onStopped: () => void = () => {},
  ): Promise<ServiceUpdate> {
    const names = new Set(commands.map(({ name }) => name));
    const stays = (child: Child): boolean => {
      const { name, state } = child.status();
      return names.has(name) && !changed.has(name) && state !== "failed" && state !== "stopped";
    };
    const leaving = this.#children.filter((child) => !stays(child));
    const kept = this.#children.filter(stays);
    const isKept = ({ name }: ServiceCommand): boolean =>
      kept.some((child) => child.status().name === name);
    const next = await this.#load(commands.filter((command) => !isKept(command)));
    const begin = performance.now();
    for (const child of leaving) child.retire();
    for (const child of leaving.toReversed()) await child.stop();
    this.#refuseOnceStopping(next[0]?.status().name);
    onStopped();
    const byName = new Map([...kept, ...next].map((child) => [child.status().name, child]));
    this.#children = commands.flatMap(({ name }) => byName.get(name) ?? []);
    this.#next = [];
    for (const child of next) child.begin();
    await allOf(next.map(({ firstReady }) => firstReady));
    const started = next.map((child) => child.status().name);
    return { started, awayMs: started.length === 0 ? 0 : performance.now() - begin };
  }

  /** Starts services that stand by. @throws {ServiceStartError} If one ends; then none of them is left. */
  async #load(commands: readonly ServiceCommand[]): Promise<Child[]> {
    const first = commands[0]?.name;
    this.#refuseOnceStopping(first);
    const next = commands.map((command) =>
      new Child(command, this.#options, this.#giveUp, { standsBy: true })
    );
    this.#next = next;
    try {
      await allOf(next.map(({ loaded }) => loaded));
    } catch (error) {
      await Promise.all(next.map((child) => child.stop()));
      this.#next = [];
      this.#refuseOnceStopping(first); // which ended it
      throw error;
    }
    return next;
  }

  /** @throws {ServiceStartError} If all is to stop. */
  #refuseOnceStopping(name = "nothing"): void {
    if (this.#stopping === undefined) return;
    throw new ServiceStartError(name, undefined, "the supervisor is stopping");
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
    await Promise.all(this.#next.map((child) => child.stop())); // they do nothing yet
    for (const child of this.#children.toReversed()) await child.stop();
  }
}

/** Waits for all; then throws the first reason, if there is one. */
async function allOf(promises: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(promises);
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}

const SILENCE = "it said nothing";

/** One service, through all its processes. */
class Child {
  readonly firstReady: Promise<ReadyLine>;
  /** Resolves when it has loaded what it needs and waits for {@link Child.begin}. */
  readonly loaded: Promise<void>;
  readonly #command: ServiceCommand;
  readonly #options: SupervisorOptions;
  readonly #ready = Promise.withResolvers<ReadyLine>();
  readonly #loaded = Promise.withResolvers<void>();
  /** Its next process waits for the word to begin. */
  #standsBy: boolean;
  readonly #stop = new AbortController();
  readonly #life: Promise<void>;
  #process: Deno.ChildProcess | undefined;
  #tooLate: ReturnType<typeof setTimeout> | undefined;
  #state: ChildState = "starting";
  #restarts = 0;
  #lastExit: number | undefined;
  #lastWords = SILENCE;
  #readySince: number | undefined;

  constructor(
    command: ServiceCommand,
    options: SupervisorOptions,
    giveUp: (error: ServiceStartError) => void,
    { standsBy = false }: { standsBy?: boolean } = {},
  ) {
    this.#command = command;
    this.#options = options;
    this.#standsBy = standsBy;
    this.loaded = this.#loaded.promise;
    this.loaded.catch(() => {}); // awaited by those that stand by alone
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

  /** Gives a child that stands by the word to begin. */
  begin(): void {
    this.#standsBy = false;
    if (this.#process === undefined) return; // it has ended meanwhile, and is given up
    this.#limitStart();
    const writer = this.#process.stdin.getWriter();
    writer.write(new TextEncoder().encode("begin\n")).catch(() => {}); // likewise, in this moment
    writer.releaseLock();
  }

  /** From now on its process may end, but is not started again. */
  retire(): void {
    this.#stop.abort();
  }

  async stop(): Promise<void> {
    this.retire();
    if (this.#state !== "failed") this.#setState("stopping");
    const { killAfterMs = KILL_AFTER_MS } = this.#options;
    const timer = setTimeout(() => this.#signal("SIGKILL"), killAfterMs);
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
        this.#loaded.reject(error);
        this.#ready.reject(error);
        if (stopped.aborted) return;
        this.#setState("failed");
        if (wasReady) giveUp(error);
        return;
      }
      this.#setState("waiting");
      await pause(backoff.next(healthyMs), stopped);
      this.#restarts++;
    }
  }

  /** One process, from spawn to end. @returns How long it was ready, ms. */
  async #runOnce(): Promise<number> {
    const call = programCall(this.#command);
    const program = call.program;
    const args = this.#standsBy ? [...call.args, STAND_BY] : call.args;
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
    this.#limitStart();
    try {
      const [status] = await Promise.all([
        process.status,
        eachLine(process.stdout, (line) => this.#takeOutput(line)),
        eachLine(process.stderr, (line) => this.#takeLog(line)),
      ]);
      this.#lastExit = status.code;
    } finally {
      clearTimeout(this.#tooLate);
      this.#process = undefined;
      await process.stdin.close().catch(() => {}); // the other end is closed already
    }
    return this.#readySince === undefined ? 0 : performance.now() - this.#readySince;
  }

  /** Kills a process that is neither ready nor stands by in time. */
  #limitStart(): void {
    clearTimeout(this.#tooLate);
    const { readyWithinMs = 30_000 } = this.#command;
    this.#tooLate = setTimeout(() => {
      this.#log({ level: "error", message: `not ready within ${readyWithinMs / 1_000} s, killed` });
      this.#signal("SIGKILL");
    }, readyWithinMs);
  }

  #takeOutput(line: string): void {
    const said = parseEvent(line);
    if (said === undefined) return this.#log({ level: "info", message: line });
    clearTimeout(this.#tooLate);
    if (said.event === "loaded") return this.#loaded.resolve();
    this.#readySince = performance.now();
    if (this.#state === "starting") this.#setState("ready");
    this.#ready.resolve(said);
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

function parseEvent(line: string): ReadyLine | LoadedLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined; // not JSON: no event
  }
  const isEvent = typeof value === "object" && value !== null && "event" in value &&
    (value.event === "ready" || value.event === "loaded") && "service" in value &&
    typeof value.service === "string" &&
    "pid" in value && typeof value.pid === "number";
  return isEvent ? value as ReadyLine | LoadedLine : undefined; // just checked
}

/** Whether a promise has been fulfilled. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  return await Promise.race([promise, Promise.resolve(pending)]) !== pending;
}
