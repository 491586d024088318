/**
 * The rules by which a ring's files are removed: only by who holds the lock of an index file that
 * still has its name.
 *
 * @module
 */
import { Errno, File, OsError, unlink } from "../os/mod.ts";
import { RING_HEADER } from "../kernels/mod.ts";
import { RingState } from "./ring_index.ts";
import { dataPath, indexPath } from "./spec.ts";

/**
 * Whether the path by which a locked index file was opened still names it: between open and lock its
 * former owner may have removed it, and another ring may have taken the name. Told by a random
 * number, written into the header's padding and looked for by way of the path.
 */
export function isNamed(locked: File): boolean {
  const mark = crypto.getRandomValues(new Uint8Array(8));
  locked.writeAt(mark, RING_HEADER.padding);
  try {
    using file = File.open(locked.path);
    const found = new Uint8Array(8);
    file.readAt(found, RING_HEADER.padding);
    return found.every((byte, i) => byte === mark[i]);
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return false;
    throw error;
  }
}

/**
 * Removes a ring whose index file is locked and named. Readers that are still attached learn from
 * its state that they must look for another.
 */
export function removeFiles(locked: File, name: string): void {
  locked.writeAt(new Uint8Array(Uint32Array.of(RingState.REPLACED).buffer), RING_HEADER.state);
  unlink(dataPath(name));
  unlink(indexPath(name)); // last: as long as it is there, the lock protects the name
}
