/**
 * The file of a finished run: where services that go on with it find it, and its entry in the store.
 *
 * @module
 */
import { z } from "zod";
import type { Store } from "../store/mod.ts";

/**
 * What a request of the writer says of its file; further members are of no interest.
 *
 * @ignore Its inferred type is no documentation.
 */
export const writtenFileSchema = z.looseObject({ output_file: z.string().min(1) });

/** Thrown when a file is outside the folders that a service may look at. */
export class OutsideDataRootsError extends Error {
  /** The class's name. */
  override name = "OutsideDataRootsError";
}

/**
 * The file itself, symbolic links followed, which has to be below one of the folders. Needs `read` of them.
 *
 * @param roots Absolute paths of folders.
 * @throws {Deno.errors.NotFound} If it is not there.
 * @throws {OutsideDataRootsError} If it is somewhere else.
 */
export async function fileBelow(path: string, roots: readonly string[]): Promise<string> {
  const below = (file: string, root: string): boolean =>
    file.startsWith(root.endsWith("/") ? root : `${root}/`);
  const outside = new OutsideDataRootsError(
    `${path} is outside the folders that may be read (${roots.join(", ")}). ` +
      "Start this service with another --data-root.",
  );
  if (!roots.some((root) => below(path, root)) || path.split("/").includes("..")) throw outside;
  const real = await Deno.realPath(path);
  for (const root of roots) if (below(real, await Deno.realPath(root))) return real;
  throw outside;
}

/** A run that has ended, as its request and the writer's answer to it tell. */
export interface FinishedRun {
  /** Its file, as it was asked for. */
  readonly outputFile: string;
  /** What the writer's `request_success` says; its `run_id` tells runs into the same file apart. */
  readonly result: unknown;
}

/** Finished acquisitions that are looked through. */
const LATEST_LOGS = 20;
/** Looked for so often, as the writer agent stores an acquisition while others hear of its end. */
const TRIES = 20;
const BETWEEN_TRIES_MS = 250;

/**
 * The id of a run's acquisition in the store.
 *
 * @returns Undefined if it does not come within some seconds.
 * @throws The reason of the signal.
 */
export async function findAcquisition(
  store: Pick<Store, "logs">,
  { outputFile, result }: FinishedRun,
  signal: AbortSignal,
): Promise<string | undefined> {
  const runId = runSchema.safeParse(result).data?.run_id;
  for (let left = TRIES; left > 0; left--) {
    const logs = await store.logs(LATEST_LOGS);
    const found = logs.find(({ value }) => {
      const { data } = acquisitionSchema.safeParse(value);
      if (data?.info.output_file !== outputFile) return false;
      const { run_id = runId } = data.info; // an original's log may lack it
      return runId === undefined || BigInt(run_id ?? 0) === BigInt(runId);
    });
    if (found !== undefined) return found.id;
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES_MS));
  }
  return undefined;
}

/** The file of an acquisition in the store; undefined where its entry names none. */
export function fileOfAcquisition(acquisition: unknown): string | undefined {
  return acquisitionSchema.safeParse(acquisition).data?.info.output_file;
}

const runIdSchema = z.union([z.int(), z.bigint()]);
const runSchema = z.looseObject({ run_id: runIdSchema });
const acquisitionSchema = z.looseObject({
  info: z.looseObject({ output_file: z.string(), run_id: runIdSchema.optional() }),
});
