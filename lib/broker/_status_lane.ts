import type { BrokerConnection } from "./_connection.ts";
import type { Outgoing } from "./_messages.ts";
import { isPermanent } from "./_retry.ts";

/** What messages go by. */
type Way = Pick<BrokerConnection, "publish" | "publishOnce">;

/** A message on its way. */
interface Item extends PromiseWithResolvers<void> {
  readonly message: Outgoing;
  settled: boolean;
}

/**
 * Sends messages in their order, each without waiting for the receipt of the one before. When the connection
 * breaks, those without a receipt are sent again, one after the other, before any that come later.
 */
export class StatusLane {
  readonly #connection: Way;
  /** Those without a receipt, in order. */
  readonly #open: Item[] = [];
  #repairing = false;

  /** A lane of its own on a connection. */
  constructor(connection: Way) {
    this.#connection = connection;
  }

  /**
   * Sends a message after all others; resolves when the broker has it.
   *
   * @throws {BrokerError} If the broker refuses it, or the connection is closed for good.
   */
  send(message: Outgoing): Promise<void> {
    const item: Item = { ...Promise.withResolvers<void>(), message, settled: false };
    this.#open.push(item);
    if (!this.#repairing) this.#try(item);
    return item.promise;
  }

  async #try(item: Item): Promise<void> {
    try {
      await this.#connection.publishOnce(item.message);
      this.#settle(item);
    } catch (error) {
      if (item.settled || this.#repairing) return; // it has its turn there
      // What another attempt does not change is told by that attempt.
      if (isPermanent(error)) await this.#again(item);
      else await this.#repair();
    }
  }

  /** Sends what is open again, the oldest first, until nothing is. */
  async #repair(): Promise<void> {
    this.#repairing = true;
    for (let item = this.#open[0]; item !== undefined; item = this.#open[0]) {
      await this.#again(item);
    }
    this.#repairing = false;
  }

  async #again(item: Item): Promise<void> {
    try {
      await this.#connection.publish(item.message);
      this.#settle(item);
    } catch (error) {
      this.#settle(item, error);
    }
  }

  #settle(item: Item, error?: unknown): void {
    if (item.settled) return;
    item.settled = true;
    this.#open.splice(this.#open.indexOf(item), 1);
    if (error === undefined) item.resolve();
    else item.reject(error);
  }
}
