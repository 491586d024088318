import { parseJson, stringifyJson } from "../protocol/json.ts";
import { pause } from "../os/pause.ts";
import { type Engine, isId, type NewEntry, type StoredEntry, timeOf } from "./_engine.ts";
import { StoreError, StoreUsageError } from "./store_error.ts";

/** Something that was stored. */
export interface Entry<Value> {
  /** Its id, `<ms since 1970>-<number>`; later ones are larger. */
  id: string;
  /** When it was stored, ms since 1970. */
  time: number;
  /** What was stored. Of what should be JSON and is not, since something else has written it: undefined. */
  value: Value;
}

/** A config as somebody stored it, not read yet: it may be anything. */
export interface ConfigText extends Omit<Entry<unknown>, "value"> {
  /** JSON, if all is well. */
  text: string;
}

/** How a server deals with a config. */
export interface Deployment {
  /** The server. */
  server_name: string;
  /** How far it is: `Deploying`, `Done`, `Error`, or words of its own. */
  message: string;
  /** Why, in more words; beside what the original reads. */
  detail?: string;
}

/** How much of a kind is kept. */
export interface Limit {
  /** The newest so many. */
  length: number;
  /** None older than this, ms; undefined: of any age. */
  ageMs?: number;
}

/** What a store keeps, by kind. */
export interface StoreLimits {
  /** Configs. Default the last 1000. */
  configs: Limit;
  /** Deployments of each config. Default the last 100, one year. */
  deployments: Limit;
  /** Acquisitions. Default the last 100 000. */
  log: Limit;
  /** Reports on each acquisition. Default the last 100, 90 days. */
  reports: Limit;
  /** Previews of each acquisition. Default the last one, 90 days. */
  previews: Limit;
  /** Rates. Default one a second for a day. */
  stats: Limit;
  /** The writer's statuses. Default one a second for a day. */
  status: Limit;
}

const DAY_MS = 24 * 3600 * 1000;

/** What is kept when nothing else is said. */
export const DEFAULT_LIMITS: StoreLimits = {
  configs: { length: 1000 },
  deployments: { length: 100, ageMs: 365 * DAY_MS },
  log: { length: 100_000 },
  reports: { length: 100, ageMs: 90 * DAY_MS },
  previews: { length: 1, ageMs: 90 * DAY_MS },
  stats: { length: 86_400, ageMs: DAY_MS },
  status: { length: 86_400, ageMs: DAY_MS },
};

/** The log is looked at so often by who follows it, ms. */
const LOOK_EVERY_MS = 1000;
/** More acquisitions do not end in that time. */
const LOGS_AT_ONCE = 100;

/** What may be dropped while the store is away, first to last; the others never are. */
const WORTH: Partial<Record<keyof StoreLimits, number>> = {
  stats: 0,
  status: 1,
  previews: 2,
  reports: 3,
};
/** Streams that belong to one config or acquisition; they go by themselves. */
const IDLE: ReadonlySet<keyof StoreLimits> = new Set([
  "deployments",
  "reports",
  "previews",
]);

/**
 * What std-daq remembers: configs and their deployments, acquisitions with reports and previews, rates and
 * statuses. Values are JSON of any kind, whole numbers of any size included.
 *
 * What is added to a store that is away waits, and its promise with it: do not await it in the path of
 * images. All methods throw {@link StoreError} when the store refuses or, to read, is away.
 */
export class Store implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #namespace: string;
  readonly #limits: StoreLimits;
  readonly #now: () => number;

  /** For {@link openStore}. */
  constructor(
    engine: Engine,
    options: { namespace: string; limits: Partial<StoreLimits>; now: () => number },
  ) {
    this.#engine = engine;
    this.#namespace = options.namespace;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#now = options.now;
  }

  /** Why it cannot be read or written right now; null when it can, as far as that is known. */
  get problem(): string | null {
    return this.#engine.problem;
  }

  /** Adds a config; it is the current one from now on. @returns Its id. */
  async addConfig(config: unknown): Promise<string> {
    return stored(await this.#addJson("configs", "config", config));
  }

  /** The current config, or the one of an id; undefined when there is none. */
  async config(id?: string): Promise<Entry<unknown> | undefined> {
    return id === undefined
      ? (await this.configs(1))[0]
      : await this.#getJson("configs", "config", id);
  }

  /** The last configs, the newest first. */
  async configs(count: number): Promise<Entry<unknown>[]> {
    return await this.#newestJson("configs", "config", count);
  }

  /**
   * The current config, at once, and from then on each new one as soon as it is there; of several that come
   * together only the last. An outage is waited out.
   *
   * @param signal Ends it.
   */
  async *watchConfig(signal: AbortSignal): AsyncGenerator<ConfigText, void, void> {
    for await (const entry of this.#engine.watch(`${this.#namespace}:config`, signal)) {
      yield { id: entry.id, time: timeOf(entry.id), text: text(entry, "json") };
    }
  }

  /** Adds what a server says about the deployment of a config. */
  async addDeployment(configId: string, deployment: Deployment): Promise<void> {
    const { server_name, message, detail } = deployment;
    await this.#add("deployments", `config:${checkId(configId)}`, {
      server_name,
      message,
      ...(detail !== undefined && { detail }),
    });
  }

  /** What servers said about the deployment of a config, the newest first. */
  async deployments(configId: string): Promise<Entry<Deployment>[]> {
    const { length } = this.#limits.deployments;
    const entries = await this.#newest("deployments", `config:${checkId(configId)}`, length);
    return entries.map((entry) =>
      toEntry(entry, {
        server_name: text(entry, "server_name"),
        message: text(entry, "message"),
        ...("detail" in entry.fields && { detail: text(entry, "detail") }),
      })
    );
  }

  /** Adds a finished acquisition; never dropped. @returns Its id. */
  async addLog(acquisition: unknown): Promise<string> {
    return stored(await this.#addJson("log", "log", acquisition));
  }

  /** The last acquisitions, the newest first. */
  async logs(count: number): Promise<Entry<unknown>[]> {
    return await this.#newestJson("log", "log", count);
  }

  /**
   * Each acquisition that is added from now on, in their order, within a second. An outage is waited out.
   *
   * @param signal Ends it.
   */
  async *watchLogs(signal: AbortSignal): AsyncGenerator<Entry<unknown>, void, void> {
    let last: string | undefined;
    while (!signal.aborted) {
      try {
        const newest = await this.logs(LOGS_AT_ONCE);
        const from = last ?? newest[0]?.id ?? "0-0";
        last = newest[0]?.id ?? from;
        for (const entry of newest.toReversed()) if (isLater(entry.id, from)) yield entry;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
      }
      await pause(LOOK_EVERY_MS, signal);
    }
  }

  /** One acquisition; undefined when it is not there, or not any more. */
  async log(id: string): Promise<Entry<unknown> | undefined> {
    return await this.#getJson("log", "log", id);
  }

  /** Adds a report on an acquisition. @returns Whether it is stored; false when it had to be dropped. */
  async addReport(logId: string, report: unknown): Promise<boolean> {
    return await this.#addJson("reports", `log:${checkId(logId)}`, report) !== undefined;
  }

  /** The reports on an acquisition, the newest first. */
  async reports(logId: string): Promise<Entry<unknown>[]> {
    const { length } = this.#limits.reports;
    return await this.#newestJson("reports", `log:${checkId(logId)}`, length);
  }

  /** Sets the preview of an acquisition, a GIF. @returns Whether it is stored. */
  async setPreview(logId: string, gif: Uint8Array): Promise<boolean> {
    return await this.#add("previews", `gif:${checkId(logId)}`, { gif }) !== undefined;
  }

  /** The preview of an acquisition; undefined when there is none. */
  async preview(logId: string): Promise<Uint8Array | undefined> {
    const [entry] = await this.#newest("previews", `gif:${checkId(logId)}`, 1);
    const gif = entry?.fields.gif;
    return typeof gif === "string" ? new TextEncoder().encode(gif) : gif;
  }

  /** Adds rates. @returns Whether they are stored. */
  async addStats(stats: unknown): Promise<boolean> {
    return await this.#addJson("stats", "stat", stats) !== undefined;
  }

  /** The last rates, the newest first. */
  async stats(count: number): Promise<Entry<unknown>[]> {
    return await this.#newestJson("stats", "stat", count);
  }

  /** Adds a status of the writer. @returns Whether it is stored. */
  async addStatus(status: unknown): Promise<boolean> {
    return await this.#addJson("status", "status", status) !== undefined;
  }

  /** The last statuses of the writer, the newest first. */
  async statuses(count: number): Promise<Entry<unknown>[]> {
    return await this.#newestJson("status", "status", count);
  }

  /** Writes what waits, as far as that is possible within 3 s, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine[Symbol.asyncDispose]();
  }

  #addJson(kind: keyof StoreLimits, key: string, value: unknown): Promise<string | undefined> {
    return this.#add(kind, key, { json: stringifyJson(value) });
  }

  #add(
    kind: keyof StoreLimits,
    key: string,
    fields: NewEntry["fields"],
  ): Promise<string | undefined> {
    const { length, ageMs } = this.#limits[kind];
    return this.#engine.append({
      key: `${this.#namespace}:${key}`,
      fields,
      maxLength: length,
      notBefore: this.#notBefore(kind),
      idleMs: IDLE.has(kind) ? ageMs : undefined,
      worth: WORTH[kind],
    });
  }

  async #newestJson(
    kind: keyof StoreLimits,
    key: string,
    count: number,
  ): Promise<Entry<unknown>[]> {
    return (await this.#newest(kind, key, count)).map(toJsonEntry);
  }

  async #newest(kind: keyof StoreLimits, key: string, count: number): Promise<StoredEntry[]> {
    if (count < 1) return [];
    const entries = await this.#engine.newest(`${this.#namespace}:${key}`, count);
    return entries.filter((entry) => this.#isYoung(kind, entry));
  }

  async #getJson(
    kind: keyof StoreLimits,
    key: string,
    id: string,
  ): Promise<Entry<unknown> | undefined> {
    const entry = await this.#engine.get(`${this.#namespace}:${key}`, checkId(id));
    return entry && this.#isYoung(kind, entry) ? toJsonEntry(entry) : undefined;
  }

  #isYoung(kind: keyof StoreLimits, { id }: StoredEntry): boolean {
    return timeOf(id) >= (this.#notBefore(kind) ?? 0);
  }

  #notBefore(kind: keyof StoreLimits): number | undefined {
    const { ageMs } = this.#limits[kind];
    return ageMs === undefined ? undefined : Math.max(0, Math.floor(this.#now() - ageMs));
  }
}

/** Whether an entry came after another one of its stream. */
function isLater(id: string, other: string): boolean {
  const [ms, otherMs] = [timeOf(id), timeOf(other)];
  if (ms !== otherMs) return ms > otherMs;
  return Number(id.split("-")[1]) > Number(other.split("-")[1]);
}

function toEntry<Value>({ id }: StoredEntry, value: Value): Entry<Value> {
  return { id, time: timeOf(id), value };
}

/** Value undefined: not JSON. That must not keep others from the entries before and after it. */
function toJsonEntry(entry: StoredEntry): Entry<unknown> {
  try {
    return toEntry(entry, parseJson(text(entry, "json")));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return toEntry(entry, undefined);
  }
}

function text({ fields }: StoredEntry, field: string): string {
  const value = fields[field];
  return typeof value === "string" ? value : "";
}

function stored(id: string | undefined): string {
  if (id === undefined) throw new StoreError("the store was closed before the entry was written");
  return id;
}

/** @throws {StoreUsageError} If it is no id: part of a key, it must not be anything. */
function checkId(id: string): string {
  if (isId(id)) return id;
  throw new StoreUsageError(
    `${JSON.stringify(id)} is no id of the store; expected one such as 1685090990182-0`,
  );
}
