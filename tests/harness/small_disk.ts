/** A folder on a file system of its own with little room; unmounted and removed when disposed of. */
export class SmallDisk implements Disposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Whether this process may mount one. */
  static get isPossible(): boolean {
    using disk = SmallDisk.mount(2 ** 20);
    return disk !== undefined;
  }

  /** @returns undefined where mounting is not allowed (not root, or a container without the right). */
  static mount(bytes: number, access: "rw" | "ro" = "rw"): SmallDisk | undefined {
    const path = Deno.makeTempDirSync({ prefix: `e2e_disk_${Deno.pid}_` });
    if (run("mount", "-t", "tmpfs", "-o", `size=${bytes},${access}`, "tmpfs", path)) {
      return new SmallDisk(path);
    }
    Deno.removeSync(path);
    return undefined;
  }

  [Symbol.dispose](): void {
    // Lazily: what a failed test left open there must not keep it mounted.
    run("umount", "-l", this.path);
    Deno.removeSync(this.path);
  }
}

function run(command: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stderr: "null" }).outputSync().success;
  } catch {
    return false; // no such program
  }
}
