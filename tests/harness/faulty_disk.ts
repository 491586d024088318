import assert from "node:assert/strict";
import { Errno } from "../../lib/os/mod.ts";

const SOURCE = new URL("faulty_disk.c", import.meta.url).pathname;

/** Errors that a disk, or the way to it, gives. */
const ERRNO = { EIO: Errno.EIO, ENOSPC: Errno.ENOSPC, EROFS: 30, EDQUOT: 122 } as const;

/** System calls that can be made to fail. */
const CALLS = { pwrite: 1, fallocate: 2, fdatasync: 4, ftruncate: 8, renameat2: 16 } as const;

/** A disk that fails on demand, for the HDF5 files of one process that is started with {@link wrap}. */
export class FaultyDisk implements Disposable {
  /** What to put before a program and its arguments. */
  readonly wrap: readonly string[];
  readonly #folder: string;
  readonly #control: string;

  constructor() {
    this.#folder = Deno.makeTempDirSync({ prefix: `faulty_disk_${Deno.pid}_` });
    this.#control = `${this.#folder}/control`;
    const library = `${this.#folder}/faulty_disk.so`;
    const args = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"];
    const { success, stderr } = new Deno.Command("gcc", { args }).outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
    Deno.writeFileSync(this.#control, new Uint8Array(12));
    this.wrap = ["env", `LD_PRELOAD=${library}`, `FAULTY_DISK=${this.#control}`];
  }

  /** How often HDF5 files were forced to the disk so far, by `fdatasync`. */
  get syncs(): number {
    const { buffer } = Deno.readFileSync(this.#control);
    return new Int32Array(buffer)[2]!;
  }

  /** From now on, these calls fail with this error. */
  fail(error: keyof typeof ERRNO, ...calls: (keyof typeof CALLS)[]): void {
    this.#set(ERRNO[error], calls);
  }

  /** From now on, `pwrite` does only half of what it is asked for. */
  writeHalf(): void {
    this.#set(-1, ["pwrite"]);
  }

  /** From now on, `fdatasync` takes two seconds. */
  syncSlowly(): void {
    this.#set(-2, ["fdatasync"]);
  }

  /** From now on, nothing fails. */
  heal(): void {
    this.#set(0, []);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }

  #set(errno: number, calls: (keyof typeof CALLS)[]): void {
    const mask = calls.reduce((sum, call) => sum | CALLS[call], 0);
    using file = Deno.openSync(this.#control, { write: true });
    file.writeSync(new Uint8Array(Int32Array.of(errno, mask).buffer));
  }
}
