/**
 * What happens to a request, whatever brings it: at most once, checked, started, killed, ended, and a
 * status for each of these.
 *
 * @module
 */
import type { Handled, Settlement, Telling } from "./_subscription.ts";
import { issuesText } from "../validation/mod.ts";
import { decodeJson, type Delivery, toMessage } from "./_messages.ts";
import { Recent } from "./_recent.ts";
import { after } from "./_timer.ts";
import type { BrokerServiceOptions, RequestCounts, RequestTools } from "./service_options.ts";
import type { StatusAction } from "./status.ts";

const INTERRUPTED = "Interrupted.";
const NOT_BEGUN = "The service stopped before it began this request. Send it again.";
/** So many kills of requests that are not there (yet) are remembered. */
const KILLS_REMEMBERED = 1000;

/** Tells a status of a request. Resolves when it is told; best effort when `lossy`. */
export type Tell = (
  delivery: Pick<Delivery, "requestId" | "body">,
  action: StatusAction,
  message: unknown,
  lossy?: boolean,
) => Promise<void>;

type Outcome = { ok: true; result: unknown; killed?: boolean } | { ok: false; reason: string };

interface Running {
  readonly controller: AbortController;
  /** Why it was aborted, as its status says. */
  reason?: string;
  killed?: boolean;
  tools?: RequestTools;
  /** Resolves when it has ended or was left behind. */
  work?: Promise<Outcome>;
}

/** A failure whose text is meant for the sender of the request. */
class Refusal extends Error {}

/** Runs requests with a handler. */
export class RequestRunner<Request, Tools extends RequestTools> {
  readonly #options: BrokerServiceOptions<Request, Tools>;
  /** Tells a status. */
  readonly tell: Tell;
  readonly #seen: Recent;
  readonly #killed = new Recent(KILLS_REMEMBERED);
  readonly #running = new Map<string, Running>();
  readonly #counts = { done: 0, failed: 0, refused: 0 };
  #stopping = false;

  constructor(options: BrokerServiceOptions<Request, Tools>, tell: Tell) {
    this.#options = options;
    this.tell = tell;
    this.#seen = new Recent(options.remember ?? 10_000);
  }

  /** Requests that are being carried out. */
  get running(): string[] {
    return [...this.#running.keys()];
  }

  /** Requests since the start, by how they ended. */
  get counts(): RequestCounts {
    return { ...this.#counts };
  }

  /**
   * Carries out a request; resolves when the next one may begin.
   *
   * @param complete Makes the handler's tools of the common ones.
   */
  async take(
    delivery: Delivery,
    complete: (common: RequestTools) => Tools,
  ): Promise<Handled> {
    const { requestId } = delivery;
    if (requestId !== undefined && this.#seen.has(requestId)) {
      this.#note(`request ${requestId} came again: it is not run twice`);
      return "ack";
    }
    let request: Request;
    try {
      request = this.#check(delivery);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#note(`request ${requestId ?? "without id"} refused: ${error.message}`);
      if (requestId !== undefined) this.#seen.add(requestId);
      // Not the body itself: clients of the original die of what is not JSON.
      this.#counts.refused++;
      const body = new TextEncoder().encode("{}");
      await this.tell({ requestId, body }, "request_fail", error.message);
      return "reject";
    }
    return await this.#runNamed(requestId ?? "", delivery, request, complete);
  }

  /** Aborts a request that is running, or keeps one that is still to come from starting. */
  kill(requestId: string): void {
    const running = this.#running.get(requestId);
    if (running === undefined) {
      const known = this.#seen.has(requestId) ? "has ended" : "does not run here";
      this.#note(`request ${requestId} is to be killed, and ${known}`);
      return this.#killed.add(requestId);
    }
    running.killed = true;
    const { handler, serviceName } = this.#options;
    if (handler.onKill === undefined) {
      const message = `${serviceName} has no kill handler: ` +
        "the request ends when it heeds its signal";
      this.#note(`request ${requestId} killed; ${message}`);
      running.tools?.progress(message);
    } else {
      this.#note(`request ${requestId} killed`);
      this.#callOnKill(requestId);
    }
    this.#abort(running, INTERRUPTED, "AbortError");
  }

  /** Aborts all that runs; resolves when it has ended or was left behind, told or not. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const running of this.#running.values()) this.#abortToStop(running);
    await Promise.all([...this.#running.values()].map(({ work }) => work));
  }

  /** @throws {Refusal} With the reason why this is no request for us. */
  #check({ requestId, routingKey, isStray, redelivered, body }: Delivery): Request {
    const { schema, maxRequestBytes = 2 ** 20 } = this.#options;
    if (requestId === undefined) {
      throw new Refusal("The request has no correlation_id: nobody could follow it.");
    }
    if (redelivered) {
      throw new Refusal(
        "Another instance began this request and lost its connection; it is not run twice. " +
          "Send it again under another id if it did not end well.",
      );
    }
    if (isStray) {
      throw new Refusal(
        `The service is for requests to ${this.#options.tag}: its queue was still bound for ` +
          `${JSON.stringify(routingKey)}, a tag that it had earlier.`,
      );
    }
    if (body.length > maxRequestBytes) {
      throw new Refusal(
        `The request has ${body.length} bytes, more than the ${maxRequestBytes} allowed.`,
      );
    }
    let value: unknown;
    try {
      value = decodeJson(body);
    } catch (error) {
      throw new Refusal(
        `The request is not JSON in UTF-8: ${error instanceof Error ? error.message : error}`,
      );
    }
    const checked = schema.safeParse(value);
    if (checked.success) return checked.data;
    const issues = issuesText(checked.error.issues, value, "the request");
    throw new Refusal(`The request is not as it must be: ${issues}. Correct it and send it again.`);
  }

  async #runNamed(
    requestId: string,
    delivery: Delivery,
    request: Request,
    complete: (common: RequestTools) => Tools,
  ): Promise<Telling> {
    this.#seen.add(requestId);
    if (this.#killed.delete(requestId)) {
      return { told: this.#end(delivery, this.#killedOutcome(null)) };
    }
    if (this.#stopping) {
      return { told: this.#end(delivery, { ok: false, reason: NOT_BEGUN }, "refused") };
    }
    const running: Running = { controller: new AbortController() };
    this.#running.set(requestId, running);
    try {
      // What follows does not wait for the receipt: statuses keep their order.
      const begun = this.tell(delivery, "request_start", null);
      begun.catch((error) =>
        this.#abort(running, `That it began could not be told: ${reasonOf(error)}`, "AbortError")
      );
      const outcome = await this.#run(requestId, delivery, request, running, complete);
      const told = Promise.all([this.#end(delivery, outcome), begun]);
      return { told: told.then(([settlement]) => settlement) };
    } finally {
      this.#running.delete(requestId);
    }
  }

  /** Tells the end of a request. It is counted first: who hears of it may look at the counts. */
  async #end(
    delivery: Delivery,
    outcome: Outcome,
    counted: keyof RequestCounts = outcome.ok && !outcome.killed ? "done" : "failed",
  ): Promise<Settlement> {
    this.#counts[counted]++;
    try {
      if (outcome.ok) await this.tell(delivery, "request_success", outcome.result ?? null);
      else await this.tell(delivery, "request_fail", outcome.reason);
      return outcome.ok ? "ack" : "reject";
    } catch (error) {
      this.#counts[counted]--;
      this.#counts.failed++;
      // Whoever waits shall not wait in vain. When the connection was closed, this fails just the same.
      const end = outcome.ok ? "succeeded" : "failed";
      const message = `The request ${end}, but that could not be told: ${reasonOf(error)}`;
      await this.tell(delivery, "request_fail", message);
      this.#note(`request ${delivery.requestId}: ${message}`);
      return "reject";
    }
  }

  async #run(
    requestId: string,
    delivery: Delivery,
    request: Request,
    running: Running,
    complete: (common: RequestTools) => Tools,
  ): Promise<Outcome> {
    const { timeLimitMs = Infinity, handler } = this.#options;
    const { signal } = running.controller;
    const reports = new ProgressReports(
      (message) => this.tell(delivery, "request_progress", message, true),
      (error) => this.#note(`request ${requestId}: progress was not told: ${reasonOf(error)}`),
    );
    const tools = complete({ signal, progress: (message) => reports.add(message) });
    running.tools = tools;
    const endTimer = after(timeLimitMs, () =>
      this.#abort(
        running,
        `Not done within the time limit of ${timeLimitMs / 1000} s.`,
        "TimeoutError",
      ));
    const work = signal.aborted
      ? Promise.resolve(null)
      : call(() => handler.onRequest(requestId, request, tools));
    try {
      running.work = this.#withinGrace(requestId, work, signal);
      const outcome = await running.work;
      if (running.killed) return this.#killedOutcome(outcome.ok ? outcome.result : null);
      return running.reason === undefined ? outcome : { ok: false, reason: running.reason };
    } finally {
      endTimer();
      await reports.end();
    }
  }

  /** What the work came to; after an abort it has a little time to end. */
  async #withinGrace(
    requestId: string,
    work: Promise<unknown>,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { graceMs = 10_000 } = this.#options;
    const late = Promise.withResolvers<Outcome>();
    let endTimer = (): void => {};
    const startGrace = (): void => {
      endTimer = after(graceMs, () => {
        this.#note(`request ${requestId} did not end within ${graceMs} ms and is left behind`);
        late.resolve({ ok: false, reason: INTERRUPTED });
      });
    };
    if (signal.aborted) startGrace();
    else signal.addEventListener("abort", startGrace, { once: true });
    try {
      return await Promise.race([outcomeOf(work), late.promise]);
    } finally {
      signal.removeEventListener("abort", startGrace);
      endTimer();
    }
  }

  #killedOutcome(result: unknown): Outcome {
    return this.#options.killedEndsAs === "success"
      ? { ok: true, result, killed: true }
      : { ok: false, reason: INTERRUPTED };
  }

  #abortToStop(running: Running): void {
    this.#abort(running, `${INTERRUPTED} The service was stopped.`, "AbortError");
  }

  #abort(running: Running, reason: string, name: "AbortError" | "TimeoutError"): void {
    if (running.controller.signal.aborted) return;
    running.reason = reason;
    running.controller.abort(new DOMException(reason, name));
  }

  async #callOnKill(requestId: string): Promise<void> {
    try {
      await this.#options.handler.onKill?.(requestId);
    } catch (error) {
      this.#note(`the kill handler failed for request ${requestId}: ${reasonOf(error)}`);
    }
  }

  #note(message: string): void {
    this.#options.onNote?.(message);
  }
}

/** Sends one report at a time; of those that come meanwhile, the last. One that cannot be sent is left out. */
class ProgressReports {
  readonly #send: (message: unknown) => Promise<void>;
  readonly #onFailed: (error: unknown) => void;
  #sending: Promise<void> | undefined;
  #next: { message: unknown } | undefined;
  #ended = false;

  constructor(send: (message: unknown) => Promise<void>, onFailed: (error: unknown) => void) {
    this.#send = send;
    this.#onFailed = onFailed;
  }

  add(message: unknown): void {
    if (this.#ended) return;
    this.#next = { message };
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when nothing of it is under way any more. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#next; next !== undefined; next = this.#next) {
      this.#next = undefined;
      try {
        await this.#send(next.message);
      } catch (error) {
        this.#onFailed(error);
      }
    }
    this.#sending = undefined;
  }
}

/** Calls what may throw at once. */
async function call(work: () => unknown): Promise<unknown> {
  return await work();
}

/** How the work ended; a result that cannot be told is a failure. */
async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  let result: unknown;
  try {
    result = await work;
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
  try {
    return { ok: true, result: toMessage(result) };
  } catch (error) {
    const reason = `The result cannot be written as JSON: ${reasonOf(error)}`;
    return { ok: false, reason };
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
