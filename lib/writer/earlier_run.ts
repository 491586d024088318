/**
 * The files of a run that is to be overwritten.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { MAX_FILE_PARTS, partPath } from "../acquisition/file_split.ts";
import { readRunOfFile, type RunOfFile } from "../hdf5/mod.ts";
import { OsError } from "../os/mod.ts";

/** There is no such file, it is a link, or not to be read. */
const NOT_OURS = ["ENOENT", "ELOOP", "EACCES", "EISDIR"];

/**
 * Paths of the files that hold the images of the run which `outputFile` is the master file of, by all that
 * can be known: they are called as its parts are, it shows them, and they are of the same run as it is.
 * What else has such a name is somebody's file.
 */
export function filesOfEarlierRun(outputFile: string): string[] {
  const run = runOfFile(outputFile);
  if (run === undefined || run.runId === undefined) return [];
  const folder = dirname(outputFile);
  const names = new Set(
    Array.from({ length: MAX_FILE_PARTS }, (_, n) => basename(partPath(outputFile, n))),
  );
  return run.parts.filter((name) => names.has(name))
    .map((name) => `${folder}/${name}`)
    .filter((path) => runOfFile(path)?.runId === run.runId);
}

/** What a file says of its run; nothing if it is not there, or not ours to read. */
function runOfFile(path: string): RunOfFile | undefined {
  try {
    return readRunOfFile(path);
  } catch (error) {
    if (error instanceof OsError && NOT_OURS.includes(error.code)) return undefined;
    throw error;
  }
}
