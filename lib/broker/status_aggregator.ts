import { after } from "./_timer.ts";
import { isFinal, type Status, type StatusAction } from "./status.ts";

/** What one service said of a request. */
export interface ServiceStatus {
  /** What it said last. */
  action: StatusAction;
  /** The message that came with it. */
  message: unknown;
}

/** What is known of a request. */
export interface RequestRecord {
  /** The request, as its sender named it. */
  requestId: string;
  /** The request itself. */
  request: unknown;
  /** By service, what it said: in order, of progress only the latest. */
  services: Record<string, ServiceStatus[]>;
}

/** How to wait for the end of a request. */
export interface WaitOptions {
  /** Services whose end is waited for, besides all that have said anything. */
  services?: readonly string[];
  /** Longest wait, ms. Default 10 000. */
  timeoutMs?: number;
  /** Ends the wait. */
  signal?: AbortSignal;
}

/** The end of a request. */
export interface RequestOutcome extends RequestRecord {
  /** `request_fail` if any service failed. */
  status: "request_success" | "request_fail";
}

interface Waiter {
  readonly services: readonly string[];
  readonly resolve: (outcome: RequestOutcome) => void;
}

const REMEMBERED = 100;

/** Gathers statuses by request: the last so many requests. */
export class StatusAggregator {
  readonly #records = new Map<string, RequestRecord>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #limit: number;
  readonly #onChange: (record: RequestRecord) => void;

  /** Remembers `limit` requests, 100 if not told, and those waited for; calls back at each change. */
  constructor(
    { limit = REMEMBERED, onChange = () => {} }: {
      limit?: number;
      onChange?: (record: RequestRecord) => void;
    } = {},
  ) {
    this.#limit = limit;
    this.#onChange = onChange;
  }

  /** What is known of a request; undefined when nothing is, or not any more. */
  get(requestId: string): RequestRecord | undefined {
    return this.#records.get(requestId);
  }

  /** All requests that are remembered, oldest first. */
  get requests(): RequestRecord[] {
    return [...this.#records.values()];
  }

  /** Takes a status. */
  add(status: Status): void {
    const { requestId, request, source, action, message } = status;
    let record = this.#records.get(requestId);
    if (record === undefined) {
      // Without a prototype: a service may call itself "constructor".
      const services: RequestRecord["services"] = Object.create(null);
      record = { requestId, request, services };
      this.#records.set(requestId, record);
      this.#forget();
    }
    const said = record.services[source] ??= [];
    if (said.at(-1)?.action === "request_progress" && action === "request_progress") said.pop();
    said.push({ action, message });
    this.#onChange(record);
    for (const waiter of this.#waiters.get(requestId) ?? []) {
      const outcome = outcomeOf(record, waiter.services);
      if (outcome !== undefined) waiter.resolve(outcome);
    }
  }

  /**
   * Waits until every service expected, and every one that has said anything, has ended the request; returns
   * at once when that was before.
   *
   * @throws {DOMException} `TimeoutError` when time is up; the message tells who has not ended.
   */
  async wait(
    requestId: string,
    { services = [], timeoutMs = 10_000, signal }: WaitOptions = {},
  ): Promise<RequestOutcome> {
    signal?.throwIfAborted();
    const record = this.#records.get(requestId);
    const known = record && outcomeOf(record, services);
    if (known !== undefined) return known;

    const { promise, resolve, reject } = Promise.withResolvers<RequestOutcome>();
    const waiter = { services, resolve };
    const waiters = this.#waiters.get(requestId) ?? new Set();
    this.#waiters.set(requestId, waiters.add(waiter));
    const endTimer = after(
      timeoutMs,
      () =>
        reject(new DOMException(this.#lateText(requestId, services, timeoutMs), "TimeoutError")),
    );
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    try {
      return await promise;
    } finally {
      endTimer();
      signal?.removeEventListener("abort", onAbort);
      waiters.delete(waiter);
      if (waiters.size === 0) this.#waiters.delete(requestId);
      this.#forget();
    }
  }

  #lateText(requestId: string, services: readonly string[], timeoutMs: number): string {
    const record = this.#records.get(requestId);
    const open = record === undefined ? services : unfinished(record, services);
    const who = open.length === 0 ? "no service has said anything" : `not from ${open.join(", ")}`;
    return `request ${requestId} has not ended within ${timeoutMs} ms: ${who}`;
  }

  /** Forgets the oldest requests that nobody waits for. */
  #forget(): void {
    for (const requestId of this.#records.keys()) {
      if (this.#records.size <= this.#limit) return;
      if (!this.#waiters.has(requestId)) this.#records.delete(requestId);
    }
  }
}

function unfinished({ services }: RequestRecord, expected: readonly string[]): string[] {
  return [...new Set([...expected, ...Object.keys(services)])].filter((service) => {
    const last = services[service]?.at(-1);
    return last === undefined || !isFinal(last.action);
  });
}

function outcomeOf(
  record: RequestRecord,
  expected: readonly string[],
): RequestOutcome | undefined {
  if (unfinished(record, expected).length > 0) return undefined;
  const failed = Object.values(record.services).some((said) =>
    said.at(-1)?.action === "request_fail"
  );
  return { ...record, status: failed ? "request_fail" : "request_success" };
}
