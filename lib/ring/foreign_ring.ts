/**
 * Rings of the original, which have no index.
 *
 * @module
 */
import { Errno, File, OsError } from "../os/mod.ts";
import { dataBytes, dataPath, indexPath } from "./spec.ts";

/**
 * Opens the data file of a ring without an index, as the original's services write them.
 *
 * @param ring What the ring must be: it does not say so itself.
 * @returns Undefined if there is none of that size, or one with an index.
 * @throws {OsError} EACCES, …
 */
export function openForeignRing(
  ring: { name: string; slotBytes: number; slots: number },
): File | undefined {
  const index = openIfThere(indexPath(ring.name)); // being made or removed, if at all
  index?.close();
  const data = index === undefined ? openIfThere(dataPath(ring.name)) : undefined;
  if (data === undefined || data.size() >= dataBytes(ring)) return data;
  data.close();
  return undefined;
}

function openIfThere(path: string): File | undefined {
  try {
    return File.open(path);
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return undefined;
    throw error;
  }
}
