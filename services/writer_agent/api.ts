/**
 * The REST interface (std-daq's REST v2): requests in, the controller's answers out.
 *
 * @module
 */
import { createRoute, OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { z } from "zod";
import {
  checkOutputPath,
  isSplit,
  type Look,
  MAX_FILE_PARTS,
  OutputPathError,
  type OutputPathProblem,
  partCount,
  partPath,
  type StartFailure,
  type StartRequest,
  type WriterStatus,
} from "../../lib/acquisition/mod.ts";
import {
  errorAnswerSchema,
  healthAnswerSchema,
  parseJson,
  type RequestIssue,
  statsAnswerSchema,
  stringifyJson,
  type Writer,
  writerAnswerSchema,
  writeRequestSchema,
} from "../../lib/http/mod.ts";
import type { AcquisitionController } from "./controller.ts";
import { hostGuard } from "./guard.ts";
import type { Rate } from "./rates.ts";

const MAX_BODY_BYTES = 64 * 1024;
const NS_PER_US = 1000n;

/** What became of packets, frames and images; counters by name. */
export type Accounting = Readonly<Record<string, bigint>>;

/** What the interface needs. */
export interface ApiOptions {
  readonly controller: Pick<AcquisitionController, "status" | "start" | "stop">;
  /** Folders that files may be written to. */
  readonly dataRoots: readonly string[];
  /** File writers that share the images; default 1. */
  readonly writers?: number;
  /** Threads of each writer that compress; default 1. */
  readonly compressionThreads?: number;
  /** Images come compressed, from a ring of their own, and are written as they are; default no. */
  readonly compressedImages?: boolean;
  /** A run of known length fails when no image comes for so long, s; 0, the default: it waits. */
  readonly noImagesTimeoutS?: number;
  /** Longest answer time of write_sync, ms; default 60 000. */
  readonly syncTimeoutMs?: number;
  /** Throughput of the detector and of the writer. */
  readonly readRates: () => { detector: Rate; writer: Rate };
  readonly readAccounting: () => Accounting;
  /** Answer errors with HTTP 200, as the original does. */
  readonly errorsAs200?: boolean;
  /** Host names to answer to besides those of this machine. */
  readonly allowedHosts?: readonly string[];
  /** Looks at files; for tests. */
  readonly look?: Look;
  /** Told of failures that are nobody's fault but ours. */
  readonly onError?: (error: unknown) => void;
}

type Method = "get" | "post";
type Status = 200 | 400 | 403 | 404 | 405 | 409 | 413 | 415 | 500 | 503 | 504;

const START_FAILURE_STATUS: Record<StartFailure, Status> = {
  busy: 409,
  writer_gone: 503,
  create_failed: 500,
  interrupted: 409,
};

const PATH_PROBLEM_STATUS: Record<OutputPathProblem, Status> = {
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

  declare(app, ROUTES.status, () => {
    const { status } = controller;
    return success(status.acquisition.message, { writer: writerBody(status) });
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
  409: errorAnswer("An acquisition is running, or the file exists."),
  413: errorAnswer("The request is too large."),
  415: errorAnswer("The request is not application/json."),
  500: errorAnswer("The file could not be created or written."),
  503: errorAnswer("The file writer does not answer."),
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
    summary: "The writer and the current or last acquisition.",
    responses: { 200: answer("The status.", writerAnswerSchema) },
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
  const parsed = writeRequestSchema.safeParse(body);
  const issues = parsed.success ? [] : parsed.error.issues.map((issue): RequestIssue => ({
    path: issue.path.join("."),
    message: issue.message,
  }));
  if (isEndless(body)) {
    issues.push({
      path: "n_images",
      message: "expected the number of images to write; 0 writes until stopped, and with " +
        "stop_image_id it may be left out",
    });
  }
  const refusal = refusePath(body, options) ??
    (parsed.success ? refuseParts(parsed.data, options) : undefined);
  if (!parsed.success || issues.length > 0 || refusal?.problem === "malformed") {
    if (refusal !== undefined) issues.push({ path: "output_file", message: refusal.message });
    return badRequest(issues);
  }
  if (refusal !== undefined) {
    return failure(PATH_PROBLEM_STATUS[refusal.problem], refusal.message, {
      issues: [{ path: "output_file", message: refusal.message }],
    });
  }
  const { n_images = 0, output_file, images_per_file, run_id = defaultRunId() } = parsed.data;
  const { compression, compression_threads, file_format, nexus } = parsed.data;
  const refused = refuseCount(parsed.data, options) ??
    refuseThreads(compression_threads, options) ?? refusePlain(compression, options) ??
    refuseRange(parsed.data);
  if (refused !== undefined) return badRequest([refused]);
  const { start_image_id, stop_image_id } = parsed.data;
  const timeoutS = noImagesTimeoutS(parsed.data, options);
  return {
    nImages: n_images,
    outputFile: output_file,
    ...(start_image_id !== undefined && { startImageId: start_image_id }),
    ...(stop_image_id !== undefined && { stopImageId: stop_image_id }),
    ...(timeoutS > 0 && { noImagesTimeoutMs: timeoutS * 1000 }),
    ...(images_per_file !== undefined && { imagesPerFile: images_per_file }),
    ...(compression !== undefined && { compression }),
    ...(compression_threads !== undefined && { compressionThreads: compression_threads }),
    ...(file_format !== undefined && { fileFormat: file_format }),
    ...(nexus !== undefined && { nexus: stringifyJson(nexus) }),
    runId: run_id,
    json: stringifyJson({ ...parsed.data, run_id }),
  };
}

/** Whether a request gives the run no end, by mistake: who wants none says 0. */
function isEndless(body: unknown): boolean {
  return typeof body === "object" && body !== null && !Array.isArray(body) &&
    !("n_images" in body) && !("stop_image_id" in body);
}

function refusePath(body: unknown, options: ApiOptions): OutputPathError | undefined {
  const path = typeof body === "object" && body !== null && "output_file" in body
    ? body.output_file
    : undefined;
  if (typeof path !== "string" || path === "") return undefined; // the schema says so
  try {
    checkOutputPath(path, options.dataRoots, options.look);
    return undefined;
  } catch (error) {
    if (error instanceof OutputPathError) return error;
    throw error;
  }
}

/** The files of a request, how many and whether there are more than one. */
function splitOf(
  { n_images = 0, images_per_file = 0 }: z.output<typeof writeRequestSchema>,
  { writers = 1 }: ApiOptions,
): { isSplit: boolean; count: number } {
  const split = { writers, imagesPerFile: images_per_file };
  return { isSplit: isSplit(split), count: partCount(n_images, split) };
}

function refuseCount(
  request: z.output<typeof writeRequestSchema>,
  options: ApiOptions,
): RequestIssue | undefined {
  const { count } = splitOf(request, options);
  const { n_images = 0 } = request;
  if (n_images === 0 && request.images_per_file !== undefined) {
    return {
      path: "images_per_file",
      message: "the file that shows all others is made at the start and has to know how many: " +
        "give n_images, too.",
    };
  }
  if (count <= MAX_FILE_PARTS) return undefined;
  const enough = Math.ceil(n_images / MAX_FILE_PARTS);
  return {
    path: "images_per_file",
    message: `${count} files for one run are too many, at most ${MAX_FILE_PARTS}: ` +
      `ask for ${enough} images per file or more.`,
  };
}

function refuseRange(
  { start_image_id: start, stop_image_id: stop }: z.output<typeof writeRequestSchema>,
): RequestIssue | undefined {
  if (start === undefined || stop === undefined || stop >= start) return undefined;
  return {
    path: "stop_image_id",
    message: `${stop} comes before start_image_id ${start}: give one that is not smaller.`,
  };
}

/** Who writes until stopped waits for images as long as that takes, unless told otherwise. */
function noImagesTimeoutS(
  { n_images = 0, stop_image_id, no_images_timeout }: z.output<typeof writeRequestSchema>,
  { noImagesTimeoutS = 0 }: ApiOptions,
): number {
  const untilStopped = n_images === 0 && stop_image_id === undefined;
  return no_images_timeout ?? (untilStopped ? 0 : noImagesTimeoutS);
}

function refuseThreads(
  threads: number | undefined,
  { compressionThreads = 1 }: ApiOptions,
): RequestIssue | undefined {
  if (threads === undefined || threads <= compressionThreads) return undefined;
  return {
    path: "compression_threads",
    message: `${threads} are more than the ${compressionThreads} that each writer has: ` +
      "ask for fewer, or raise compression_threads in the config.",
  };
}

function refusePlain(
  compression: string | undefined,
  { compressedImages = false }: ApiOptions,
): RequestIssue | undefined {
  if (!compressedImages || compression !== "none") return undefined;
  return {
    path: "compression",
    message: "none is not possible: the images come compressed (compressed_ring). Leave it out.",
  };
}

/** The files that hold the images must not be there either. */
function refuseParts(
  request: z.output<typeof writeRequestSchema>,
  options: ApiOptions,
): OutputPathError | undefined {
  const { isSplit, count } = splitOf(request, options);
  if (!isSplit) return undefined;
  for (let number = 0; number < Math.min(count, MAX_FILE_PARTS); number++) {
    const part = partPath(request.output_file, number);
    const refusal = refusePath({ output_file: part }, options);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** ns since 1970, a multiple of 1000: such numbers survive clients that read JSON into doubles. */
function defaultRunId(): bigint {
  return BigInt(Math.round(Date.now() * 1000)) * NS_PER_US;
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

function badRequest(issues: RequestIssue[]): Response {
  const list = issues.map(({ path, message }) => path === "" ? message : `${path}: ${message}`);
  return failure(400, `The request is wrong: ${list.join("; ")}`, { issues });
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

function writerGoneMessage(status: WriterStatus): string {
  return `The file writer does not answer. Check that std_h5_writer runs. ${status.acquisition.message}`
    .trimEnd();
}

/** The status as on the wire. */
export function writerBody({ state, acquisition }: WriterStatus): Writer {
  const { info, stats } = acquisition;
  return {
    state,
    acquisition: {
      state: acquisition.state,
      message: acquisition.message,
      info: { n_images: info.nImages, output_file: info.outputFile, run_id: info.runId },
      stats: {
        n_write_requested: stats.nWriteRequested,
        n_write_completed: stats.nWriteCompleted,
        n_lost: stats.nLost,
        n_missing: stats.nMissing,
        start_time: stats.startTime,
        stop_time: stats.stopTime,
      },
      reports: [],
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
