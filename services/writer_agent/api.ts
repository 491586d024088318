/**
 * The REST interface (std-daq's REST v2): requests in, the controller's answers out.
 *
 * @module
 */
import { createRoute, OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { z } from "zod";
import type {
  AcquisitionStatus,
  StartFailure,
  StartRequest,
  WriterStatus,
} from "../../lib/acquisition/mod.ts";
import {
  errorAnswerSchema,
  healthAnswerSchema,
  parseJson,
  statsAnswerSchema,
  statusQuerySchema,
  stringifyJson,
  type Writer,
  writerAnswerSchema,
  writeRequestSchema,
} from "../../lib/http/mod.ts";
import { issuesText } from "../../lib/validation/mod.ts";
import { type AcquisitionController, REMEMBERED_RUNS } from "./controller.ts";
import { hostGuard } from "./guard.ts";
import type { Rate } from "./rates.ts";
import { writeCounts } from "./write_counts.ts";
import { checkWriteRequest, type WriteRefusal, type WriteRequestRules } from "./write_request.ts";

const MAX_BODY_BYTES = 64 * 1024;

/** What became of packets, frames and images; counters by name. */
export type Accounting = Readonly<Record<string, bigint>>;

/** What the interface needs. */
export interface ApiOptions extends WriteRequestRules {
  readonly controller: Pick<AcquisitionController, "status" | "statusOfRun" | "start" | "stop">;
  /** Longest answer time of write_sync, ms; default 60 000. */
  readonly syncTimeoutMs?: number;
  /** Throughput of the detector and of the writer. */
  readonly readRates: () => { detector: Rate; writer: Rate };
  readonly readAccounting: () => Accounting;
  /** What services have said of a run that has ended, the oldest first; default: nothing. */
  readonly readReports?: (acquisition: AcquisitionStatus) => Promise<readonly unknown[]>;
  /** Answer errors with HTTP 200, as the original does. */
  readonly errorsAs200?: boolean;
  /** Host names to answer to besides those of this machine. */
  readonly allowedHosts?: readonly string[];
  /** Told of failures that are nobody's fault but ours. */
  readonly onError?: (error: unknown) => void;
}

type Method = "get" | "post";
type Status = 200 | 400 | 403 | 404 | 405 | 409 | 413 | 415 | 500 | 503 | 504;

const START_FAILURE_STATUS: Record<StartFailure, Status> = {
  busy: 409,
  deploying: 503,
  writer_gone: 503,
  create_failed: 500,
  interrupted: 409,
};

const REFUSAL_STATUS: Record<WriteRefusal["problem"], Status> = {
  wrong: 400,
  malformed: 400,
  no_folder: 400,
  outside_roots: 403,
  symlink: 403,
  exists: 409,
};

/** Makes the interface; serve it with `Deno.serve(…, api.fetch)`. */
export function createApi(options: ApiOptions): OpenAPIHono {
  const { controller, syncTimeoutMs = 60_000 } = options;
  const app = new OpenAPIHono();
  const refuse = (message: string): Response => failure(403, message);

  app.use(async (c, next) => {
    await next();
    if (options.errorsAs200 && c.res.status >= 400) {
      c.res = new Response(c.res.body, { status: 200, headers: c.res.headers });
    }
  });
  app.use(hostGuard(options.allowedHosts ?? [], refuse));
  app.use(bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => failure(413, `The request is larger than ${MAX_BODY_BYTES} bytes.`),
  }));
  app.onError((error) => {
    options.onError?.(error);
    return failure(500, "The agent failed unexpectedly; its log says why.");
  });
  app.notFound((c) =>
    failure(404, `${c.req.method} ${c.req.path} is not served; GET /openapi.json lists what is.`)
  );

  declare(app, ROUTES.writeAsync, async (c) => {
    const request = await readRequest(c, options);
    if (request instanceof Response) return request;
    const outcome = await controller.start(request);
    if (!outcome.ok) return startFailure(outcome.why, outcome.message, controller.status);
    return success("Writing started.", { writer: writerBody(controller.status) });
  });

  declare(app, ROUTES.writeSync, async (c) => {
    const request = await readRequest(c, options);
    if (request instanceof Response) return request;
    const deadline = AbortSignal.timeout(syncTimeoutMs);
    const started = controller.start(request);
    const outcome = await unlessAborted(started, deadline);
    if (outcome === undefined) return stillRunning(controller.status, syncTimeoutMs);
    if (!outcome.ok) return startFailure(outcome.why, outcome.message, controller.status);
    // A caller that goes away does not end this: the acquisition goes on.
    const ended = await unlessAborted(outcome.ended, deadline);
    if (ended === undefined) return stillRunning(controller.status, syncTimeoutMs);
    return finished(ended);
  });

  declare(app, ROUTES.status, async (c) => {
    const asked = statusQuerySchema.safeParse(c.req.query());
    if (!asked.success) {
      const why = issuesText(asked.error.issues, c.req.query(), "the query");
      return failure(400, `The request is wrong: ${why}.`);
    }
    const { run_id } = asked.data;
    const status = run_id === undefined ? controller.status : controller.statusOfRun(run_id);
    if (status === undefined) return failure(404, unknownRunMessage(run_id));
    // They come behind every other answer: who makes them waits for the run's end.
    const reports = await options.readReports?.(status.acquisition);
    return success(status.acquisition.message, { writer: writerBody(status, reports) });
  });

  declare(app, ROUTES.stop, async () => {
    await controller.stop();
    const { status } = controller;
    if (status.state === "UNKNOWN") {
      return failure(503, writerGoneMessage(status), { writer: writerBody(status) });
    }
    return success(status.acquisition.message, { writer: writerBody(status) });
  });

  declare(
    app,
    ROUTES.stats,
    () => success("", { stats: options.readRates(), accounting: options.readAccounting() }),
  );

  declare(app, ROUTES.health, () => {
    const { state } = controller.status;
    const rest = { service: "writer_agent", writer_state: state };
    return state === "UNKNOWN"
      ? failure(503, writerGoneMessage(controller.status), rest)
      : success("", rest);
  });

  app.get("/openapi.json", (c) =>
    c.json(app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: {
        title: "std-daq writer agent",
        version: "2",
        description: "Starts and stops the writing of images into HDF5 files.",
      },
    })));
  return app;
}

// --- routes ---

const errorAnswer = (description: string): NonNullable<RouteConfig["responses"][number]> => ({
  description,
  content: { "application/json": { schema: errorAnswerSchema } },
});

const writeErrors = {
  400: errorAnswer("The request is wrong; `issues` names every wrong member."),
  403: errorAnswer("The output file is outside the allowed folders, or behind a link."),
  409: errorAnswer("An acquisition is running, or the file exists and overwrite is not asked for."),
  413: errorAnswer("The request is too large."),
  415: errorAnswer("The request is not application/json."),
  500: errorAnswer("The file could not be created, written or closed; images were lost."),
  503: errorAnswer("The file writer does not answer, or a config is being deployed."),
};

const ROUTES = {
  writeAsync: createRoute({
    method: "post",
    path: "/writer/write_async",
    summary: "Start writing; answers when images are taken.",
    request: {
      body: { required: true, content: { "application/json": { schema: writeRequestSchema } } },
    },
    responses: { 200: answer("Images are taken.", writerAnswerSchema), ...writeErrors },
  }),
  writeSync: createRoute({
    method: "post",
    path: "/writer/write_sync",
    summary: "Write; answers when the file is closed. The run goes on when the caller leaves.",
    request: {
      body: { required: true, content: { "application/json": { schema: writeRequestSchema } } },
    },
    responses: {
      200: answer("The file is complete, or was closed by a stop.", writerAnswerSchema),
      ...writeErrors,
      504: errorAnswer("Not finished within the limit; it goes on."),
    },
  }),
  status: createRoute({
    method: "get",
    path: "/writer/status",
    summary: "The writer and the current or last acquisition, or the one of a run id.",
    request: { query: statusQuerySchema },
    responses: {
      200: answer("The status.", writerAnswerSchema),
      400: errorAnswer("The run id is none."),
      404: errorAnswer("No such run is under way or among the last ones."),
    },
  }),
  stop: createRoute({
    method: "post",
    path: "/writer/stop",
    summary: "End the acquisition early; answers when its file is closed.",
    responses: {
      200: answer("Nothing is being written any more.", writerAnswerSchema),
      503: errorAnswer("The file writer does not answer."),
    },
  }),
  stats: createRoute({
    method: "get",
    path: "/daq/stats",
    summary: "Throughput, and what became of every packet, frame and image.",
    responses: { 200: answer("Rates and counters.", statsAnswerSchema) },
  }),
  health: createRoute({
    method: "get",
    path: "/health",
    summary: "Whether the agent and its file writer are well.",
    responses: {
      200: answer("Well.", healthAnswerSchema),
      503: errorAnswer("The file writer does not answer."),
    },
  }),
};

function answer<Schema extends z.ZodType>(
  description: string,
  schema: Schema,
): { description: string; content: { "application/json": { schema: Schema } } } {
  return { description, content: { "application/json": { schema } } };
}

/**
 * Registers a route's description and its handler.
 *
 * The library's own `app.openapi()` would parse bodies with `JSON.parse`, which rounds run ids.
 */
function declare(
  app: OpenAPIHono,
  route: RouteConfig & { method: Method },
  handler: (c: Context) => Response | Promise<Response>,
): void {
  app.openAPIRegistry.registerPath(route);
  app.on(route.method.toUpperCase(), route.path, handler);
  app.all(route.path, () => {
    const allow = route.method.toUpperCase();
    const refusal = failure(405, `${route.path} takes ${allow} only.`);
    refusal.headers.set("allow", allow);
    return refusal;
  });
}

// --- requests ---

async function readRequest(c: Context, options: ApiOptions): Promise<StartRequest | Response> {
  const type = c.req.header("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    return failure(415, "Send JSON with the header content-type: application/json.");
  }
  const text = await c.req.text();
  let body: unknown;
  try {
    body = parseJson(text);
  } catch (error) {
    return failure(400, `The request is not JSON: ${messageOf(error)}.`);
  }
  const checked = checkWriteRequest(body, options);
  return "problem" in checked
    ? failure(REFUSAL_STATUS[checked.problem], checked.message, { issues: checked.issues })
    : checked;
}

// --- answers ---

function reply(status: Status, body: unknown): Response {
  return new Response(stringifyJson(body), {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}

function success(message: string, rest: object): Response {
  return reply(200, { status: "ok", message, ...rest });
}

function failure(status: Status, message: string, rest: object = {}): Response {
  return reply(status, { status: "error", message, ...rest });
}

function startFailure(why: StartFailure, message: string, status: WriterStatus): Response {
  return failure(START_FAILURE_STATUS[why], message, { writer: writerBody(status) });
}

function finished(status: WriterStatus): Response {
  const { state, message } = status.acquisition;
  const rest = { writer: writerBody(status) };
  if (state === "FINISHED") return success(message, rest);
  return failure(status.state === "UNKNOWN" ? 503 : 500, message, rest);
}

function stillRunning(status: WriterStatus, limitMs: number): Response {
  return failure(
    504,
    `Not finished after ${limitMs / 1000} s; the acquisition goes on. Follow it with ` +
      "GET /writer/status, end it with POST /writer/stop, or start long ones with write_async.",
    { writer: writerBody(status) },
  );
}

function unknownRunMessage(runId: bigint | undefined): string {
  return `Run ${runId} is neither under way nor one of the last ${REMEMBERED_RUNS} since the ` +
    "writer agent started. How it ended is in its file (daq file check) and in the store (daq logs).";
}

function writerGoneMessage(status: WriterStatus): string {
  return `The file writer does not answer. Check that std_h5_writer runs. ${status.acquisition.message}`
    .trimEnd();
}

/** The status as on the wire, with what services have said of the acquisition. */
export function writerBody(
  { state, acquisition }: WriterStatus,
  reports: readonly unknown[] = [],
): Writer {
  const { info, stats, ids } = acquisition;
  return {
    state,
    acquisition: {
      state: acquisition.state,
      message: acquisition.message,
      info: { n_images: info.nImages, output_file: info.outputFile, run_id: info.runId },
      stats: {
        ...writeCounts(stats),
        start_time: stats.startTime,
        stop_time: stats.stopTime,
      },
      image_ids: ids,
      reports: [...reports],
    },
  };
}

/** The promise's value, or undefined when the signal came first. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = (): void => resolve(undefined);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
