import type { RedisConnection } from "./_redis_connection.ts";
import type { ResolvedStore } from "./store_address.ts";
import { StoreError } from "./store_error.ts";

/** Longest wait for Redis when a config is asked for, ms. */
const CONFIG_MS = 5_000;
/** A connection that takes longer at the start is an outage, ms. */
const START_MS = 2_000;
/** Field that tells whose status it is, where several instances have one name. Ours. */
const INSTANCE = "instance";

/** Key of a service's config, a text of JSON. */
export function configKey(serviceName: string): string {
  return `config.${serviceName}`;
}

/** Key of a service's status, a hash. */
export function statusKey(serviceName: string): string {
  return `status.${serviceName}`;
}

/**
 * What Redis knows of services, under the keys of the original: `config.[service_name]`, which somebody else
 * puts there, and `status.[service_name]`, which goes by itself when it is not told again.
 */
export class ServiceRegistry implements Disposable {
  readonly #redis: RedisConnection;
  readonly #instance = crypto.randomUUID();
  #started = false;

  private constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /** Begins to connect; nothing waits for it. The client is loaded only here. */
  static async open(address: ResolvedStore): Promise<ServiceRegistry> {
    const { RedisConnection } = await import("./_redis_connection.ts");
    return new ServiceRegistry(new RedisConnection(address));
  }

  /** Calls back whenever Redis can be told something (again). */
  onReady(callback: () => void): void {
    this.#redis.onReady(callback);
  }

  /**
   * The text of a service's config; undefined where there is none.
   *
   * @throws {StoreError} If Redis cannot be asked.
   */
  async config(serviceName: string, signal?: AbortSignal): Promise<string | undefined> {
    const limit = AbortSignal.timeout(CONFIG_MS);
    try {
      await this.#redis.untilReady(signal === undefined ? limit : AbortSignal.any([signal, limit]));
      const text = await this.#redis.call("GET", configKey(serviceName));
      return text === null ? undefined : String(text);
    } catch (cause) {
      const said = cause instanceof Error && cause.name === "ReplyError"
        ? cause.message
        : undefined;
      throw new StoreError(
        `${this.#redis.where} could not be asked for ${configKey(serviceName)}: ` +
          `${said ?? this.#redis.problem}. Check that Redis runs, its address and password`,
        { cause },
      );
    }
  }

  /**
   * Tells a service's status; it is gone after `ttlMs` unless it is told again.
   *
   * @throws If Redis is away or refuses.
   */
  async putStatus(
    serviceName: string,
    fields: Readonly<Record<string, string>>,
    ttlMs: number,
  ): Promise<void> {
    // The first connection takes a moment: that is no outage.
    if (!this.#started) await this.#redis.untilReady(AbortSignal.timeout(START_MS));
    this.#started = true;
    const key = statusKey(serviceName);
    const pairs = Object.entries({ ...fields, [INSTANCE]: this.#instance }).flat();
    // Both or none: a status without an end would outlive its service.
    const script = "redis.call('HSET', KEYS[1], unpack(ARGV, 2)) " +
      "return redis.call('PEXPIRE', KEYS[1], ARGV[1])";
    await this.#redis.call("EVAL", script, 1, key, ttlMs, ...pairs);
  }

  /** Removes the status, if it is ours and not another instance's of the same name. */
  async removeStatus(serviceName: string): Promise<void> {
    const script = `if redis.call('HGET', KEYS[1], '${INSTANCE}') == ARGV[1] ` +
      "then return redis.call('DEL', KEYS[1]) end return 0";
    await this.#redis.call("EVAL", script, 1, statusKey(serviceName), this.#instance);
  }

  /** Where, for messages. */
  get where(): string {
    return this.#redis.where;
  }

  /** Why it cannot be reached, as far as known. */
  get problem(): string {
    return this.#redis.problem;
  }

  /** Hangs up. */
  [Symbol.dispose](): void {
    this.#redis[Symbol.dispose]();
  }
}
