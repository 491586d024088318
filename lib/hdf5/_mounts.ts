/**
 * A file on disk and those beside it, as the HDF5 library needs them for virtual datasets.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import * as h5wasm from "h5wasm";
import { Errno, File, OsError } from "../os/mod.ts";
import { h5Module, memoryPath } from "./_h5wasm.ts";
import { mount } from "./_mount.ts";
import { isPartName } from "./_virtual.ts";

/** Files that h5wasm sees without their being loaded, in a folder of their own. */
export class Mounts implements Disposable {
  /** The file that was mounted first. */
  readonly file: File;
  readonly #path: string;
  readonly #folder = memoryPath();
  #files = new Map<string, File>();
  #h5: h5wasm.File | undefined;

  /**
   * Mounts a file.
   *
   * @throws {OsError} ENOENT, EACCES, …
   */
  constructor(path: string) {
    this.#path = path;
    this.file = File.open(path);
    h5Module.FS.mkdir(this.#folder);
    this.#mount(basename(path), this.file);
  }

  /** Opens the file, closing it first if it is open. */
  open(): h5wasm.File {
    this.#h5?.close();
    this.#h5 = undefined;
    this.#h5 = new h5wasm.File(`${this.#folder}/${basename(this.#path)}`, "r");
    return this.#h5;
  }

  /** Mounts a file of the same folder too, if it is there. */
  addIfThere(name: string): void {
    if (!isPartName(name) || this.#files.has(name)) return;
    try {
      this.#mount(name, File.open(`${dirname(this.#path)}/${name}`));
    } catch (error) {
      if (!(error instanceof OsError) || error.errno !== Errno.ENOENT) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#h5?.close();
    for (const [name, file] of this.#files) {
      h5Module.FS.unlink(`${this.#folder}/${name}`);
      file.close();
    }
    h5Module.FS.rmdir(this.#folder);
  }

  #mount(name: string, file: File): void {
    this.#files.set(name, file);
    mount(file, `${this.#folder}/${name}`);
  }
}
