/**
 * Files that are there only to be locked.
 *
 * @module
 */
import { Errno, OsError } from "./errno.ts";
import { File, unlink } from "./file.ts";

/**
 * A lock that one process at a time holds, by a path. The file is there while the lock is held; one that a killed
 * process left is free, and goes with its next holder.
 */
export class LockFile implements Disposable {
  readonly #file: File;
  #held = true;

  private constructor(file: File) {
    this.#file = file;
  }

  /**
   * Takes the lock, if nobody holds it: also within this process, it is held once.
   *
   * @param path Where; its folder has to be there.
   * @returns The lock, free again when it is disposed of; undefined while somebody else holds it.
   * @throws {OsError} ENOENT without the folder; EACCES if the file is another user's; ELOOP if it is a link; …
   */
  static tryTake(path: string): LockFile | undefined {
    for (;;) {
      const file = openOrMake(path);
      if (file === undefined) continue;
      try {
        if (!file.tryLock()) return void file.close();
      } catch (error) {
        file.close();
        throw error;
      }
      // Its former holder may have removed it meanwhile: then it is nobody's lock any more.
      if (file.linkCount() > 0) return new LockFile(file);
      file.close();
    }
  }

  /** Gives it back; further calls do nothing. */
  [Symbol.dispose](): void {
    if (!this.#held) return; // the path may be somebody else's lock by now
    this.#held = false;
    try {
      unlink(this.#file.path);
    } catch (error) {
      // In a folder such as /tmp only its owner may: it stays, and is taken as any that is free.
      if (!(error instanceof OsError && error.errno === Errno.EPERM)) throw error;
    } finally {
      this.#file.close();
    }
  }
}

/** Opens the file, or makes it; undefined when it came or went in this very moment. */
function openOrMake(path: string): File | undefined {
  for (const create of [false, "exclusive"] as const) {
    try {
      return File.open(path, { write: true, create });
    } catch (error) {
      // The kernel does not let others' files in /tmp be opened by who would make them.
      const expected = create ? Errno.EEXIST : Errno.ENOENT;
      if (!(error instanceof OsError && error.errno === expected)) throw error;
    }
  }
  return undefined;
}
