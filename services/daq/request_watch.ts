/**
 * Requests as the statuses of their services tell them, for `daq monitor --agg`.
 *
 * @module
 */
import type { RequestOutcome, RequestRecord, Status } from "../../lib/broker/mod.ts";
import { isFinal } from "../../lib/broker/status.ts";
import { StatusAggregator } from "../../lib/broker/status_aggregator.ts";
import { mark, shortId } from "./broker.ts";
import type { DaqContext } from "./context.ts";
import { oneLine } from "./format.ts";

/** A request, as far as it has been told. */
export interface RequestView {
  /** Its id. */
  request_id: string;
  /** `request_fail` if any service failed; null while one has not ended. */
  status: RequestOutcome["status"] | null;
  /** From its start to its end, s; null before that, and when the start was not heard. */
  seconds: number | null;
  /** By service, what it said, in order. */
  services: RequestRecord["services"];
  /** The request itself. */
  request: unknown;
}

/** Puts statuses together by request: the last 100 requests. */
export class RequestWatch {
  readonly #aggregator = new StatusAggregator();
  readonly #starts = new WeakMap<RequestRecord, number>();

  /**
   * Takes a status.
   *
   * @param now When it came, ms.
   * @returns Its request, as it is then.
   */
  add(status: Status, now: number): RequestView {
    const { requestId, request, action } = status;
    const isNew = this.#aggregator.get(requestId) === undefined;
    this.#aggregator.add(status);
    const record = this.#aggregator.get(requestId);
    if (record !== undefined && isNew && action === "request_start") this.#starts.set(record, now);
    const services = record?.services ?? {};
    const ends = Object.values(services).map((said) => said.at(-1)?.action ?? "request_start");
    const start = record && this.#starts.get(record);
    const isOver = ends.every(isFinal);
    return {
      request_id: requestId,
      status: !isOver ? null : ends.includes("request_fail") ? "request_fail" : "request_success",
      seconds: isOver && start !== undefined ? (now - start) / 1000 : null,
      services,
      request,
    };
  }
}

/** Fewest characters that a request is cut to. */
const SHORTEST_REQUEST = 12;

/**
 * A request for people: `- abcd..wxyz 3.2 s  + writer  - validator  {"n_images":100}`, on a terminal the
 * request cut to its width; and below, where a service has ended, what it said at its end.
 *
 * @param status The status that made it as it is.
 */
export function requestText(view: RequestView, status: Status, context: DaqContext): string {
  const { request_id, seconds, services, request } = view;
  const took = seconds === null ? "" : ` ${seconds.toFixed(1)} s`;
  const parts = [
    [view.status ?? "request_start", `${shortId(request_id)}${took}`] as const,
    ...Object.entries(services).map(([service, said]) =>
      [said.at(-1)?.action ?? "request_start", oneLine(service)] as const
    ),
  ];
  const used = parts.reduce((sum, [, words]) => sum + 2 + words.length + 2, 0);
  const room = Math.max(SHORTEST_REQUEST, (context.outWidth() ?? Infinity) - used);
  const head = parts.map(([action, words]) => `${mark(action, context)} ${words}`);
  const line = `${[...head, cut(oneLine(request), room)].join("  ").trimEnd()}\n`;
  const end = isFinal(status.action) ? oneLine(status.message) : "";
  return end === "" ? line : `${line}    ${oneLine(status.source)}: ${end}\n`;
}

function cut(text: string, columns: number): string {
  const letters = [...text];
  return letters.length <= columns ? text : `${letters.slice(0, columns - 1).join("")}…`;
}
