/**
 * Files that appear as a whole.
 *
 * @module
 */
import { NewFile } from "./new_file.ts";

/** How to write a whole file. */
export interface WholeFileOptions {
  /** Replace a file that is there; default: refuse (EEXIST). */
  overwrite?: boolean;
  /** Permission bits, exact; default 0o644. */
  mode?: number;
}

/**
 * Tries whether {@link writeWholeFile} may make files in the folder of a path.
 *
 * @throws {OsError} ENOENT, EACCES, ENOSPC, …
 */
export function checkWholeFile(path: string): void {
  using _removed = newFileAt(path, 0o600);
}

/**
 * Writes a file that has its name only once all of it is on the device: whoever opens the name finds
 * the former file (or none) or the new one, also after a crash. A symbolic link of that name is
 * replaced, not followed.
 *
 * @throws {OsError} EEXIST if it is there and may not be overwritten, ENOENT, EACCES, ENOSPC, …; then
 * nothing has changed.
 */
export function writeWholeFile(
  path: string,
  bytes: Uint8Array,
  options: WholeFileOptions = {},
): void {
  const { overwrite = false, mode = 0o644 } = options;
  using whole = newFileAt(path, mode);
  using file = whole.file;
  file.writeAt(bytes, 0);
  file.sync();
  whole.place(overwrite);
}

function newFileAt(path: string, mode: number): NewFile {
  const at = path.lastIndexOf("/");
  const folder = at < 0 ? "." : path.slice(0, at) || "/";
  return NewFile.beneath(folder, path.slice(at + 1), mode, { sweep: true });
}
