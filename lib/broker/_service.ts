/** What primary and post-processing services have in common. */
import { BrokerConnection, type ConnectionContext } from "./_connection.ts";
import type { Settlement } from "./_subscription.ts";
import { type Delivery, statusHeaders } from "./_messages.ts";
import { BrokerAwayError, BrokerError } from "./broker_error.ts";
import { checkName } from "./names.ts";
import { RequestRunner, type Tell } from "./_request_runner.ts";
import { StatusLane } from "./_status_lane.ts";
import { pause, untilAborted } from "./_retry.ts";
import type { BrokerServiceOptions, RequestTools, Waiting } from "./service_options.ts";

/** The first attempt of a service that begins without the broker has so long, ms. */
const FIRST_ATTEMPT_MS = 5_000;

/** Subscribes to what a service works on. */
export type Listen<Request, Tools extends RequestTools> = (
  core: ServiceCore<Request, Tools>,
  connection: BrokerConnection,
  tag: string,
) => Promise<unknown>;

/** A service at work: a connection, a runner, and the kills that reach it. */
export class ServiceCore<Request, Tools extends RequestTools> {
  readonly runner: RequestRunner<Request, Tools>;
  readonly #connection: BrokerConnection;
  readonly #tag: string;
  readonly #note: (message: string) => void;

  private constructor(
    connection: BrokerConnection,
    options: BrokerServiceOptions<Request, Tools>,
  ) {
    this.#connection = connection;
    this.#tag = options.tag ?? "#";
    this.#note = options.onNote ?? (() => {});
    this.runner = new RequestRunner(options, this.#teller(options.serviceName));
  }

  /**
   * Connects, and listens to kills first: a request may be killed from its first moment.
   *
   * @throws {BrokerUsageError} If a name cannot be one.
   */
  static async start<Request, Tools extends RequestTools>(
    options: BrokerServiceOptions<Request, Tools>,
    listen: Listen<Request, Tools>,
    how: Pick<ConnectionContext, "once" | "signal"> = {},
  ): Promise<ServiceCore<Request, Tools>> {
    const { broker, serviceName, connectTimeoutMs = 10_000, onNote = () => {} } = options;
    const { tag, queue } = options;
    checkName("service name", serviceName);
    if (tag !== undefined) checkName("tag", tag);
    if (queue !== undefined) checkName("queue", queue);
    const connection = await BrokerConnection.open(broker, {
      name: serviceName,
      connectTimeoutMs,
      onNote,
      ...how,
    });
    const core = new ServiceCore(connection, options);
    try {
      const listening = core.#listen(listen, how.signal);
      await (how.signal ? untilAborted(listening, how.signal) : listening);
      return core;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** As {@link ServiceCore.start}; where the broker is away, again and again until it is there. */
  static async startWhenThere<Request, Tools extends RequestTools>(
    options: BrokerServiceOptions<Request, Tools>,
    listen: Listen<Request, Tools>,
    { signal, onAway }: Waiting,
  ): Promise<ServiceCore<Request, Tools>> {
    for (let attempt = 0;; attempt++) {
      signal.throwIfAborted();
      const limit = attempt === 0 ? { connectTimeoutMs: FIRST_ATTEMPT_MS } : {};
      try {
        return await ServiceCore.start({ ...options, ...limit }, listen, { once: true, signal });
      } catch (error) {
        signal.throwIfAborted();
        const isTriedAgain = error instanceof BrokerAwayError ||
          (attempt > 0 && error instanceof BrokerError);
        if (!isTriedAgain) throw error;
        onAway(error);
      }
      await pause(attempt, signal);
    }
  }

  /** Whether the broker is there right now. */
  get isConnected(): boolean {
    return this.#connection.isUp;
  }

  /** Tells a status. */
  get tell(): Tell {
    return this.runner.tell;
  }

  /** Takes no more requests and aborts what runs, without a wait. */
  refuse(): void {
    this.#connection.refuse(); // first: the end of the request at hand would bring the next one
    this.runner.stop();
  }

  /** Aborts what runs, tells so, and who waits in vain, and disconnects. */
  async stop(): Promise<void> {
    this.refuse();
    await this.runner.stop();
    await this.#connection.close();
  }

  async #listen(listen: Listen<Request, Tools>, signal: AbortSignal | undefined): Promise<void> {
    await this.#connection.consume(
      { exchange: "kill", tag: this.#tag, noAck: true },
      (delivery) => this.#kill(delivery),
    );
    signal?.throwIfAborted(); // requests are for others
    await listen(this, this.#connection, this.#tag);
  }

  #kill({ requestId }: Delivery): Promise<Settlement> {
    if (requestId === undefined) this.#note("a kill without correlation_id was ignored");
    else this.runner.kill(requestId);
    return Promise.resolve("ack");
  }

  #teller(source: string): Tell {
    const lane = new StatusLane(this.#connection);
    return async ({ requestId = "", body }, action, message, lossy = false) => {
      if (lossy && !this.#connection.isUp) return;
      await lane.send({
        exchange: "status",
        routingKey: this.#tag,
        requestId,
        headers: statusHeaders({ action, source, message }),
        body,
      });
    };
  }
}
