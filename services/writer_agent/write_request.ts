/**
 * What a request to write must be, whatever brings it.
 *
 * @module
 */
import { basename, dirname } from "node:path";
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
  type StartRequest,
} from "../../lib/acquisition/mod.ts";
import { issueMessage, valueIssues } from "../../lib/validation/mod.ts";
import { type RequestIssue, stringifyJson, writeRequestSchema } from "../../lib/http/mod.ts";

const NS_PER_US = 1000n;
/** Longest request that files can hold as an attribute, beside a config of 24 KiB: bytes. */
const MAX_REQUEST_BYTES = 32 * 1024;

/** What is allowed. */
export interface WriteRequestRules {
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
  /** Whether folders that are missing are made when a request does not say; default not. */
  readonly createFolders?: boolean;
  /** User that files are written as; left out: the one of the file writer. */
  readonly writerUserId?: number | undefined;
  /** Users that a request may ask for instead; default none. */
  readonly allowedUserIds?: readonly number[];
  /** Looks at files; for tests. */
  readonly look?: Look;
  /** Lists the names in a folder; for tests. */
  readonly list?: (folder: string) => Iterable<string> | undefined;
}

/** Why a request is refused. */
export interface WriteRefusal {
  /** `wrong`: in itself; else what is the matter with its path. */
  readonly problem: "wrong" | OutputPathProblem;
  /** All of it, in words. */
  readonly message: string;
  /** Every wrong member. */
  readonly issues: readonly RequestIssue[];
}

/**
 * Checks a request and fills it in.
 *
 * @param body JSON of any kind, whole numbers beyond 2^53 as bigint.
 */
export function checkWriteRequest(
  body: unknown,
  rules: WriteRequestRules,
): StartRequest | WriteRefusal {
  const parsed = writeRequestSchema.safeParse(body);
  const issues = parsed.success
    ? []
    : valueIssues(parsed.error.issues, body).map((issue): RequestIssue => ({
      path: issue.path,
      message: issueMessage(issue),
    }));
  if (isEndless(body)) {
    issues.push({
      path: "n_images",
      message: "expected the number of images to write; 0 writes until stopped, and with " +
        "stop_image_id it may be left out",
    });
  }
  const refusal = refusePath(body, rules) ??
    (parsed.success ? refuseParts(parsed.data, rules) : undefined);
  if (!parsed.success || issues.length > 0 || refusal?.problem === "malformed") {
    if (refusal !== undefined) issues.push({ path: "output_file", message: refusal.message });
    return wrong(issues);
  }
  if (refusal !== undefined) {
    const { problem, message } = refusal;
    return { problem, message, issues: [{ path: "output_file", message }] };
  }
  const { n_images = 0, output_file, images_per_file, run_id = defaultRunId() } = parsed.data;
  const { compression, compression_threads, file_format, nexus, fsync } = parsed.data;
  const { overwrite, create_directories } = parsed.data;
  const refused = refuseCount(parsed.data, rules) ??
    refuseThreads(compression_threads, rules) ?? refusePlain(compression, rules) ??
    refuseRange(parsed.data) ?? refuseUser(parsed.data.user_id, rules);
  if (refused !== undefined) return wrong([refused]);
  const json = stringifyJson({ ...parsed.data, run_id });
  const bytes = new TextEncoder().encode(json).byteLength;
  if (bytes > MAX_REQUEST_BYTES) {
    const message = `${bytes} bytes are more than the ${MAX_REQUEST_BYTES} that files keep of a ` +
      "request: shorten its texts.";
    return wrong([{ path: "", message }]);
  }
  const { start_image_id, stop_image_id, user_id } = parsed.data;
  const timeoutS = noImagesTimeoutS(parsed.data, rules);
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
    ...(fsync !== undefined && { fsync }),
    ...(isOther(user_id, rules) && { userId: user_id }),
    ...(overwrite && { overwrite }),
    ...(create_directories !== undefined && { createFolders: create_directories }),
    runId: run_id,
    json,
  };
}

/** Whether a request gives the run no end, by mistake: who wants none says 0. */
function isEndless(body: unknown): boolean {
  return typeof body === "object" && body !== null && !Array.isArray(body) &&
    !("n_images" in body) && !("stop_image_id" in body);
}

function refusePath(
  body: unknown,
  rules: WriteRequestRules,
  path = memberOf(body, "output_file"),
): OutputPathError | undefined {
  if (typeof path !== "string" || path === "") return undefined; // the schema says so
  const createFolders = memberOf(body, "create_directories") ?? rules.createFolders;
  const allowed = {
    overwrite: memberOf(body, "overwrite") === true,
    createFolders: createFolders === true,
  };
  try {
    checkOutputPath(path, rules.dataRoots, allowed, rules.look);
    return undefined;
  } catch (error) {
    if (error instanceof OutputPathError) return error;
    throw error;
  }
}

function memberOf(body: unknown, name: string): unknown {
  return typeof body === "object" && body !== null ? Reflect.get(body, name) : undefined;
}

/**
 * The files of a request, how many and whether there are more than one. Where nobody knows how many there
 * will be, those that are made at once: the writers refuse to replace the others when they come to them.
 */
function splitOf(
  { n_images = 0, images_per_file = 0 }: z.output<typeof writeRequestSchema>,
  { writers = 1 }: WriteRequestRules,
): { isSplit: boolean; count: number } {
  const split = { writers, imagesPerFile: images_per_file };
  return { isSplit: isSplit(split), count: partCount(n_images, split) };
}

function refuseCount(
  request: z.output<typeof writeRequestSchema>,
  rules: WriteRequestRules,
): RequestIssue | undefined {
  const { count } = splitOf(request, rules);
  if (count <= MAX_FILE_PARTS) return undefined;
  const enough = Math.ceil((request.n_images ?? 0) / MAX_FILE_PARTS);
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
  { noImagesTimeoutS = 0 }: WriteRequestRules,
): number {
  const untilStopped = n_images === 0 && stop_image_id === undefined;
  return no_images_timeout ?? (untilStopped ? 0 : noImagesTimeoutS);
}

function refuseThreads(
  threads: number | undefined,
  { compressionThreads = 1 }: WriteRequestRules,
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
  { compressedImages = false }: WriteRequestRules,
): RequestIssue | undefined {
  if (!compressedImages || compression !== "none") return undefined;
  return {
    path: "compression",
    message: "none is not possible: the images come compressed (compressed_ring). Leave it out.",
  };
}

/** Whether a user other than the one that files are written as anyway is asked for; 0 asks for none. */
function isOther(
  userId: number | undefined,
  { writerUserId }: WriteRequestRules,
): userId is number {
  return userId !== undefined && userId !== 0 && userId !== writerUserId;
}

function refuseUser(
  userId: number | undefined,
  rules: WriteRequestRules,
): RequestIssue | undefined {
  const { writerUserId, allowedUserIds = [] } = rules;
  if (!isOther(userId, rules) || allowedUserIds.includes(userId)) return undefined;
  const own = writerUserId === undefined
    ? "the user of std_h5_writer"
    : `user ${writerUserId} (writer_user_id)`;
  const others = allowedUserIds.length === 0 ? "" : `, or one of ${allowedUserIds.join(", ")}`;
  return {
    path: "user_id",
    message: `files are written as ${own}${others}, not as ${userId}. ` +
      "Leave it out, or have it added to allowed_user_ids of the config.",
  };
}

/**
 * The files that hold the images must not be there either. Their folder is listed once: to look at thousands
 * of files one by one would keep the agent from its images.
 */
function refuseParts(
  request: z.output<typeof writeRequestSchema>,
  rules: WriteRequestRules,
): OutputPathError | undefined {
  const { isSplit, count } = splitOf(request, rules);
  if (!isSplit || count > MAX_FILE_PARTS) return undefined;
  const part = (number: number): string => partPath(request.output_file, number);
  const refused = refusePath(request, rules, part(0)) ??
    refusePath(request, rules, part(count - 1));
  if (refused !== undefined || count <= 2) return refused;
  const { list = listFolder } = rules;
  const names = list(dirname(request.output_file));
  const there = names && new Set(names);
  for (let number = 1; number < count - 1; number++) {
    if (there?.has(basename(part(number))) === false) continue;
    const refusal = refusePath(request, rules, part(number));
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** The names in a folder, none if it is not there yet; undefined if they are not ours to see. */
function listFolder(path: string): string[] | undefined {
  try {
    return Array.from(Deno.readDirSync(path), ({ name }) => name);
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? [] : undefined;
  }
}

/** ns since 1970, a multiple of 1000: such numbers survive clients that read JSON into doubles. */
function defaultRunId(): bigint {
  return BigInt(Math.round(Date.now() * 1000)) * NS_PER_US;
}

function wrong(issues: RequestIssue[]): WriteRefusal {
  const list = issues.map(({ path, message }) =>
    `${path === "" ? "the request" : path}: ${message}`
  );
  return { problem: "wrong", message: `The request is wrong: ${list.join("; ")}`, issues };
}
