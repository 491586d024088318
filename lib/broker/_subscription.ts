/**
 * A queue whose messages are taken, across connections. rabbitmq-client's own consumer binds its queue
 * again only when the message at hand is done with; a request may take hours, and those who send another
 * one meanwhile would be told that nobody is there.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { AsyncMessage, Channel, Connection, SyncMessage } from "rabbitmq-client";
import { BrokerError } from "./broker_error.ts";
import { bytesOf, type Delivery, EXCHANGES } from "./_messages.ts";
import { isPermanent, pause, textOf, untilAborted } from "./_retry.ts";
import { topicMatches, usualPatterns } from "./topic.ts";

/** So many messages wait in a named queue at most. */
const MAX_WAITING = 100_000;
/** So long are they together at most, bytes. */
const MAX_WAITING_BYTES = 2 ** 30;
/**
 * So often a message comes back at most. A service is given it once: who gets it again only says so. One that ends
 * every process that reads it would come back for ever.
 */
const DELIVERY_LIMIT = 10;

/** A queue to take messages from. */
export interface QueueSpec {
  exchange: "request" | "status" | "kill";
  /** Binding key. */
  tag: string;
  /** A quorum queue that instances share; else one of our own, which goes with the connection. */
  name?: string | undefined;
  /** Messages are gone once delivered; else each is settled by what the handler returns. */
  noAck?: boolean;
}

/** What becomes of a message that was handled. */
export type Settlement = "ack" | "reject";

/** A message that was handled, and that is to be settled when all is told: the next one need not wait for that. */
export interface Telling {
  readonly told: Promise<Settlement>;
}

/** What a handler gives back when the next message may have its turn. */
export type Handled = Settlement | Telling;

/** What becomes of a message in the end. */
export async function settlementOf(handled: Handled): Promise<Settlement> {
  return typeof handled === "string" ? handled : await handled.told;
}

/**
 * Messages of a queue of our own that wait here, instead of at the broker: with the connection they are gone in
 * either place. From a shared queue one at a time comes: those that wait are for others.
 */
const OWN_PREFETCH = 8;

/** What a subscription is told besides its queue. */
export interface SubscriptionContext {
  connection: Connection;
  /** The broker, for messages. */
  where: string;
  onNote: (message: string) => void;
  handle: (delivery: Delivery) => Promise<Handled>;
}

/** A message that came by itself, or was asked for. */
type Message = AsyncMessage | SyncMessage;

/** Takes messages from a queue, one after the other, until it is closed. */
export class Subscription {
  readonly #spec: QueueSpec;
  readonly #context: SubscriptionContext;
  readonly #bound = Promise.withResolvers<void>();
  readonly #closed = new AbortController();
  readonly #over: Promise<void>;
  /** Resolves while the queue is bound; another one takes its place when that is lost. */
  #listening = Promise.withResolvers<void>();
  #channel: Channel | undefined;
  /** Its name at the broker, while it is bound. */
  #queue: string | undefined;
  /** Our name as a consumer, on the channel. */
  #consumerTag: string | undefined;
  /** Resolves when the broker hands over no more. */
  #refused: Promise<void> | undefined;
  /** Ends when the messages that have come so far are done with. */
  #turn: Promise<void> = Promise.resolve();
  /** Messages that were handled and are not settled. */
  readonly #settling = new Set<Promise<void>>();

  constructor(spec: QueueSpec, context: SubscriptionContext) {
    this.#spec = spec;
    this.#context = context;
    this.#over = this.#keep();
  }

  /**
   * Resolves when the queue is bound for the first time.
   *
   * @throws {BrokerError} If the broker refuses.
   */
  get bound(): Promise<void> {
    return this.#bound.promise;
  }

  /**
   * Waits until the queue is bound, again if need be: what is published from then on is heard.
   *
   * @throws The signal's reason when that comes first.
   */
  async listening(signal: AbortSignal): Promise<void> {
    await untilAborted(this.#listening.promise, signal);
  }

  /**
   * Takes no more. From a queue that is shared the broker hands over nothing then, also when the message at hand
   * is done with: what waits there is for the others, and would come to them as begun by us if it came back. What
   * waits in a queue of our own would vanish with it: it is handed to the handler, which is to refuse it, without
   * its turn.
   *
   * @returns Resolves when nothing more comes, and what has waited is done with.
   */
  async refuse(): Promise<void> {
    if (!this.#closed.signal.aborted) {
      this.#closed.abort(new BrokerError("closed"));
      this.#refused = this.#isShared ? this.#cancel() : this.#drain();
    }
    await this.#refused;
  }

  /** Takes no more, and waits until what was taken is done with. */
  async close(): Promise<void> {
    await this.refuse();
    await this.#turn;
    await Promise.all(this.#settling);
    await this.#channel?.close();
    await this.#over;
  }

  get #isShared(): boolean {
    return this.#spec.name !== undefined;
  }

  async #cancel(): Promise<void> {
    const [channel, consumerTag] = [this.#channel, this.#consumerTag];
    if (!channel?.active || consumerTag === undefined) return;
    try {
      await channel.basicCancel(consumerTag);
    } catch {
      return; // the channel is gone, and the consumer with it
    }
    await nextTurn();
  }

  /** Hands all that waits to the handler. The first consumer stays: the queue would go with the last. */
  async #drain(): Promise<void> {
    const { exchange, tag, noAck = false } = this.#spec;
    const [channel, queue] = [this.#channel, this.#queue];
    if (noAck || !channel?.active || queue === undefined) return;
    const refused: Promise<void>[] = [];
    const refuse = (message: Message): void => void refused.push(this.#refuseOne(message));
    try {
      // Who sends from now on is told that nobody is there.
      await channel.queueUnbind({ queue, exchange, routingKey: tag });
      await channel.basicQos({ prefetchCount: 0 });
      await channel.basicConsume({ queue, noAck: true }, refuse);
      // An empty queue has given everything to the channel, which has passed it on at its next answer.
      for (let empty = 0; empty < 2;) {
        const message = await channel.basicGet({ queue, noAck: true });
        if (message === undefined) empty++;
        else refuse(message);
      }
      await nextTurn();
    } catch (error) {
      // The channel is gone, and the queue with it.
      this.#context.onNote(`${this.#tell(error)}; what waited there is lost`);
    }
    await Promise.all(refused);
  }

  async #keep(): Promise<void> {
    const { signal } = this.#closed;
    for (let attempts = 0; !signal.aborted; attempts++) {
      try {
        const { lost } = await this.#bind();
        this.#bound.resolve();
        this.#listening.resolve();
        attempts = 0;
        await untilAborted(lost, signal);
      } catch (error) {
        if (!signal.aborted) this.#failed(error);
      }
      await pause(attempts, signal).catch(() => {}); // closed meanwhile
    }
    this.#bound.reject(signal.reason);
    this.#bound.promise.catch(() => {}); // it may have been bound long ago
  }

  /** @returns `lost` resolves when the channel is gone. */
  async #bind(): Promise<{ lost: Promise<void> }> {
    const { exchange, tag, name, noAck = false } = this.#spec;
    const channel = await this.#acquire();
    this.#channel = channel;
    this.#queue = this.#consumerTag = undefined;
    const lost = Promise.withResolvers<void>();
    channel.on("error", (error) => this.#context.onNote(this.#tell(error)));
    channel.once("close", () => {
      this.#listening = Promise.withResolvers<void>();
      lost.resolve();
    });
    channel.once("basic.cancel", () => channel.close()); // somebody has deleted the queue
    try {
      const { queue } = await channel.queueDeclare(
        name === undefined
          ? { queue: "", exclusive: true, autoDelete: true }
          : { queue: name, durable: true, arguments: sharedQueue(exchange) },
      );
      for (const declared of EXCHANGES) await channel.exchangeDeclare(declared);
      await channel.queueBind({ queue, exchange, routingKey: tag });
      if (!noAck) await channel.basicQos({ prefetchCount: this.#isShared ? 1 : OWN_PREFETCH });
      this.#closed.signal.throwIfAborted();
      const { consumerTag } = await channel.basicConsume(
        { queue, noAck },
        (message) => this.#take(channel, message),
      );
      this.#consumerTag = consumerTag;
      this.#queue = queue;
      return { lost: lost.promise };
    } catch (error) {
      if (channel.active) await channel.close();
      throw error;
    }
  }

  /** A channel, as soon as there is a connection; not waited for once it is closed. */
  async #acquire(): Promise<Channel> {
    const coming = this.#context.connection.acquire({ emitErrorsFromChannel: true });
    const { signal } = this.#closed;
    try {
      return await untilAborted(coming, signal);
    } catch (error) {
      // One that comes all the same would keep the connection from being closed.
      if (signal.aborted) coming.then((channel) => channel.close()).catch(() => {});
      throw error;
    }
  }

  #take(channel: Channel, message: AsyncMessage): void {
    // What comes in the very moment of our refusal is taken, too: a runner that stops says so to its sender.
    if (this.#closed.signal.aborted && this.#spec.noAck) return;
    this.#turn = this.#turn.then(() => this.#handle(channel, message));
  }

  async #handle(channel: Channel, message: AsyncMessage): Promise<void> {
    const handled = this.#pass(channel, message);
    const settled = this.#settle(channel, message, handled);
    this.#settling.add(settled);
    settled.finally(() => this.#settling.delete(settled));
    await handled.catch(() => {}); // told there
  }

  async #pass(channel: Channel, message: AsyncMessage): Promise<Handled> {
    const delivery = this.#read(message);
    if (delivery.isStray) await this.#unbind(channel, delivery);
    return await this.#context.handle(delivery);
  }

  async #settle(channel: Channel, message: AsyncMessage, handled: Promise<Handled>): Promise<void> {
    const { deliveryTag } = message;
    let settlement: Settlement;
    try {
      settlement = await settlementOf(await handled);
    } catch (error) {
      if (this.#closed.signal.aborted) return; // it could not be told what became of it
      this.#context.onNote(this.#tell(error));
      settlement = "reject";
    }
    // A channel that is gone has given its messages back.
    if (this.#spec.noAck || !channel.active) return;
    if (settlement === "ack") channel.basicAck({ deliveryTag });
    else channel.basicNack({ deliveryTag, requeue: false });
  }

  async #refuseOne(message: Message): Promise<void> {
    try {
      await settlementOf(await this.#context.handle(this.#read(message)));
    } catch (error) {
      this.#context.onNote(this.#tell(error));
    }
  }

  #read(message: Message): Delivery {
    const { correlationId, headers, redelivered, routingKey, body } = message;
    const requestId = typeof correlationId === "string" && correlationId !== ""
      ? correlationId
      : undefined;
    // What was sent to the queue by its name has another exchange.
    const isStray = message.exchange === "request" && !topicMatches(this.#spec.tag, routingKey);
    return {
      body: bytesOf(body),
      headers: headers ?? {},
      requestId,
      routingKey,
      isStray,
      redelivered,
    };
  }

  /** Undoes the binding that brought this: AMQP tells nobody what is bound, so all that are usual. */
  async #unbind(channel: Channel, { routingKey }: Delivery): Promise<void> {
    const { exchange, name: queue = "" } = this.#spec;
    await Promise.all(
      usualPatterns(routingKey).map((pattern) =>
        channel.queueUnbind({ queue, exchange, routingKey: pattern })
      ),
    );
  }

  #failed(error: unknown): void {
    const told = this.#tell(error);
    this.#context.onNote(told);
    if (!isPermanent(error)) return;
    const message = `${told}. Delete what is there, or choose another name`;
    this.#bound.reject(new BrokerError(message, { cause: error }));
    this.#bound.promise.catch(() => {}); // it may have been bound long ago
  }

  #tell(error: unknown): string {
    const { name, exchange } = this.#spec;
    const what = name === undefined ? `the queue for ${exchange}` : `queue ${name}`;
    return `${what} at ${this.#context.where}: ${textOf(error)}`;
  }
}

/**
 * What a named queue is: limited, since nobody may take from it for long. A full one takes no more requests,
 * and who sends them hears of it; of statuses the oldest go, since those who send them must not wait for a service that is not there.
 */
function sharedQueue(exchange: QueueSpec["exchange"]): Record<string, unknown> {
  return {
    "x-queue-type": "quorum",
    "x-max-length": MAX_WAITING,
    "x-max-length-bytes": MAX_WAITING_BYTES,
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-overflow": exchange === "request" ? "reject-publish" : "drop-head",
  };
}

/** What came before the broker's answer is given to us by setImmediate. */
async function nextTurn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}
