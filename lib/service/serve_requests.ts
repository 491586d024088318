import type {
  BrokerService,
  BrokerServiceOptions,
  PostprocessingTools,
  RequestHandler,
  RequestSchema,
  RequestTools,
} from "../broker/mod.ts";
import { stringifyJson } from "../protocol/json.ts";
import type { Runnable } from "./default_service_setup.ts";
import { limited } from "./limited.ts";
import { logText } from "./logging.ts";
import type { ServiceContext } from "./service.ts";
import { UsageError } from "./usage_error.ts";

/** Below the time that a step of stopping has. */
const GRACE_MS = 4_000;
/** The problem of a {@link RequestTaker} whose first attempt has not failed. */
const NOT_ASKED = "RabbitMQ was not asked yet";
/** So much of a request is in the log, characters of JSON. */
const LOGGED_CHARACTERS = 500;

/** A service that was set up. */
export type ServiceToRun = ServiceContext<unknown, unknown> & Runnable;

/** What a service does with requests: a handler, and what a request must look like. */
export interface RequestService<Request, Tools extends RequestTools = RequestTools>
  extends RequestHandler<Request, Tools> {
  /** What a request must look like; what does not fit fails with the reason. */
  schema: RequestSchema<Request>;
  /** Which requests are for this service where `--tag` does not say. Default `#`: all. */
  tag?: string;
  /** A request is aborted after so long, ms. Default: no limit. */
  timeLimitMs?: number;
  /** An aborted request that has not ended after so long is left behind, ms. Default 4000. */
  graceMs?: number;
  /** Longest request where `--max-request-bytes` does not say, bytes. Default 1 MiB. */
  maxRequestBytes?: number;
}

/**
 * Carries out requests through RabbitMQ until the service is told to stop, then ends the process.
 *
 * @param service Set up as of kind `primary`.
 * @param work What to do with requests.
 * @returns Never: the process exits.
 */
export async function servePrimary<Request>(
  service: ServiceToRun,
  work: RequestService<Request>,
): Promise<never> {
  return await service.run(async () => {
    const { PrimaryService } = await import("../broker/mod.ts");
    const running = await PrimaryService.start(requestOptions(service, work));
    service.onStop(() => running.stop(), "requests");
    reportRequests(service, running);
    service.ready();
    await service.stopped;
  });
}

/**
 * Requests through RabbitMQ for a service that does other things besides, and begins without RabbitMQ where that
 * is away ([why](../../docs/decisions/0042-without-the-broker.md)).
 *
 * It is made before all that requests use: when the service stops, requests are refused and aborted first, and
 * RabbitMQ is told last, after the steps that were added since. Nothing that must be kept waits for it.
 */
export class RequestTaker {
  readonly #service: ServiceContext<unknown, unknown>;
  #running: BrokerService | undefined;
  /** Why no requests are taken yet. */
  #problem = NOT_ASKED;

  /**
   * Takes nothing yet.
   *
   * @param service Of kind `primary`.
   */
  constructor(service: ServiceContext<unknown, unknown>) {
    this.#service = service;
    service.onStop(() => this.#running?.stop(), "RabbitMQ");
  }

  /**
   * Takes requests until the service stops. Resolves when those sent from now on will be seen, or RabbitMQ is
   * known to be away: then log and health say so, and requests are taken when it is there.
   *
   * @param work What to do with requests.
   * @throws {BrokerError} If RabbitMQ is there and refuses: its user, password or certificate is not right.
   */
  async take<Request>(work: RequestService<Request>): Promise<void> {
    const { PrimaryService } = await import("../broker/mod.ts");
    const service = this.#service;
    const { signal } = service;
    service.onStop(() => this.#running?.refuse(), "requests");
    service.onHealth("broker", () => this.#problem);
    const isAway = Promise.withResolvers<void>();
    const onAway = ({ message }: Error): void => {
      if (message !== this.#problem) {
        logText(service.logger, "warning", `no requests are taken yet: ${message}`);
      }
      this.#problem = message;
      isAway.resolve();
    };
    const taking = PrimaryService.startWhenThere(requestOptions(service, work), { signal, onAway })
      .then((running) => this.#begun(running));
    await Promise.race([taking, isAway.promise]);
    taking.then(
      () => this.#problem === NOT_ASKED || service.logger.warning("requests are taken from now on"),
      (error) => signal.aborted || service.fail(error),
    );
  }

  #begun(running: BrokerService): void {
    this.#running = running;
    if (this.#service.signal.aborted) running.refuse();
    reportRequests(this.#service, running);
  }
}

/**
 * Goes on where the service named by `--primary` has succeeded, until the service is told to stop, then ends
 * the process.
 *
 * @param service Set up as of kind `postprocessing`.
 * @param work What to do; the primary's result is at hand as `result`.
 * @returns Never: the process exits.
 */
export async function servePostprocessing<Request>(
  service: ServiceToRun,
  work: RequestService<Request, PostprocessingTools>,
): Promise<never> {
  return await service.run(async () => {
    const { PostprocessingService } = await import("../broker/mod.ts");
    const { primary } = service.broker;
    if (primary === undefined) throw new UsageError("--primary: name the service to follow");
    const options = requestOptions(service, work);
    const running = await PostprocessingService.start({ ...options, primary });
    service.onStop(() => running.stop(), "requests");
    reportRequests(service, running);
    service.ready();
    await service.stopped;
  });
}

/**
 * The options of `PrimaryService` and its like for a service that was set up: its name, what the command line
 * and environment say of RabbitMQ, and its log.
 */
function requestOptions<Request, Tools extends RequestTools>(
  service: ServiceContext<unknown, unknown>,
  work: RequestService<Request, Tools>,
): BrokerServiceOptions<Request, Tools> {
  const { broker, serviceName, logger } = service;
  const { schema, timeLimitMs, graceMs = GRACE_MS } = work;
  const tag = broker.tag ?? work.tag;
  const maxRequestBytes = broker.maxRequestBytes ?? work.maxRequestBytes;
  const notes = limited(logger, "requests", 5);
  const handler: RequestHandler<Request, Tools> = {
    async onRequest(requestId, request, tools): Promise<unknown> {
      logger.info("request {request_id}", { request_id: requestId, request: excerpt(request) });
      try {
        return await work.onRequest(requestId, request, tools);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        logText(logger, "warning", `request ${requestId} failed: ${reason}`, { error });
        throw error;
      }
    },
  };
  if (work.onKill !== undefined) handler.onKill = (requestId) => work.onKill?.(requestId);
  return {
    broker: broker.address(),
    serviceName,
    schema,
    handler,
    graceMs,
    onNote: (note) => notes.log("warning", "{note}", { note }),
    ...(tag !== undefined && { tag }),
    ...(broker.queue !== undefined && { queue: broker.queue }),
    ...(broker.killedEndsAs !== undefined && { killedEndsAs: broker.killedEndsAs }),
    ...(maxRequestBytes !== undefined && { maxRequestBytes }),
    ...(timeLimitMs !== undefined && { timeLimitMs }),
  };
}

/** The beginning of a request as JSON: a log is no place for a MiB. */
function excerpt(request: unknown): string {
  const text = stringifyJson(request) ?? "null";
  return text.length <= LOGGED_CHARACTERS
    ? text
    : `${text.slice(0, LOGGED_CHARACTERS)}… (${text.length} characters)`;
}

/** Adds a service at RabbitMQ to the health and stats of its process. */
function reportRequests(
  service: ServiceContext<unknown, unknown>,
  running: BrokerService,
): void {
  service.onHealth("broker", () => running.isConnected ? null : "no connection to RabbitMQ");
  service.onStats(() => {
    const { done, failed, refused } = running.counts;
    return {
      requests_done: done,
      requests_failed: failed,
      requests_refused: refused,
      requests_running: running.running.length,
    };
  });
}
