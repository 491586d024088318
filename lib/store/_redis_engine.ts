import { Buffer } from "node:buffer";
import { pause } from "../os/pause.ts";
import { type Engine, type NewEntry, noteLost, type StoredEntry } from "./_engine.ts";
import { ANSWER_MS, isAway, RedisConnection, RETRY_FIRST_MS } from "./_redis_connection.ts";
import { type QueueLimits, WriteQueue } from "./_write_queue.ts";
import type { ResolvedStore } from "./store_address.ts";
import { StoreError } from "./store_error.ts";

/** A connection that takes longer at the start is an outage. */
const START_MS = 2_000;
/** A blocking read returns after so long, to see whether Redis has forgotten the stream, or its clock. */
const WATCH_MS = 5_000;
const CLOSE_MS = 3_000;
/** Among so many of the newest entries one is looked for that may have been written without an answer. */
const LOOK_BACK = 100;
/** Field that tells our entries apart; the original does not look at it. */
const UID = "uid";
/** How to reach Redis. */
export interface RedisEngineOptions {
  address: ResolvedStore;
  limits: QueueLimits;
  onNote: (message: string) => void;
}

/** Streams of a Redis that may be away: what is written meanwhile waits. */
export class RedisEngine implements Engine {
  readonly #address: ResolvedStore;
  readonly #redis: RedisConnection;
  readonly #queue: WriteQueue;
  readonly #onNote: (message: string) => void;
  #started = false;
  /** Why a stream cannot be watched right now. */
  #watchProblem: string | null = null;

  constructor({ address, limits, onNote }: RedisEngineOptions) {
    this.#address = address;
    this.#onNote = onNote;
    this.#redis = new RedisConnection(address);
    this.#queue = new WriteQueue({
      limits,
      write: (entry, again) => this.#write(entry, again),
      isAway,
      untilBack: (signal) => this.#untilBack(signal),
      onNote: (message) => onNote(`${this.#redis.where}: ${message}`),
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

  get problem(): string | null {
    return this.#watchProblem ?? this.#queue.problem;
  }

  async *watch(key: string, signal: AbortSignal): AsyncGenerator<StoredEntry, void, void> {
    // A blocking read holds up all else on its connection: it has one of its own.
    const redis = new RedisConnection(this.#address, WATCH_MS + ANSWER_MS);
    const stop = (): void => redis[Symbol.dispose]();
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
      stop();
    }
  }

  /** Waits for an entry that is another than the last one; undefined when there was none for a while. */
  async #nextAfter(
    redis: RedisConnection,
    key: string,
    last: string,
    signal: AbortSignal,
  ): Promise<StoredEntry | undefined> {
    try {
      await redis.untilReady(AbortSignal.any([signal, AbortSignal.timeout(START_MS)]));
      const newest = await redis.call("XREVRANGE", key, "+", "-", "COUNT", 1);
      const [entry] = toEntries(newest);
      this.#watches(key);
      if (entry !== undefined && entry.id !== last) return entry;
      await redis.call("XREAD", "BLOCK", WATCH_MS, "STREAMS", key, last);
    } catch (cause) {
      if (signal.aborted) return undefined;
      if (isAway(cause)) this.#cannotWatch(key, cause, redis);
      else {
        throw new StoreError(`${this.#redis.where}: ${key} could not be watched: ${cause}`, {
          cause,
        });
      }
      await pause(RETRY_FIRST_MS, signal);
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const lost = await this.#queue.close(CLOSE_MS);
    this.#redis[Symbol.dispose]();
    noteLost(lost, this.#redis.where, this.#onNote);
  }

  async #write(entry: NewEntry, again: boolean): Promise<string> {
    if (!this.#started) await this.#redis.untilReady(AbortSignal.timeout(START_MS));
    this.#started = true;
    const { key, fields, maxLength, notBefore, idleMs } = entry;
    const known = again && fields[UID] !== undefined ? await this.#find(entry) : undefined;
    if (known !== undefined) return known;
    const pairs = Object.entries(fields).flatMap(([name, value]) => [name, toArgument(value)]);
    const id = String(await this.#redis.call("XADD", key, "MAXLEN", "=", maxLength, "*", ...pairs));
    if (notBefore !== undefined) await this.#redis.call("XTRIM", key, "MINID", "=", notBefore);
    if (idleMs !== undefined) await this.#redis.call("PEXPIRE", key, Math.ceil(idleMs));
    return id;
  }

  /** The entry, if an attempt whose answer was lost has written it. */
  async #find({ key, fields }: NewEntry): Promise<string | undefined> {
    const answer = await this.#redis.call("XREVRANGE", key, "+", "-", "COUNT", LOOK_BACK);
    return toEntries(answer).find((entry) => entry.fields[UID] === fields[UID])?.id;
  }

  async #read(command: string, ...args: (string | number)[]): Promise<StoredEntry[]> {
    try {
      await this.#redis.untilReady(AbortSignal.timeout(ANSWER_MS));
      return toEntries(await this.#redis.call(command, ...args));
    } catch (cause) {
      const reason = isAway(cause) ? this.#redis.problem : String(cause);
      throw new StoreError(
        `${this.#redis.where} could not be read: ${reason}. Check that Redis runs, its address and password`,
        { cause },
      );
    }
  }

  /** Says once that a stream cannot be watched. */
  #cannotWatch(key: string, cause: unknown, redis: RedisConnection): void {
    if (this.#watchProblem !== null) return;
    const said = cause instanceof Error && cause.name === "ReplyError" ? cause.message : undefined;
    this.#watchProblem = said ?? redis.problem;
    this.#onNote(`${redis.where}: ${key} cannot be watched, waiting: ${this.#watchProblem}`);
  }

  /** Says that it can be again. */
  #watches(key: string): void {
    if (this.#watchProblem === null) return;
    this.#watchProblem = null;
    this.#onNote(`${this.#redis.where}: ${key} is watched`);
  }

  /** A Redis that is ready may still refuse, for example while it loads its data: not at once again. */
  async #untilBack(signal: AbortSignal): Promise<void> {
    await pause(RETRY_FIRST_MS, signal);
    await this.#redis.untilReady(signal);
  }
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
