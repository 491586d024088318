import { File, OsError } from "../os/mod.ts";
import type { Host, ProgramResult } from "./host.ts";

const LARGEST_FILE_BYTES = 16 * 1024 * 1024;
/** ip and ethtool are in folders that a user's PATH need not have. */
const PATH = "/usr/sbin:/sbin:/usr/bin:/bin";

/**
 * The machine itself. Files of /proc and /sys are opened through libc: Deno keeps them from everybody who
 * may not do everything.
 *
 * @param root Folder in which `proc` and `sys` are; default: the real ones.
 */
export function systemHost(root = ""): Host {
  return {
    read: (path) => read(root + path),
    write(path, value): void {
      using file = File.open(root + path, { write: true });
      file.writeAt(new TextEncoder().encode(`${value}\n`), 0);
    },
    run,
  };
}

function read(path: string): string | undefined {
  try {
    using file = File.open(path);
    let bytes = new Uint8Array(64 * 1024);
    let length = 0;
    for (;;) {
      const n = file.readAt(bytes.subarray(length), length);
      length += n;
      if (length < bytes.length) return new TextDecoder().decode(bytes.subarray(0, length));
      if (bytes.length >= LARGEST_FILE_BYTES) return undefined;
      const larger = new Uint8Array(2 * bytes.length);
      larger.set(bytes);
      bytes = larger;
    }
  } catch (error) {
    if (error instanceof OsError) return undefined; // this machine has no such thing, or hides it
    throw error;
  }
}

async function run(program: string, args: readonly string[]): Promise<ProgramResult | undefined> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      env: { PATH, LC_ALL: "C" },
      stdin: "null",
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { success, out: out ?? "", err: err ?? "" };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
