/**
 * Files that have their name only once they are ready.
 *
 * @module
 */
import { cString, libc } from "./_libc.ts";
import { makeTemporary, removeLeftTemporaries } from "./_temporary_file.ts";
import { Errno, lastErrno, OsError } from "./errno.ts";
import { File } from "./file.ts";

const SYS_RENAMEAT2 = Deno.build.arch === "aarch64" ? 276n : 316n;
const RENAME_NOREPLACE = 1n;

/** How a new file is made. */
export interface NewFileHow {
  /** First remove what killed processes of this machine left of such files in the folder. */
  readonly sweep?: boolean;
}

/**
 * A file that is written under a name of its own, `.std-daq.….part`, in the folder where it belongs, and gets
 * the name that it is for when it is ready: whoever opens that finds nothing (or the former file), or the
 * whole new one. Kill the process before that, and the hidden file is left, until somebody sweeps.
 *
 * Folder and file are held by their descriptors: nobody can put others in their place meanwhile.
 */
export class NewFile implements Disposable {
  /** The file, open for reading and writing; the caller's to close once it is in its place. */
  readonly file: File;
  readonly #folder: File;
  readonly #name: string;
  /** Its name so far; undefined once it has the right one. */
  #temporary: string | undefined;

  private constructor(folder: File, name: string, file: File, temporary: string) {
    this.#folder = folder;
    this.#name = name;
    this.file = file;
    this.#temporary = temporary;
  }

  /**
   * Makes the file, below `root` as {@link File.openBeneath} finds its folder.
   *
   * @param path Relative to `root`.
   * @param mode Permission bits, exact.
   * @throws {OsError} EXDEV, ELOOP, ENOENT, EACCES, …
   */
  static beneath(
    root: string,
    path: string,
    mode: number,
    { sweep = false }: NewFileHow = {},
  ): NewFile {
    const [, parent = ".", name = path] = /^(.*)\/([^/]*)$/.exec(path) ?? [];
    const folder = File.folderBeneath(root, parent);
    try {
      if (sweep) removeLeftTemporaries(folder);
      const temporary = makeTemporary(folder, mode, `${root}/${path}`);
      return new NewFile(folder, name, temporary.file, temporary.name);
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  /**
   * Gives the file its name, at once. Works once.
   *
   * @param replace Take the place of a file, or a symbolic link, that has the name; else that is an error.
   * @throws {OsError} EEXIST, EISDIR, EACCES, …; the file keeps its own name then.
   */
  place(replace = false): void {
    const from = this.#temporary;
    if (from === undefined) return;
    const folder = this.#folder.fd;
    if (replace) {
      const done = libc.renameat(folder, cString(from), folder, cString(this.#name)) === 0;
      if (!done) throw this.#error("renameat");
    } else this.#placeExclusively(from);
    this.#temporary = undefined;
    // Not before: until then it could be taken for one that was left.
    if (!this.file.isClosed) this.file.unlock();
  }

  /** Removes and closes the file if it has not got its name; lets go of the folder. */
  [Symbol.dispose](): void {
    if (this.#temporary !== undefined) {
      libc.unlinkat(this.#folder.fd, cString(this.#temporary), 0);
      this.#temporary = undefined;
      this.file.close();
    }
    this.#folder.close();
  }

  #placeExclusively(from: string): void {
    const folder = BigInt(this.#folder.fd);
    const [old, name] = [cString(from), cString(this.#name)];
    const renamed = libc.renameat2(SYS_RENAMEAT2, folder, old, folder, name, RENAME_NOREPLACE);
    if (renamed === 0n) return;
    const errno = lastErrno();
    // NFS, Lustre, some of FUSE: but a second name replaces nothing, either.
    if (errno !== Errno.EINVAL && errno !== Errno.ENOSYS) throw this.#error("renameat2", errno);
    const linked = libc.linkat(this.#folder.fd, old, this.#folder.fd, name, 0) === 0;
    if (!linked) throw this.#error("linkat");
    libc.unlinkat(this.#folder.fd, old, 0);
  }

  #error(call: string, errno = lastErrno()): OsError {
    return new OsError(call, errno, this.file.path);
  }
}
