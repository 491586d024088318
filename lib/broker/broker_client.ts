import { BrokerConnection } from "./_connection.ts";
import { encodeJson, readStatus } from "./_messages.ts";
import type { Subscription } from "./_subscription.ts";
import { checkName } from "./names.ts";
import type { BrokerOptions } from "./broker_options.ts";
import type { Status } from "./status.ts";
import { type RequestOutcome, StatusAggregator, type WaitOptions } from "./status_aggregator.ts";

/** How to be a client. */
export interface BrokerClientOptions {
  /** Where RabbitMQ is; see `resolveBroker`. */
  broker: BrokerOptions;
  /** Name in RabbitMQ's management page. Default `std-daq client`. */
  name?: string;
  /** Requests whose statuses are remembered. Default 100. */
  remember?: number;
  /** Longest wait for the broker at the start and for its receipt of a message, ms. Default 10 000. */
  timeoutMs?: number;
  /** Told of lost and regained connections and malformed statuses. */
  onNote?: (message: string) => void;
}

/** How to send a request. */
export interface SendOptions {
  /** Name of the request; default a new UUID. No service runs the same one twice. */
  requestId?: string;
  /** Headers of the message, for services that read any. */
  headers?: Record<string, string>;
}

/** Statuses that a reader may be behind. */
const MAX_BEHIND = 10_000;

/**
 * Sends requests and follows what becomes of them.
 *
 * Statuses are heard from {@link connect} on, and of a request from before it is sent. What is said while
 * the connection is lost is not heard: a request that ended then is waited for to the end of its time.
 *
 * @example
 * ```ts ignore
 * import { BrokerClient, resolveBroker } from "@std-daq/std-daq/broker";
 *
 * await using client = await BrokerClient.connect({ broker: resolveBroker() });
 * const { status, services } = await client.request("psi.tomcat.writer", { n_images: 100 });
 * ```
 */
export class BrokerClient implements AsyncDisposable {
  /** All that was said of the last requests, whoever sent them. */
  readonly aggregator: StatusAggregator;
  readonly #connection: BrokerConnection;
  readonly #timeoutMs: number;
  readonly #readers = new Set<StatusReader>();
  #statuses: Subscription | undefined;

  private constructor(connection: BrokerConnection, { remember, timeoutMs }: BrokerClientOptions) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs ?? 10_000;
    this.aggregator = new StatusAggregator(remember === undefined ? {} : { limit: remember });
  }

  /**
   * Connects; resolves when all statuses from now on will be heard.
   *
   * @throws {BrokerError} If the broker cannot be reached or refuses.
   */
  static async connect(options: BrokerClientOptions): Promise<BrokerClient> {
    const { broker, name = "std-daq client", timeoutMs = 10_000, onNote = () => {} } = options;
    const connection = await BrokerConnection.open(broker, {
      name,
      connectTimeoutMs: timeoutMs,
      onNote,
    });
    const client = new BrokerClient(connection, options);
    try {
      const queue = { exchange: "status", tag: "#", noAck: true } as const;
      client.#statuses = await connection.consume(queue, (delivery) => {
        const status = readStatus(delivery);
        if (status === undefined) onNote("a malformed status was ignored");
        else client.#hear(status);
        return Promise.resolve("ack");
      });
      return client;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /**
   * Sends a request to the services bound for a tag; resolves when the broker has it.
   *
   * @param tag Routing key, words with dots between them.
   * @param request Any JSON.
   * @returns The request's id.
   * @throws {BrokerUsageError} If tag or id cannot be one: empty, or longer than 255 bytes.
   * @throws {UnroutableError} If no service is bound for the tag.
   * @throws {QueueFullError} If the named queue of a service takes no more.
   * @throws {DOMException} `TimeoutError` if the broker does not take it in time.
   */
  async send(tag: string, request: unknown, options: SendOptions = {}): Promise<string> {
    const { requestId = crypto.randomUUID(), headers = {} } = options;
    checkName("tag", tag);
    checkName("request id", requestId);
    await this.#connection.publish(
      {
        exchange: "request",
        routingKey: tag,
        requestId,
        headers,
        body: encodeJson(request),
        mandatory: true,
      },
      AbortSignal.timeout(this.#timeoutMs),
      this.#statuses,
    );
    return requestId;
  }

  /**
   * Ends a request early; resolves when the broker has the order, not when the request has ended.
   *
   * @throws {BrokerUsageError} If tag or id cannot be one.
   * @throws {UnroutableError} If no service is bound for the tag.
   */
  async kill(tag: string, requestId: string): Promise<void> {
    checkName("tag", tag);
    checkName("request id", requestId);
    await this.#connection.publish({
      exchange: "kill",
      routingKey: tag,
      requestId,
      headers: {},
      body: new Uint8Array(),
      mandatory: true,
    }, AbortSignal.timeout(this.#timeoutMs));
  }

  /** Waits for the end of a request; see {@link StatusAggregator.wait}. */
  async wait(requestId: string, options: WaitOptions = {}): Promise<RequestOutcome> {
    return await this.aggregator.wait(requestId, options);
  }

  /** Sends a request and waits for its end. A request that is waited for no more goes on. */
  async request(
    tag: string,
    request: unknown,
    options: SendOptions & WaitOptions = {},
  ): Promise<RequestOutcome> {
    return await this.wait(await this.send(tag, request, options), options);
  }

  /**
   * All statuses from this very call on, those of others' requests included.
   *
   * @param signal Ends the sequence.
   * @returns Ends also with the client; throws `RangeError` when its reader is 10 000 behind.
   */
  statuses(signal?: AbortSignal): AsyncIterableIterator<Status> {
    const reader = new StatusReader();
    this.#readers.add(reader);
    if (signal?.aborted) reader.end();
    signal?.addEventListener("abort", () => reader.end(), { once: true });
    return this.#read(reader);
  }

  /** Disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const reader of this.#readers) reader.end();
    await this.#connection.close();
  }

  async *#read(reader: StatusReader): AsyncGenerator<Status, void, undefined> {
    try {
      yield* reader.all();
    } finally {
      this.#readers.delete(reader);
    }
  }

  #hear(status: Status): void {
    this.aggregator.add(status);
    for (const reader of this.#readers) reader.put(status);
  }
}

/** Statuses on their way to one reader. */
class StatusReader {
  readonly #waiting: Status[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  put(status: Status): void {
    if (this.#waiting.length <= MAX_BEHIND) this.#waiting.push(status);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *all(): AsyncGenerator<Status, void, undefined> {
    for (;;) {
      if (this.#waiting.length > MAX_BEHIND) {
        throw new RangeError(`reader of statuses is ${MAX_BEHIND} behind: read faster`);
      }
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
