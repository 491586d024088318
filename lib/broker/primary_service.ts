import { BrokerService } from "./broker_service.ts";
import { type Listen, ServiceCore } from "./_service.ts";
import type { BrokerServiceOptions, RequestTools, Waiting } from "./service_options.ts";

/**
 * A service that carries out requests, one at a time: it tells `request_start`, calls the handler, and tells
 * `request_success` or `request_fail`. A connection that is lost comes back by itself; a request goes on
 * meanwhile, and its end is told afterwards.
 *
 * @example
 * ```ts ignore
 * import { PrimaryService, resolveBroker } from "@std-daq/std-daq/broker";
 * import { z } from "zod";
 *
 * await using service = await PrimaryService.start({
 *   broker: resolveBroker({ env: (name) => Deno.env.get(name) }),
 *   serviceName: "psi.tomcat.counter",
 *   tag: "psi.tomcat.#",
 *   schema: z.object({ n_images: z.int().min(1) }),
 *   handler: {
 *     async onRequest(_requestId, { n_images }, { signal, progress }): Promise<{ counted: number }> {
 *       for (let i = 1; i <= n_images; i++) {
 *         signal.throwIfAborted();
 *         progress({ counted: i });
 *         await countOne();
 *       }
 *       return { counted: n_images };
 *     },
 *   },
 * });
 * ```
 */
export class PrimaryService extends BrokerService {
  /**
   * Connects and takes requests; resolves when those sent from now on will be seen.
   *
   * @throws {BrokerError} If the broker cannot be reached or refuses.
   * @throws {BrokerUsageError} If a name cannot be one.
   */
  static async start<Request>(
    options: BrokerServiceOptions<Request>,
  ): Promise<PrimaryService> {
    return new PrimaryService(await ServiceCore.start(options, takeFrom(options.queue)));
  }

  /**
   * As {@link PrimaryService.start}, for a service that has other work, too: a broker that is away is waited for,
   * however long it takes. One that is there at the first attempt, of 5 s, and refuses is an error; one that
   * refuses later is asked again, since somebody may mend that, and the other work goes on.
   *
   * @throws {BrokerError} If the broker refuses at the first attempt.
   * @throws {BrokerUsageError} If a name cannot be one.
   * @throws The signal's reason when it aborts.
   */
  static async startWhenThere<Request>(
    options: BrokerServiceOptions<Request>,
    waiting: Waiting,
  ): Promise<PrimaryService> {
    const listen = takeFrom<Request>(options.queue);
    return new PrimaryService(await ServiceCore.startWhenThere(options, listen, waiting));
  }
}

/** Takes requests from a queue of this name, or of our own. */
function takeFrom<Request>(name: string | undefined): Listen<Request, RequestTools> {
  return (core, connection, tag) =>
    connection.consume(
      { exchange: "request", tag, name },
      (delivery) => core.runner.take(delivery, (tools) => tools),
    );
}
