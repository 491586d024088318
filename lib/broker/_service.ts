/** What primary and post-processing services have in common. */
import { BrokerConnection } from "./_connection.ts";
import type { Settlement } from "./_subscription.ts";
import { type Delivery, statusHeaders } from "./_messages.ts";
import { checkName } from "./names.ts";
import { RequestRunner, type Tell } from "./_request_runner.ts";
import { StatusLane } from "./_status_lane.ts";
import type { BrokerServiceOptions, RequestTools } from "./service_options.ts";

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
    listen: (
      core: ServiceCore<Request, Tools>,
      connection: BrokerConnection,
      tag: string,
    ) => Promise<unknown>,
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
    });
    const core = new ServiceCore(connection, options);
    try {
      await connection.consume(
        { exchange: "kill", tag: core.#tag, noAck: true },
        (delivery) => core.#kill(delivery),
      );
      await listen(core, connection, core.#tag);
      return core;
    } catch (error) {
      await connection.close();
      throw error;
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

  /** Aborts what runs, tells so, and who waits in vain, and disconnects. */
  async stop(): Promise<void> {
    this.#connection.refuse(); // first: the end of the request at hand would bring the next one
    await this.runner.stop();
    await this.#connection.close();
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
