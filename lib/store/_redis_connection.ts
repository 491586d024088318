/**
 * A connection to Redis that comes back by itself. With `_redis_client.ts`, the only file that knows ioredis.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { Redis as RedisClient } from "ioredis";
import { isNetRefused, netHint } from "../host/net_permission.ts";
import { Redis } from "./_redis_client.ts";
import { describeStore, type ResolvedStore } from "./store_address.ts";
import { StoreUsageError } from "./store_error.ts";

/** Longest answer time of Redis, ms. */
export const ANSWER_MS = 5_000;
/** First and longest pause between attempts, ms. */
export const RETRY_FIRST_MS = 100;
const RETRY_MOST_MS = 5_000;
/** What Redis says when it will be able to, later, or when somebody mends its settings. */
const LATER =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|BUSY|MISCONF|NOREPLICAS|NOPERM|NOAUTH)\b/;

/** A Redis that may be away. */
export class RedisConnection implements Disposable {
  /** Where, for messages. */
  readonly where: string;
  readonly #redis: RedisClient;
  #problem = "no answer";
  /** Whether Redis has not the database that is asked for. */
  #refused = false;

  /**
   * Begins to connect; nothing waits for it.
   *
   * @param answerMs Longest answer time, ms.
   */
  constructor(store: ResolvedStore, answerMs = ANSWER_MS) {
    this.where = describeStore(store.address);
    this.#redis = connect(store, answerMs);
    const { host = "", port = 6379 } = this.#redis.options;
    this.#redis.on("error", (error: Error) => {
      if (this.#refused) return;
      this.#problem = isNetRefused(error) ? netHint(host, port) : error.message;
      this.#refused = /DB index/.test(error.message);
      // ioredis would go on with database 0, which is somebody else's.
      if (this.#refused) this.#redis.disconnect();
    });
  }

  /** Why the last attempt to connect failed. */
  get problem(): string {
    return this.#problem;
  }

  /** Calls back whenever Redis takes commands (again). */
  onReady(callback: () => void): void {
    this.#redis.on("ready", callback);
  }

  /** One command; texts come as bytes. Rejects at once while Redis is away. */
  call(command: string, ...args: (string | number | Buffer)[]): Promise<unknown> {
    return this.#redis.callBuffer(command, args);
  }

  /** Resolves when Redis takes commands, and at the latest when the signal aborts. */
  async untilReady(signal: AbortSignal): Promise<void> {
    if (this.#redis.status === "ready" || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => resolve();
    this.#redis.once("ready", done);
    signal.addEventListener("abort", done);
    try {
      await promise;
    } finally {
      this.#redis.off("ready", done);
      signal.removeEventListener("abort", done);
    }
  }

  /** Hangs up. */
  [Symbol.dispose](): void {
    this.#redis.disconnect();
  }
}

/** Whether Redis itself did not refuse: it is not there, or not yet able to. */
export function isAway(error: unknown): boolean {
  return !(error instanceof Error) || error.name !== "ReplyError" || LATER.test(error.message);
}

function connect({ address, password, ca }: ResolvedStore, commandTimeout: number): RedisClient {
  const url = new URL(address);
  const secret = decoded(url.password, "password") || password;
  return new Redis({
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 6379 : Number(url.port),
    db: Number(url.pathname.slice(1) || 0),
    ...(url.username !== "" && { username: decoded(url.username, "user") }),
    ...(secret !== undefined && { password: secret }),
    ...(url.protocol === "rediss:" && { tls: ca === undefined ? {} : { ca } }),
    connectTimeout: 5_000,
    commandTimeout,
    retryStrategy: (attempt) =>
      Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempt, 10), RETRY_MOST_MS),
    // What waits, waits in a queue of ours, which knows what may be dropped.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  });
}

/** @throws {StoreUsageError} If there is a % in it that stands for itself. */
function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    const message = `store address: a % in its ${what} stands for itself; write it as %25`;
    throw new StoreUsageError(message, { cause });
  }
}
