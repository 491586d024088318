import type { SchemaIssue } from "../validation/mod.ts";
import type { BrokerError } from "./broker_error.ts";
import type { BrokerOptions } from "./broker_options.ts";

/** Checks what a request is: any schema of zod, and whatever checks in the same way. */
export interface RequestSchema<Request> {
  /** The value, checked and perhaps completed; or every issue with the place where it is. */
  safeParse(value: unknown):
    | { success: true; data: Request }
    | {
      success: false;
      error: { issues: readonly SchemaIssue[] };
    };
}

/** What a handler works with besides the request. */
export interface RequestTools {
  /**
   * Aborts when the request is to end: killed, out of time, or the service stops. A handler that does not
   * heed it is left behind after `graceMs`.
   */
  readonly signal: AbortSignal;
  /** Tells all who listen how far the request is; only the latest of a burst may get through. */
  progress(message: unknown): void;
}

/** What a service does with requests. */
export interface RequestHandler<Request, Tools extends RequestTools = RequestTools> {
  /**
   * Carries out a request. What it returns (JSON) is the message of `request_success`, the message of what
   * it throws that of `request_fail`.
   */
  onRequest(requestId: string, request: Request, tools: Tools): unknown;
  /** Told that the running request was killed, besides the signal that aborts. */
  onKill?(requestId: string): unknown;
}

/** Requests since the start of a service. */
export interface RequestCounts {
  /** So many ended well. */
  readonly done: number;
  /** So many failed or were killed, or had a result that could not be told. */
  readonly failed: number;
  /** So many were not begun: not as they must be, begun by another instance, or the service was stopping. */
  readonly refused: number;
}

/** How to wait for a broker that is away. */
export interface Waiting {
  /** Ends the wait. */
  signal: AbortSignal;
  /** Told after each attempt in vain. */
  onAway: (error: BrokerError) => void;
}

/** How to be a service. */
export interface BrokerServiceOptions<Request, Tools extends RequestTools = RequestTools> {
  /** Where RabbitMQ is; see `resolveBroker`. */
  broker: BrokerOptions;
  /** Name in statuses, `[facility].[beamline].[service]`. */
  serviceName: string;
  /** Which requests and kills are for this service: a topic pattern. Default `#`: all. */
  tag?: string;
  /** What a request must look like; `z.unknown()` takes any JSON. What does not fit fails with the reason. */
  schema: RequestSchema<Request>;
  /** What to do. */
  handler: RequestHandler<Request, Tools>;
  /**
   * Name of a durable quorum queue, from which all instances of this name take requests in turn. Default: a
   * queue of our own that lives with the connection, as in the original.
   */
  queue?: string;
  /** A request is aborted after so long, ms. Default: no limit. */
  timeLimitMs?: number;
  /** An aborted request that has not ended after so long is left behind, ms. Default 10 000. */
  graceMs?: number;
  /** Longest request, bytes. Default 1 MiB. */
  maxRequestBytes?: number;
  /** How a killed request ends; the original says success. Default `fail`, with "Interrupted.". */
  killedEndsAs?: "fail" | "success";
  /** So many requests are remembered, in order to run none twice. Default 10 000. */
  remember?: number;
  /** Longest wait for the broker at the start, ms. Default 10 000. */
  connectTimeoutMs?: number;
  /** Told what an operator may want to know: lost connections, malformed messages, kills. */
  onNote?: (message: string) => void;
}
