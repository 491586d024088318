import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import { type Engine, type NewEntry, pause, type StoredEntry } from "./_engine.ts";
import { type QueueLimits, WriteQueue } from "./_write_queue.ts";
import { StoreError } from "./store_error.ts";

const READ_LIMIT_MS = 5_000;
/** A connection that takes longer at the start is an outage. */
const START_MS = 2_000;
/** A blocking read returns after so long, to see whether Redis has forgotten the stream, or its clock. */
const WATCH_MS = 5_000;
const RETRY_FIRST_MS = 100;
const RETRY_MOST_MS = 5_000;
const CLOSE_MS = 3_000;
/** Among so many of the newest entries one is looked for that may have been written without an answer. */
const LOOK_BACK = 100;
/** Field that tells our entries apart; the original does not look at it. */
const UID = "uid";
/** What Redis says when it will be able to, later. */
const LATER = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|BUSY)\b/;

/** How to reach Redis. */
export interface RedisEngineOptions {
  url: URL;
  /** Password where the URL has none. */
  password?: string | undefined;
  /** Certificate of the authority for `rediss:`, PEM. */
  ca?: string | undefined;
  limits: QueueLimits;
  onNote: (message: string) => void;
}

/** Streams of a Redis that may be away: what is written meanwhile waits. */
export class RedisEngine implements Engine {
  readonly #options: RedisEngineOptions;
  readonly #redis: Redis;
  readonly #queue: WriteQueue;
  readonly #where: string;
  readonly #onNote: (message: string) => void;
  #problem = "no answer";
  #started = false;

  constructor(options: RedisEngineOptions) {
    const { url, limits, onNote } = options;
    this.#options = options;
    this.#where = `${url.protocol}//${url.host}`;
    this.#onNote = onNote;
    this.#redis = connect(options);
    this.#redis.on("error", (error: Error) => this.#problem = error.message);
    this.#queue = new WriteQueue({
      limits,
      write: (entry, again) => this.#write(entry, again),
      isAway,
      untilBack: (signal) => this.#untilBack(signal),
      onNote: (message) => onNote(`${this.#where}: ${message}`),
    });
  }

  append(entry: NewEntry): Promise<string | undefined> {
    const uid = entry.worth === undefined ? { [UID]: crypto.randomUUID() } : {};
    return this.#queue.add({ ...entry, fields: { ...entry.fields, ...uid } });
  }

  async newest(key: string, count: number): Promise<StoredEntry[]> {
    return await this.#read("XREVRANGE", key, "+", "-", "COUNT", count);
  }

  async get(key: string, id: string): Promise<StoredEntry | undefined> {
    const [entry] = await this.#read("XRANGE", key, id, id);
    return entry;
  }

  async *watch(key: string, signal: AbortSignal): AsyncGenerator<StoredEntry, void, void> {
    // A blocking read holds up all else on its connection: it has one of its own.
    const redis = connect(this.#options, WATCH_MS + READ_LIMIT_MS);
    redis.on("error", () => {}); // it connects again by itself
    const stop = (): void => redis.disconnect();
    signal.addEventListener("abort", stop, { once: true });
    try {
      let last = "0-0";
      while (!signal.aborted) {
        const newest = await this.#nextAfter(redis, key, last, signal);
        if (newest === undefined || newest.id === last) continue;
        last = newest.id;
        yield newest;
      }
    } finally {
      signal.removeEventListener("abort", stop);
      redis.disconnect();
    }
  }

  /** Waits for an entry that is another than the last one; undefined when there was none for a while. */
  async #nextAfter(
    redis: Redis,
    key: string,
    last: string,
    signal: AbortSignal,
  ): Promise<StoredEntry | undefined> {
    try {
      await untilReady(redis, signal);
      const newest = await redis.callBuffer("XREVRANGE", [key, "+", "-", "COUNT", 1]);
      const [entry] = toEntries(newest);
      if (entry !== undefined && entry.id !== last) return entry;
      await redis.callBuffer("XREAD", ["BLOCK", WATCH_MS, "STREAMS", key, last]);
    } catch (cause) {
      if (signal.aborted) return undefined;
      if (!isAway(cause)) {
        throw new StoreError(`${this.#where}: ${key} could not be watched: ${cause}`, { cause });
      }
      await pause(RETRY_FIRST_MS, signal);
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const lost = await this.#queue.close(CLOSE_MS);
    this.#redis.disconnect();
    for (const { key, fields } of lost) {
      if (fields.json !== undefined) {
        this.#onNote(`${this.#where}: not stored in ${key}: ${fields.json}`);
      }
    }
  }

  async #write(entry: NewEntry, again: boolean): Promise<string> {
    if (!this.#started) await untilReady(this.#redis, AbortSignal.timeout(START_MS));
    this.#started = true;
    const { key, fields, maxLength, notBefore, idleMs } = entry;
    const known = again && fields[UID] !== undefined ? await this.#find(entry) : undefined;
    if (known !== undefined) return known;
    const pairs = Object.entries(fields).flatMap(([name, value]) => [name, toArgument(value)]);
    const id = String(await this.#call("XADD", key, "MAXLEN", "=", maxLength, "*", ...pairs));
    if (notBefore !== undefined) await this.#call("XTRIM", key, "MINID", "=", notBefore);
    if (idleMs !== undefined) await this.#call("PEXPIRE", key, Math.ceil(idleMs));
    return id;
  }

  /** The entry, if an attempt whose answer was lost has written it. */
  async #find({ key, fields }: NewEntry): Promise<string | undefined> {
    const answer = await this.#call("XREVRANGE", key, "+", "-", "COUNT", LOOK_BACK);
    return toEntries(answer).find((entry) => entry.fields[UID] === fields[UID])?.id;
  }

  async #read(command: string, ...args: (string | number)[]): Promise<StoredEntry[]> {
    try {
      await untilReady(this.#redis, AbortSignal.timeout(READ_LIMIT_MS));
      return toEntries(await this.#call(command, ...args));
    } catch (cause) {
      const reason = isAway(cause) ? this.#problem : String(cause);
      throw new StoreError(
        `${this.#where} could not be read: ${reason}. Check that Redis runs, its address and password`,
        { cause },
      );
    }
  }

  #call(command: string, ...args: (string | number | Buffer)[]): Promise<unknown> {
    return this.#redis.callBuffer(command, args);
  }

  /** A Redis that is ready may still refuse, for example while it loads its data: not at once again. */
  async #untilBack(signal: AbortSignal): Promise<void> {
    await pause(RETRY_FIRST_MS, signal);
    await untilReady(this.#redis, signal);
  }
}

/** Resolves when Redis takes commands, and at the latest when the signal aborts. */
async function untilReady(redis: Redis, signal: AbortSignal): Promise<void> {
  if (redis.status === "ready" || signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  redis.once("ready", done);
  signal.addEventListener("abort", done);
  try {
    await promise;
  } finally {
    redis.off("ready", done);
    signal.removeEventListener("abort", done);
  }
}

function connect(
  { url, password, ca }: RedisEngineOptions,
  commandTimeout: number = READ_LIMIT_MS,
): Redis {
  const secret = decodeURIComponent(url.password) || password;
  return new Redis({
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 6379 : Number(url.port),
    db: Number(url.pathname.slice(1) || 0),
    ...(url.username !== "" && { username: decodeURIComponent(url.username) }),
    ...(secret !== undefined && { password: secret }),
    ...(url.protocol === "rediss:" && { tls: ca === undefined ? {} : { ca } }),
    connectTimeout: 5_000,
    commandTimeout,
    retryStrategy: (attempt) =>
      Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempt, 10), RETRY_MOST_MS),
    // What waits, waits in our queue, which knows what may be dropped.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  });
}

/** Whether Redis itself did not refuse: it is not there, or not yet able to. */
function isAway(error: unknown): boolean {
  return !(error instanceof Error) || error.name !== "ReplyError" || LATER.test(error.message);
}

function toArgument(value: string | Uint8Array): string | Buffer {
  return typeof value === "string"
    ? value
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** Entries of an answer: `[[id, [field, value, …]], …]`, all bytes. */
function toEntries(answer: unknown): StoredEntry[] {
  return list(answer).map((entry) => {
    const [id, pairs] = list(entry);
    const fields: Record<string, string | Uint8Array> = {};
    const flat = list(pairs);
    for (let i = 0; i + 1 < flat.length; i += 2) fields[String(flat[i])] = toValue(flat[i + 1]);
    return { id: String(id), fields };
  });
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Text, where the bytes are some. */
function toValue(value: unknown): string | Uint8Array {
  if (!(value instanceof Uint8Array)) return String(value);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch (error) {
    if (error instanceof TypeError) return new Uint8Array(value);
    throw error;
  }
}
