/**
 * A connection to RabbitMQ that comes back by itself. Besides
 * `_subscription.ts`, the only file that knows rabbitmq-client.
 *
 * @module
 */
import { isIP } from "node:net";
import { setImmediate } from "node:timers";
import { Connection, type Envelope, type Publisher } from "rabbitmq-client";
import { isNetRefused, netHint } from "../host/net_permission.ts";
import { atMost } from "../os/at_most.ts";
import "./_codec.ts";
import { BrokerAwayError, BrokerError, QueueFullError, UnroutableError } from "./broker_error.ts";
import { type BrokerOptions, type BrokerTls, describeBroker } from "./broker_options.ts";
import { bufferOf, type Delivery, EXCHANGES, FRAME_MAX, type Outgoing } from "./_messages.ts";
import {
  isPermanent,
  isRejected,
  isUntrusted,
  pause,
  RETRY_FIRST_MS,
  RETRY_MOST_MS,
  textOf,
  untilAborted,
} from "./_retry.ts";
import { type Handled, type QueueSpec, Subscription } from "./_subscription.ts";

const HEARTBEAT_S = 10;
const CLOSE_MS = 4_000;

/** What a connection is told besides where it goes. */
export interface ConnectionContext {
  /** Shown in RabbitMQ's management page. */
  name: string;
  /** Longest wait for the first connection, ms. */
  connectTimeoutMs: number;
  /** Fail at once where the broker is away; else it is tried again until the time is up. */
  once?: boolean;
  /** Ends the wait. */
  signal?: AbortSignal;
  /** Told of lost and regained connections and the like. */
  onNote: (message: string) => void;
}

/** Publishes and consumes, across restarts of the broker. */
export class BrokerConnection {
  readonly #connection: Connection;
  readonly #publisher: Publisher;
  readonly #subscriptions: Subscription[] = [];
  readonly #where: string;
  readonly #onNote: (message: string) => void;
  readonly #closed = new AbortController();
  /** Mandatory messages under way: message id to whether it came back. */
  readonly #returned = new Map<string, boolean>();
  #lost = false;

  private constructor(connection: Connection, where: string, onNote: (message: string) => void) {
    this.#connection = connection;
    this.#where = where;
    this.#onNote = onNote;
    this.#publisher = connection.createPublisher({ confirm: true, exchanges: EXCHANGES });
    this.#publisher.on("basic.return", ({ messageId = "" }) => {
      if (this.#returned.has(messageId)) this.#returned.set(messageId, true);
    });
    connection.on("connection", () => this.#regained());
    connection.on("error", (error: unknown) => this.#failed(error));
  }

  /**
   * Connects and declares the exchanges.
   *
   * @throws {BrokerAwayError} If the broker cannot be reached in time.
   * @throws {BrokerError} If it does not let us in, or has an exchange of this name and another type.
   */
  static async open(options: BrokerOptions, context: ConnectionContext): Promise<BrokerConnection> {
    const where = describeBroker(options);
    const connection = new Connection({
      hostname: options.hostname,
      port: options.port,
      username: options.username,
      password: options.password,
      vhost: options.vhost,
      ...(options.tls !== undefined && { tls: tlsOptions(options.hostname, options.tls) }),
      connectionName: context.name,
      connectionTimeout: context.connectTimeoutMs,
      frameMax: FRAME_MAX,
      heartbeat: options.heartbeatS ?? HEARTBEAT_S,
      noDelay: true,
      retryLow: RETRY_FIRST_MS,
      retryHigh: RETRY_MOST_MS,
    });
    try {
      const opened = connected(connection, context).then(() => declareExchanges(connection));
      await (context.signal ? untilAborted(opened, context.signal) : opened);
    } catch (cause) {
      connection.unsafeDestroy();
      throw openError(cause, where, options);
    }
    return new BrokerConnection(connection, where, context.onNote);
  }

  /**
   * Sends a message and waits until the broker has it; across connections, as long as it takes.
   *
   * @param signal Ends the attempts.
   * @param answers Where answers to it come: it is sent only while they would be heard.
   * @throws {UnroutableError} If it is mandatory and no queue is bound for its routing key.
   * @throws {QueueFullError} If it is a request and a queue that is bound for its routing key takes no more.
   */
  async publish(message: Outgoing, signal?: AbortSignal, answers?: Subscription): Promise<void> {
    const messageId = message.mandatory ? crypto.randomUUID() : undefined;
    if (messageId !== undefined) this.#returned.set(messageId, false);
    const { exchange, routingKey } = message;
    const envelope = toEnvelope(message, messageId);
    const over = signal === undefined
      ? this.#closed.signal
      : AbortSignal.any([signal, this.#closed.signal]);
    try {
      for (let attempt = 0;; attempt++) {
        over.throwIfAborted();
        await answers?.listening(over);
        try {
          await untilAborted(this.#publisher.send(envelope, bufferOf(message.body)), over);
          break;
        } catch (error) {
          over.throwIfAborted();
          if (exchange === "request" && isRejected(error)) {
            throw new QueueFullError(
              `${this.#where} did not take the request: a queue for ${
                JSON.stringify(routingKey)
              } ` +
                "is full (services with other queues may have got it). See whether its service " +
                "runs, and send it again later",
              { cause: error },
            );
          }
          if (isPermanent(error)) {
            throw new BrokerError(`${this.#where} refused a message: ${textOf(error)}`, {
              cause: error,
            });
          }
        }
        await pause(attempt, over);
      }
      if (messageId === undefined) return;
      // The library tells of a returned message by setImmediate, after it has taken the receipt.
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (!this.#returned.get(messageId)) return;
      throw new UnroutableError(
        `no service is bound for ${JSON.stringify(routingKey)} at ${this.#where}: ` +
          `the ${exchange} reached nobody. Check the tag, and that the service runs`,
      );
    } finally {
      if (messageId !== undefined) this.#returned.delete(messageId);
    }
  }

  /**
   * Sends a message on the connection that is there, once; resolves when the broker has it.
   *
   * @throws When it is not sure to have it.
   */
  async publishOnce(message: Outgoing): Promise<void> {
    const sent = this.#publisher.send(toEnvelope(message), bufferOf(message.body));
    await untilAborted(sent, this.#closed.signal);
  }

  /** Whether a connection is there right now. */
  get isUp(): boolean {
    return this.#connection.ready;
  }

  /**
   * Takes messages from a queue; resolves when it is bound.
   *
   * @returns The subscription, which ends with the connection.
   *
   * @throws {BrokerError} If the broker refuses, for example since the queue exists with other properties.
   */
  async consume(
    queue: QueueSpec,
    handle: (delivery: Delivery) => Promise<Handled>,
  ): Promise<Subscription> {
    const subscription = new Subscription(queue, {
      connection: this.#connection,
      where: this.#where,
      onNote: this.#onNote,
      handle,
    });
    this.#subscriptions.push(subscription);
    await subscription.bound;
    return subscription;
  }

  /**
   * Takes no more messages, and begins to refuse what waits for us alone; those that were taken can still be
   * settled, and others sent.
   */
  refuse(): void {
    for (const subscription of this.#subscriptions) subscription.refuse();
  }

  /** Ends all subscriptions, once their messages are settled, and the connection; within reason. */
  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    const ended = Promise.allSettled(
      this.#subscriptions.map((subscription) => subscription.close()),
    )
      .then(async () => {
        this.#closed.abort(new BrokerError(`the connection to ${this.#where} was closed`));
        if (!this.isUp) return; // nobody to say goodbye to
        await this.#publisher.close();
        await this.#connection.close();
      });
    if (!await atMost(CLOSE_MS, ended.catch(() => {}))) {
      this.#onNote(`not all was told to ${this.#where} within ${CLOSE_MS} ms`);
    }
    this.#closed.abort(new BrokerError(`the connection to ${this.#where} was closed`));
    this.#connection.unsafeDestroy();
  }

  #failed(error: unknown): void {
    if (this.#closed.signal.aborted || this.#lost || this.#connection.ready) return;
    this.#lost = true;
    this.#onNote(`lost the connection to ${this.#where}, trying again: ${textOf(error)}`);
  }

  #regained(): void {
    if (!this.#lost) return;
    this.#lost = false;
    this.#onNote(`connected to ${this.#where} again`);
  }
}

/** An address is no name to ask for, and is held against the certificate all the same. */
function tlsOptions(hostname: string, tls: BrokerTls): BrokerTls & { servername?: string } {
  return { ...tls, ...(isIP(hostname) === 0 && { servername: hostname }) };
}

/** A message as the library takes it. */
function toEnvelope(message: Outgoing, messageId?: string): Envelope {
  const { exchange, routingKey, requestId, headers, mandatory = false } = message;
  return {
    exchange,
    routingKey,
    correlationId: requestId,
    headers,
    mandatory,
    ...(messageId !== undefined && { messageId }),
  };
}

/** Resolves at the first connection; rejects at once when it is refused for good, or was to be tried once. */
async function connected(
  connection: Connection,
  { connectTimeoutMs, once = false }: ConnectionContext,
): Promise<void> {
  const refused = Promise.withResolvers<never>();
  let last: unknown;
  const onError = (error: unknown): void => {
    last = error;
    if (once || isPermanent(error) || isUntrusted(error) || isNetRefused(error)) {
      refused.reject(error);
    }
  };
  connection.on("error", onError);
  try {
    await Promise.race([connection.onConnect(connectTimeoutMs, true), refused.promise]);
  } catch (error) {
    throw last ?? error;
  } finally {
    connection.off("error", onError);
    connection.on("error", () => {}); // one without a listener would end the process
  }
}

async function declareExchanges(connection: Connection): Promise<void> {
  for (const { exchange, type } of EXCHANGES) {
    try {
      await connection.exchangeDeclare({ exchange, type });
    } catch (cause) {
      if (!isPermanent(cause)) throw cause; // the connection was lost
      throw new BrokerError(
        `exchange ${exchange} cannot be declared as ${type}: ${textOf(cause)}. ` +
          "If something else made it with other properties, delete it or use another vhost",
        { cause },
      );
    }
  }
}

function openError(cause: unknown, where: string, options: BrokerOptions): BrokerError {
  const { hostname, port, username } = options;
  if (cause instanceof BrokerError) return new BrokerError(`${where}: ${cause.message}`, { cause });
  if (isNetRefused(cause)) {
    return new BrokerError(`${where}: ${netHint(hostname, port)}`, { cause });
  }
  if (isPermanent(cause)) {
    return new BrokerError(
      `${where} does not let ${username} in: ${textOf(cause)}. Check user, password and vhost`,
      { cause },
    );
  }
  if (isUntrusted(cause)) {
    return new BrokerError(
      `${where} shows a certificate that is not trusted: ${textOf(cause)}. ` +
        "Name that of its authority in BROKER_CA_FILE, and the host as the certificate has it",
      { cause },
    );
  }
  return new BrokerAwayError(
    `${where} cannot be reached: ${textOf(cause)}. Check that RabbitMQ runs and the address`,
    { cause },
  );
}
