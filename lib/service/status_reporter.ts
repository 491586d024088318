import { atMost } from "../os/at_most.ts";
import type { HealthReport } from "./health.ts";
import type { Stats } from "./service.ts";
import { VERSION } from "./version.ts";

/** A status lives so long without being told again, ms: as in the original. */
export const STATUS_TTL_MS = 15_000;
/** It is told again so often, ms. */
export const STATUS_PERIOD_MS = 10_000;
/** Longest wait for its removal, ms. */
const REMOVE_MS = 1_000;

/** Where statuses go: a `ServiceRegistry` of `lib/store`. */
export interface StatusRegistry {
  /** Where it is, for messages. */
  readonly where: string;
  /** Why it cannot be reached. */
  readonly problem: string;
  /** Calls back whenever it can be told something (again). */
  onReady(callback: () => void): void;
  /** Tells a status, which is gone after `ttlMs`. */
  putStatus(
    serviceName: string,
    fields: Readonly<Record<string, string>>,
    ttlMs: number,
  ): Promise<void>;
  /** Removes it. */
  removeStatus(serviceName: string): Promise<void>;
}

/** Clock and timer; tests put in their own. */
export interface StatusClock {
  /** ms since 1970. */
  now(): number;
  /** Calls back every `ms`; returns a function that ends it. */
  every(ms: number, callback: () => void): () => void;
}

/** What a reporter works with. */
export interface StatusReporterOptions {
  /** Where it is told. */
  registry: StatusRegistry;
  /** Name in the key. */
  serviceName: string;
  /** The config, as the service has it. */
  config: unknown;
  /** Name of this machine. */
  host: string;
  /** How the service is. */
  state: () => HealthReport["status"];
  /** Its counters and states. */
  stats: () => Stats;
  /** Told when Redis is away, and when it is back. */
  onNote: (message: string) => void;
  /** Default: the machine's. */
  clock?: StatusClock;
}

const SYSTEM_CLOCK: StatusClock = {
  now: Date.now,
  every: (ms, callback) => {
    const timer = setInterval(callback, ms);
    return () => clearInterval(timer);
  },
};

/**
 * Keeps `status.[service_name]` in Redis: told at the start, at every change and every 10 s, gone 15 s after
 * the service, and at once after a clean stop. A Redis that is away is told when it is back; the service does
 * not wait for it.
 */
export class StatusReporter implements AsyncDisposable {
  readonly #options: StatusReporterOptions;
  readonly #clock: StatusClock;
  readonly #startedAt: number;
  readonly #endTimer: () => void;
  /** The stats of the refresh before, for rates. */
  #before: { at: number; stats: Stats };
  #rates: Record<string, number> = {};
  /** One report at a time: an older one must not arrive after a newer one. */
  #turn: Promise<void> = Promise.resolve();
  #away = false;
  #closed = false;

  /** Begins to report. */
  constructor(options: StatusReporterOptions) {
    const { registry, clock = SYSTEM_CLOCK, stats } = options;
    this.#options = options;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#before = { at: this.#startedAt, stats: stats() };
    this.#endTimer = clock.every(STATUS_PERIOD_MS, () => {
      this.#takeRates();
      this.changed();
    });
    registry.onReady(() => this.changed());
  }

  /** Tells the status as it is now. */
  changed(): void {
    this.#turn = this.#turn.then(() => this.#report());
  }

  /** Resolves when all that was to be told so far is told, or could not be. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  /** Removes the status; a Redis that is away, or does not answer for 1 s, forgets it by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#endTimer();
    await atMost(REMOVE_MS, this.#remove());
  }

  async #remove(): Promise<void> {
    await this.#turn;
    this.#closed = true;
    const { registry, serviceName } = this.#options;
    await registry.removeStatus(serviceName).catch((error) => this.#failed(error));
  }

  async #report(): Promise<void> {
    if (this.#closed) return;
    const { registry, serviceName, onNote } = this.#options;
    try {
      await registry.putStatus(serviceName, this.#fields(), STATUS_TTL_MS);
      if (this.#away) onNote(`${registry.where} has this service's status again`);
      this.#away = false;
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#away) return;
    this.#away = true;
    const { registry, onNote } = this.#options;
    const refused = error instanceof Error && error.name === "ReplyError";
    onNote(
      `${registry.where} cannot be told this service's status, which goes on without: ` +
        (refused ? error.message : registry.problem),
    );
  }

  #fields(): Record<string, string> {
    const { serviceName, config, host, state, stats } = this.#options;
    return {
      service_name: serviceName,
      config: toJson(config ?? {}),
      start_timestamp: String(Math.floor(this.#startedAt / 1000)), // s since 1970
      version: VERSION,
      host,
      pid: String(Deno.pid),
      state: state(),
      stats: toJson(stats()),
      rates: toJson(this.#rates),
    };
  }

  /** What counters have gained since the refresh before, per second. */
  #takeRates(): void {
    const [at, stats] = [this.#clock.now(), this.#options.stats()];
    const seconds = (at - this.#before.at) / 1000;
    this.#rates = Object.fromEntries(
      Object.entries(stats).flatMap(([name, value]) => {
        const gained = difference(value, this.#before.stats[name]);
        return gained === undefined || seconds <= 0 ? [] : [[name, gained / seconds]];
      }),
    );
    this.#before = { at, stats };
  }
}

/** Undefined for what does not count up. */
function difference(now: Stats[string], before: Stats[string] | undefined): number | undefined {
  if (typeof now === "string" || typeof before === "string" || before === undefined) {
    return undefined;
  }
  const gained = Number(now) - Number(before);
  return gained >= 0 ? gained : undefined;
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, v) => typeof v === "bigint" ? Number(v) : v);
}
