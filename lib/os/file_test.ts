import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { addressOf } from "./address.ts";
import { OsError } from "./errno.ts";
import { File, fileSystemSpace, unlink } from "./file.ts";
import { runScript } from "./_run_script_test_util.ts";

function failsWith(code: string, action: () => unknown): void {
  throws(action, (error: unknown) => {
    ok(error instanceof OsError, `not an OsError: ${error}`);
    strictEqual(error.code, code);
    return true;
  });
}

/** Runs `action` in a folder of its own that is removed afterwards. */
async function inFolder(action: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-file-" });
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function modeOf(path: string): number {
  return Deno.statSync(path).mode! & 0o7777;
}

Deno.test("File.open() creates exclusively, once", () =>
  inFolder((folder) => {
    const path = `${folder}/a`;
    File.open(path, { write: true, create: "exclusive" }).close();
    failsWith("EEXIST", () => File.open(path, { write: true, create: "exclusive" }));
    strictEqual(modeOf(path), 0o600);
  }));

Deno.test("File.isThere() tells a missing file from one that cannot be looked for", () =>
  inFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "");
    strictEqual(File.isThere(`${folder}/a`), true);
    strictEqual(File.isThere(`${folder}/b`), false);
    failsWith("ENOTDIR", () => File.isThere(`${folder}/a/b`));
  }));

Deno.test("File creates with the exact mode whatever the umask", () =>
  inFolder(async (folder) => {
    // The umask belongs to the whole process, so a process of its own changes it.
    await runScript(`
      import { File } from ${JSON.stringify(new URL("./file.ts", import.meta.url).href)};
      for (const mask of [0o000, 0o022, 0o077, 0o177]) {
        Deno.umask(mask);
        for (const mode of [0o600, 0o660, 0o644]) {
          const options = { write: true, create: "exclusive", mode };
          File.open(${JSON.stringify(folder)} + "/open-" + mask + "-" + mode, options).close();
          File.openBeneath(${
      JSON.stringify(folder)
    }, "beneath-" + mask + "-" + mode, options).close();
        }
      }`);
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name);
    strictEqual(names.length, 24);
    for (const name of names) strictEqual(modeOf(`${folder}/${name}`), Number(name.split("-")[2]));
  }));

Deno.test("File.open() does not follow a symbolic link", () =>
  inFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/target`, "x");
    Deno.symlinkSync(`${folder}/target`, `${folder}/link`);
    failsWith("ELOOP", () => File.open(`${folder}/link`));
  }));

Deno.test("File.open() refuses a NUL byte in a path", () => {
  throws(() => File.open("/tmp/a\0b"), TypeError);
});

Deno.test("File writes from a view and from raw memory, and reads back", () =>
  inFolder((folder) => {
    using file = File.open(`${folder}/a`, { write: true, create: "exclusive" });
    const raw = new Uint8Array(100_000).map((_, i) => i % 251);
    file.writeFrom(addressOf(raw), raw.byteLength, 10);
    file.writeAt(new Uint8Array([1, 2, 3]), 0);
    const more = BigUint64Array.of(addressOf(raw), 5n, addressOf(raw) + 7n, 0n, addressOf(raw), 3n);
    file.writeAllFrom(more, 3);
    file.sync();
    strictEqual(file.size(), 100_010);
    const back = new Uint8Array(100_020);
    strictEqual(file.readAt(back, 0), 100_010);
    deepStrictEqual([...back.subarray(0, 13)], [1, 2, 3, 0, 1, 2, 3, 4, 0, 1, 2, 1, 2]);
    deepStrictEqual(back.subarray(11, 100_010), raw.subarray(1));
  }));

Deno.test("File.truncate() and File.allocate() set the size", () =>
  inFolder((folder) => {
    using file = File.open(`${folder}/a`, { write: true, create: "exclusive" });
    file.truncate(5000);
    strictEqual(file.size(), 5000);
    file.allocate(0, 10_000, true);
    strictEqual(file.size(), 5000);
    file.allocate(0, 10_000);
    strictEqual(file.size(), 10_000);
  }));

Deno.test("File.tryLock() is held against a second open of the same process", () =>
  inFolder((folder) => {
    using a = File.open(`${folder}/a`, { write: true, create: "exclusive" });
    using b = File.open(`${folder}/a`);
    strictEqual(a.tryLock(), true);
    strictEqual(b.tryLock(), false);
    a.unlock();
    strictEqual(b.tryLock(), true);
  }));

Deno.test("File.tryLock() fails while another process holds it and works after its SIGKILL", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a`;
    using file = File.open(path, { write: true, create: "exclusive" });
    const module = new URL("./file.ts", import.meta.url).href;
    const script = `import { File } from ${JSON.stringify(module)};
      const file = File.open(${JSON.stringify(path)});
      console.log(file.tryLock());
      setInterval(() => file.size(), 1000);`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", "-"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    try {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(script));
      await writer.close();
      const reader = child.stdout.getReader();
      const { value } = await reader.read();
      strictEqual(new TextDecoder().decode(value).trim(), "true");
      strictEqual(file.tryLock(), false);
      child.kill("SIGKILL");
      await child.status;
      strictEqual(file.tryLock(), true);
      await reader.cancel();
    } finally {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      await child.status;
    }
  }));

Deno.test("File.openBeneath() opens and creates inside the root", () =>
  inFolder((folder) => {
    Deno.mkdirSync(`${folder}/sub`);
    using file = File.openBeneath(folder, "sub/a.h5", {
      write: true,
      create: "exclusive",
      mode: 0o664,
    });
    file.writeAt(new Uint8Array([1]), 0);
    strictEqual(file.path, `${folder}/sub/a.h5`);
    strictEqual(modeOf(`${folder}/sub/a.h5`), 0o664);
    failsWith(
      "EEXIST",
      () => File.openBeneath(folder, "sub/a.h5", { write: true, create: "exclusive" }),
    );
    using again = File.openBeneath(folder, "sub/../sub/a.h5");
    strictEqual(again.size(), 1);
  }));

Deno.test("File.openBeneath() refuses every way out of the root", () =>
  inFolder((folder) => {
    Deno.mkdirSync(`${folder}/root`);
    Deno.writeTextFileSync(`${folder}/outside`, "x");
    Deno.symlinkSync(`${folder}/outside`, `${folder}/root/link`);
    Deno.symlinkSync(folder, `${folder}/root/up`);
    const root = `${folder}/root`;
    failsWith("EXDEV", () => File.openBeneath(root, "../outside"));
    failsWith("EXDEV", () => File.openBeneath(root, `${folder}/outside`));
    failsWith("ELOOP", () => File.openBeneath(root, "link"));
    failsWith("ELOOP", () => File.openBeneath(root, "up/outside"));
    failsWith("EXDEV", () => File.openBeneath(root, "../new", { write: true, create: true }));
    failsWith("ELOOP", () => File.openBeneath(root, "up/new", { write: true, create: true }));
    failsWith("ENOENT", () => File.openBeneath(root, "none/new", { write: true, create: true }));
    failsWith("ENOENT", () => File.openBeneath(`${folder}/none`, "new"));
    deepStrictEqual([...Deno.readDirSync(folder)].map((e) => e.name).sort(), ["outside", "root"]);
  }));

Deno.test("File.openBeneath() takes a root that is itself a link", () =>
  inFolder((folder) => {
    Deno.mkdirSync(`${folder}/real`);
    Deno.symlinkSync(`${folder}/real`, `${folder}/root`);
    File.openBeneath(`${folder}/root`, "a", { write: true, create: true }).close();
    ok(Deno.statSync(`${folder}/real/a`).isFile);
  }));

Deno.test("File says ENOSPC when the file system is full and keeps what was written", () =>
  inFolder(async (folder) => {
    const mounted = Deno.uid() === 0 &&
      (await new Deno.Command("mount", {
        args: ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder],
        stderr: "null",
      }).output()).success;
    if (!mounted) {
      using full = File.open("/dev/full", { write: true });
      failsWith("ENOSPC", () => full.writeAt(new Uint8Array(10), 0));
      return;
    }
    try {
      const { totalBytes, availableBytes } = fileSystemSpace(folder);
      strictEqual(totalBytes, 1 << 20);
      ok(availableBytes <= totalBytes);
      using file = File.open(`${folder}/a`, { write: true, create: "exclusive" });
      failsWith("ENOSPC", () => file.allocate(0, 2 << 20));
      const block = new Uint8Array(3 << 20).fill(5);
      failsWith("ENOSPC", () => file.writeAt(block, 0));
      failsWith("ENOSPC", () => file.writeFrom(addressOf(block), block.byteLength, 0));
      const back = new Uint8Array(1000);
      strictEqual(file.readAt(back, 0), 1000);
      ok(back.every((byte) => byte === 5));
    } finally {
      await new Deno.Command("umount", { args: [folder] }).output();
    }
  }));

Deno.test("unlink() tells whether there was a file", () =>
  inFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "");
    strictEqual(unlink(`${folder}/a`), true);
    strictEqual(unlink(`${folder}/a`), false);
    throws(() => unlink(folder), OsError);
  }));

Deno.test("fileSystemSpace() says ENOENT for a path that is not there", () => {
  failsWith("ENOENT", () => fileSystemSpace(`/tmp/none-${crypto.randomUUID()}`));
  ok(fileSystemSpace("/dev/shm").availableBytes >= 0);
});

Deno.test("a closed File refuses further use", () =>
  inFolder((folder) => {
    const file = File.open(`${folder}/a`, { write: true, create: "exclusive" });
    file.close();
    file.close();
    failsWith("EBADF", () => file.size());
  }));

Deno.test("File.makeFoldersBeneath() makes what is missing, with its mode, and tells of it", () =>
  inFolder((root) => {
    const made: string[] = [];
    const make = (path: string): void => {
      File.makeFoldersBeneath(root, path, 0o751, (folder) => made.push(folder.path));
    };
    make("a/b");
    make("a/b/c");
    make(".");
    deepStrictEqual(made, ["a", "a/b", "a/b/c"].map((path) => `${root}/${path}`));
    strictEqual(modeOf(`${root}/a/b`), 0o751);
    Deno.symlinkSync("a", `${root}/link`);
    Deno.writeTextFileSync(`${root}/file`, "");
    failsWith("ELOOP", () => make("link/d"));
    failsWith("EXDEV", () => make("../d"));
    failsWith("ENOTDIR", () => make("file/d"));
    strictEqual(made.length, 3);
  }));

Deno.test("File.removeBeneath() removes files below the root and nothing else; linkCount() tells", () =>
  inFolder((root) => {
    Deno.mkdirSync(`${root}/a`);
    using file = File.open(`${root}/a/x`, { write: true, create: "exclusive" });
    strictEqual(file.linkCount(), 1);
    Deno.symlinkSync(`${root}/a/x`, `${root}/link`);
    failsWith("ELOOP", () => File.removeBeneath(root, "link"));
    failsWith("EISDIR", () => File.removeBeneath(root, "a"));
    failsWith("ENOENT", () => File.removeBeneath(root, "a/y"));
    failsWith("EXDEV", () => File.removeBeneath(`${root}/a`, "../link"));
    strictEqual(file.linkCount(), 1);
    File.removeBeneath(root, "a/x");
    strictEqual(file.linkCount(), 0);
  }));

Deno.test("File.open() waits for nobody at the other end of a pipe, whose size is refused", () =>
  inFolder((folder) => {
    new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).outputSync();
    using pipe = File.open(`${folder}/pipe`);
    failsWith("ESPIPE", () => pipe.size());
  }));
