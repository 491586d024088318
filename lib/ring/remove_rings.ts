/**
 * Removing what killed services left.
 *
 * @module
 */
import { Errno, File, OsError } from "../os/mod.ts";
import { isNamed, removeFiles } from "./_files.ts";
import { indexPath } from "./spec.ts";

/**
 * Removes rings that no live process writes; their readers see them end.
 *
 * @param names Names of rings.
 * @returns The names that were removed; rings that are in use or not there are left out.
 */
export function removeRings(names: Iterable<string>): string[] {
  const removed: string[] = [];
  for (const name of names) {
    let index: File;
    try {
      index = File.open(indexPath(name), { write: true });
    } catch (error) {
      if (error instanceof OsError && error.errno === Errno.ENOENT) continue;
      throw error;
    }
    using file = index;
    if (!file.tryLock() || !isNamed(file)) continue;
    removeFiles(file, name);
    removed.push(name);
  }
  return removed;
}
