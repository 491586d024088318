/**
 * Client of the writer's REST interface.
 *
 * @module
 */
import type { z } from "zod";
import { issuesText } from "../validation/mod.ts";
import { parseJson, stringifyJson } from "../protocol/json.ts";
import {
  errorAnswerSchema,
  type HealthAnswer,
  healthAnswerSchema,
  type RequestIssue,
  type StatsAnswer,
  statsAnswerSchema,
  type Writer,
  writerAnswerSchema,
  type WriteRequest,
} from "./schemas.ts";

/** Where an agent listens when nothing else is said. */
export const DEFAULT_API = "http://127.0.0.1:5000";

/** Longest wait for an answer that should come at once, ms. */
const ANSWER_TIMEOUT_MS = 30_000;
const POLL_INTERVAL_MS = 200;

/** The agent answered no. */
export class DaqApiError extends Error {
  /** The class's name. */
  override readonly name = "DaqApiError";
  /** HTTP status; 200 from servers that report errors in the body only. */
  readonly status: number;
  /** Every wrong member of the request; empty when something else is wrong. */
  readonly issues: readonly RequestIssue[];
  /** The writer's state, when the answer had it. */
  readonly writer: Writer | undefined;

  /** Carries what the answer said. */
  constructor(
    message: string,
    details: { status: number; issues?: readonly RequestIssue[]; writer?: Writer | undefined },
  ) {
    super(message);
    this.status = details.status;
    this.issues = details.issues ?? [];
    this.writer = details.writer;
  }
}

/** Nothing usable came back: no agent there, or not one that speaks this interface. */
export class DaqUnreachableError extends Error {
  /** The class's name. */
  override readonly name = "DaqUnreachableError";
}

/** How to reach an agent. */
export interface DaqClientOptions {
  /** Base URL, default {@linkcode DEFAULT_API}. */
  baseUrl?: string;
  /** For tests and proxies; default the global one. */
  fetch?: typeof fetch;
}

/** How to wait for the end of an acquisition. */
export interface WaitForEndOptions {
  /** Ends the wait, not the acquisition. */
  signal?: AbortSignal;
  /** Called with every status seen, the last one included. */
  onProgress?: (writer: Writer) => void;
  /** Time between two questions, ms; default 200. */
  intervalMs?: number;
}

/**
 * Talks to a writer agent, ours or the original's REST server.
 *
 * All methods throw {@linkcode DaqApiError} when the answer is an error, {@linkcode
 * DaqUnreachableError} when there is no usable answer, and the signal's reason when aborted.
 *
 * @example
 * ```ts ignore
 * import { DaqClient } from "@std-daq/std-daq";
 *
 * const daq = new DaqClient();
 * const started = await daq.writeAsync({ n_images: 100, output_file: "/data/run_1.h5" });
 * const { acquisition } = await daq.waitForEnd(started);
 * ```
 */
export class DaqClient {
  /** Base URL, without a slash at its end. */
  readonly baseUrl: string;
  readonly #fetch: typeof fetch;

  /**
   * A client of one agent; connects at the first request.
   *
   * @throws {TypeError} If the base URL is no http(s) URL.
   */
  constructor(options: DaqClientOptions = {}) {
    const { baseUrl = DEFAULT_API } = options;
    if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol)) {
      throw new TypeError(`API address ${baseUrl} is no URL. Give one such as ${DEFAULT_API}.`);
    }
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.#fetch = options.fetch ?? fetch;
  }

  /** Starts an acquisition; returns as soon as the file exists and images are taken. */
  async writeAsync(request: WriteRequest, signal?: AbortSignal): Promise<Writer> {
    return (await this.#ask("POST", "/writer/write_async", writerAnswerSchema, {
      body: request,
      signal,
    })).writer;
  }

  /**
   * Starts an acquisition and waits for its end, at most as long as the agent allows (60 s by
   * default); it goes on when this call is aborted or times out. For long ones use
   * {@linkcode writeAsync} and {@linkcode waitForEnd}.
   */
  async writeSync(request: WriteRequest, signal?: AbortSignal): Promise<Writer> {
    return (await this.#ask("POST", "/writer/write_sync", writerAnswerSchema, {
      body: request,
      signal,
      timeoutMs: null,
    })).writer;
  }

  /** The writer and the current or last acquisition. */
  async status(signal?: AbortSignal): Promise<Writer> {
    return (await this.#ask("GET", "/writer/status", writerAnswerSchema, { signal })).writer;
  }

  /** Ends the acquisition early and returns when its file is closed; does nothing when idle. */
  async stop(signal?: AbortSignal): Promise<Writer> {
    return (await this.#ask("POST", "/writer/stop", writerAnswerSchema, { signal })).writer;
  }

  /** Rates and accounting. */
  async stats(signal?: AbortSignal): Promise<StatsAnswer> {
    return await this.#ask("GET", "/daq/stats", statsAnswerSchema, { signal });
  }

  /** Whether the agent is well. */
  async health(signal?: AbortSignal): Promise<HealthAnswer> {
    return await this.#ask("GET", "/health", healthAnswerSchema, { signal });
  }

  /**
   * Asks for the status of a run until it has ended, also where others have begun since then.
   *
   * @param run What {@linkcode writeAsync} or {@linkcode status} answered when it was under way.
   * @returns The status at its end.
   * @throws {DaqApiError} Also if it is over and nobody knows how it ended: the agent has started
   * again, many runs came after it, or another one with its run id, or one at an original's server.
   */
  async waitForEnd(run: Writer, options: WaitForEndOptions = {}): Promise<Writer> {
    const { signal, onProgress, intervalMs = POLL_INTERVAL_MS } = options;
    for (;;) {
      const writer = await this.#statusOf(run, signal);
      onProgress?.(writer);
      if (["FINISHED", "FAILED"].includes(writer.acquisition.state)) return writer;
      await pause(intervalMs, signal);
    }
  }

  async #statusOf({ acquisition: { info } }: Writer, signal?: AbortSignal): Promise<Writer> {
    // The original's server does not look at the query: it answers for the last run.
    const path = `/writer/status?run_id=${info.run_id}`;
    const { writer } = await this.#ask("GET", path, writerAnswerSchema, { signal });
    const told = writer.acquisition.info;
    if (told.run_id === info.run_id && told.output_file === info.output_file) return writer;
    throw new DaqApiError(
      `Run ${info.run_id} (${info.output_file}) is over, and how it ended is not known: the agent ` +
        `tells of run ${told.run_id} (${told.output_file}). See what the file holds with daq file check.`,
      { status: 200, writer },
    );
  }

  async #ask<Schema extends z.ZodType>(
    method: "GET" | "POST",
    path: string,
    schema: Schema,
    options: {
      body?: unknown;
      signal?: AbortSignal | undefined;
      /** null: as long as it takes. */
      timeoutMs?: number | null;
    },
  ): Promise<z.output<Schema>> {
    const { response, text } = await this.#send(method, path, options);
    const answer = parseAnswer(text);
    const failure = errorAnswerSchema.safeParse(answer);
    if (failure.success) {
      const { message, issues, writer } = failure.data;
      throw new DaqApiError(message, { status: response.status, issues: issues ?? [], writer });
    }
    const parsed = schema.safeParse(answer);
    if (response.ok && parsed.success) return parsed.data;
    const why = parsed.success ? "" : `: ${issuesText(parsed.error.issues, answer, "the answer")}`;
    throw new DaqUnreachableError(
      `${method} ${this.baseUrl}${path} answered HTTP ${response.status} with something else than ` +
        `a std-daq writer does${why}. Check the address.`,
    );
  }

  async #send(
    method: string,
    path: string,
    { body, signal, timeoutMs = ANSWER_TIMEOUT_MS }: {
      body?: unknown;
      signal?: AbortSignal | undefined;
      timeoutMs?: number | null;
    },
  ): Promise<{ response: Response; text: string }> {
    const signals = [signal, timeoutMs === null ? undefined : AbortSignal.timeout(timeoutMs)]
      .filter((one) => one !== undefined);
    try {
      const response = await this.#fetch(`${this.baseUrl}${path}`, {
        method,
        signal: AbortSignal.any(signals),
        ...(body !== undefined && {
          body: stringifyJson(body),
          headers: { "content-type": "application/json" },
        }),
      });
      return { response, text: await response.text() };
    } catch (cause) {
      signal?.throwIfAborted();
      throw new DaqUnreachableError(
        `No answer from the writer agent at ${this.baseUrl} (${reasonOf(cause)}). Start it with ` +
          "`daq run <config>`, or give its address with --api or STD_DAQ_API_URL.",
        { cause },
      );
    }
  }
}

function parseAnswer(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined; // reported as an answer that is not the agent's
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const onAbort = (): void => {
    clearTimeout(timer);
    reject(signal?.reason);
  };
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => signal?.removeEventListener("abort", onAbort));
}
