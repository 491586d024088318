/**
 * The folders that files may be written to, and whose the files are.
 *
 * @module
 */
import { dirname } from "node:path";
import { placeInRoots } from "../acquisition/output_path.ts";
import { asFileUser, Errno, File, type FileUser, NewFile, OsError } from "../os/mod.ts";

/** A path outside the allowed folders. */
export class OutsideRootsError extends Error {
  override name = "OutsideRootsError";
}

/** A user whose files a run may not make. */
export class UserNotAllowedError extends Error {
  override name = "UserNotAllowedError";
}

/** How a file is to be made. */
export interface NewFileOptions {
  /** Take the place of a file that is there; else that is an error. */
  readonly overwrite?: boolean;
  /** Make the folders that are missing; else that is an error. */
  readonly createFolders?: boolean;
  /** Wait until the names of the file, and of folders that are made, are on the disk. */
  readonly sync?: boolean;
  /** First remove what killed processes left of new files in the folder; default: look for nothing. */
  readonly sweep?: boolean;
}

/** A file that does not have its name yet. */
export interface OutputFile extends Disposable {
  /** The file, empty; the caller's to close once it is in its place. */
  readonly file: File;
  /** Gives it its name, at once; throws when that is taken by now. */
  place(): void;
  /** Removes and closes it if it is not in its place. */
  [Symbol.dispose](): void;
}

/** Makes, and removes, the files of a run. */
export interface OutputFiles {
  /** Makes an empty file without its name; throws when the path is not allowed, or taken. */
  create(path: string, how: NewFileOptions): OutputFile;
  /** Removes a file. */
  remove(path: string): void;
  /** Whether a file that was made is still where it was made. */
  isInPlace(file: File): boolean;
  /** Does something as the user that the files are made as. */
  asUser<T>(action: () => T): T;
  /**
   * The same for files of a user that runs may ask for.
   *
   * @throws {UserNotAllowedError} If it is none of these.
   */
  ofUser(uid: number): OutputFiles;
}

/** Whose files are, and who may use them. */
export interface FileOwnership {
  /** Permission bits of files, default 0o644; folders besides get x where there is r. */
  readonly mode?: number;
  /** Group of files and folders; default that of their user. */
  readonly gid?: number | undefined;
  /** User that files are made as; default the one of this process. */
  readonly user?: FileUser | undefined;
  /** Users by id that runs may ask for instead; undefined stands for the one of this process. */
  readonly users?: ReadonlyMap<number, FileUser | undefined>;
}

/**
 * Files below allowed folders. The kernel resolves their paths: neither `..` nor a symbolic link leads
 * out of a folder. What the user that they are made as may not do, fails.
 *
 * All methods throw {@link OutsideRootsError} if the path is below none of the folders, and
 * {@link OsError}: EEXIST, EXDEV, ELOOP, ENOENT, EACCES, EPERM, …
 */
export class DataRoots implements OutputFiles {
  readonly #roots: readonly string[];
  readonly #ownership: FileOwnership;

  /** @param roots Absolute paths of the allowed folders. */
  constructor(roots: readonly string[], ownership: FileOwnership = {}) {
    this.#roots = roots;
    this.#ownership = ownership;
  }

  create(path: string, how: NewFileOptions = {}): OutputFile {
    const { root, relative } = this.#placeOf(path);
    const { mode = 0o644 } = this.#ownership;
    return this.asUser(() => {
      if (how.createFolders) {
        const folderMode = mode | (mode & 0o444) >> 2;
        File.makeFoldersBeneath(root, dirname(relative), folderMode, (folder) => {
          this.#give(folder);
          if (how.sync) syncName(root, folder.path.slice(root.length + 1));
        });
      }
      requireFree(root, relative, how.overwrite ?? false);
      const made = NewFile.beneath(root, relative, mode, how);
      try {
        this.#give(made.file);
      } catch (error) {
        made[Symbol.dispose]();
        throw error;
      }
      const dispose = (): void => this.asUser(() => made[Symbol.dispose]());
      const place = (): void =>
        this.asUser(() => {
          made.place(how.overwrite);
          try {
            if (how.sync) syncName(root, relative);
          } catch (error) {
            File.removeBeneath(root, relative); // it is ours
            made.file.close();
            throw error;
          }
        });
      return { file: made.file, place, [Symbol.dispose]: dispose };
    });
  }

  ofUser(uid: number): DataRoots {
    const { users = new Map() } = this.#ownership;
    if (users.has(uid)) {
      return new DataRoots(this.#roots, { ...this.#ownership, user: users.get(uid) });
    }
    const allowed = users.size === 0 ? "none" : [...users.keys()].join(", ");
    throw new UserNotAllowedError(
      `user ${uid} is not among those that files may be made as (${allowed}). ` +
        "Leave user_id out, or add it to allowed_user_ids of the writer's config.",
    );
  }

  remove(path: string): void {
    const { root, relative } = this.#placeOf(path);
    this.asUser(() => File.removeBeneath(root, relative));
  }

  isInPlace(file: File): boolean {
    const { root, relative } = this.#placeOf(file.path);
    return this.asUser(() => file.isBeneath(root, relative));
  }

  /**
   * Makes a file that holds these bytes from the moment that it is there; none when that fails.
   *
   * @throws {OsError} ENOSPC, …, besides those of all methods.
   */
  write(path: string, bytes: Uint8Array): void {
    using made = this.create(path, { sweep: true });
    using file = made.file;
    file.writeAt(bytes, 0);
    made.place();
  }

  asUser<T>(action: () => T): T {
    const { user } = this.#ownership;
    return user === undefined ? action() : asFileUser(user, action);
  }

  /** The user has to be in the group. */
  #give(file: File): void {
    const { gid } = this.#ownership;
    if (gid !== undefined) file.chgrp(gid);
  }

  /** The allowed folder that a path is in, as the agent that checked it chose it, and the rest of the path. */
  #placeOf(path: string): { root: string; relative: string } {
    const place = placeInRoots(path, this.#roots);
    if (place !== undefined) return place;
    throw new OutsideRootsError(
      `${path} is outside the folders that may be written to (${this.#roots.join(", ")}). ` +
        "Choose a path below one of them, or start the writer with another --data-root.",
    );
  }
}

/** Waits until the name of a file or folder is on the disk. */
function syncName(root: string, relative: string): void {
  using folder = File.openBeneath(root, dirname(relative));
  folder.sync();
}

/**
 * Refuses early what {@link NewFile.place} would refuse, and to put a file in the place of a link.
 *
 * @throws {OsError} EEXIST, or EISDIR, ELOOP for what is not overwritten.
 */
function requireFree(root: string, relative: string, overwrite: boolean): void {
  const there = File.isThereBeneath(root, relative);
  if (there && !overwrite) throw new OsError("create", Errno.EEXIST, `${root}/${relative}`);
}
