import { equal, match, notEqual, ok } from "node:assert/strict";

const ROOT = new URL("../", import.meta.url).pathname;

/** A copy of all that the build reads, so that other tests keep their kernels. */
class BuildCopy implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<BuildCopy> {
    const path = await Deno.makeTempDir({ prefix: `std-daq-build-${Deno.pid}-` });
    const copy = new BuildCopy(path);
    for (
      const folder of ["assembly", "lib/kernels", "lib/os", "lib/protocol", "scripts", "wasm"]
    ) {
      await Deno.mkdir(`${path}/${folder}`, { recursive: true });
      for (const entry of Deno.readDirSync(`${ROOT}${folder}`)) {
        if (!entry.isFile || !/\.(ts|js)$/.test(entry.name)) continue;
        await Deno.copyFile(
          `${ROOT}${folder}/${entry.name}`,
          `${path}/${folder}/${entry.name}`,
        );
      }
    }
    for (const file of ["deno.json", "deno.lock"]) {
      await Deno.copyFile(ROOT + file, `${path}/${file}`);
    }
    await Deno.symlink(`${ROOT}node_modules`, `${path}/node_modules`);
    return copy;
  }

  async build(...args: string[]): Promise<{ code: number; said: string }> {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--frozen", "scripts/build.ts", ...args],
      cwd: this.path,
      env: { NO_COLOR: "1" },
    }).output();
    return { code, said: new TextDecoder().decode(stderr) };
  }

  async edit(file: string, change: (text: string) => string): Promise<void> {
    const path = `${this.path}/${file}`;
    await Deno.writeTextFile(path, change(await Deno.readTextFile(path)));
  }

  async wasm(): Promise<{ modified: number; module: WebAssembly.Module }> {
    const path = `${this.path}/wasm/kernels.ts`;
    const { mtime } = await Deno.stat(path);
    const modified = mtime?.getTime() ?? 0;
    // Imported by a name of its own, since a module is evaluated once.
    const { KERNELS } = await import(`file://${path}?${modified}`);
    return { modified, module: await WebAssembly.compile(Uint8Array.fromBase64(KERNELS)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

Deno.test("build makes the kernels, and does nothing while their sources are unchanged", async () => {
  await using copy = await BuildCopy.make();
  const first = await copy.build();
  equal(first.code, 0, first.said);
  match(first.said, /^built wasm\/kernels\.ts \(\d+ bytes of WebAssembly\)/m);
  const built = await copy.wasm();
  ok(WebAssembly.Module.exports(built.module).some(({ kind }) => kind === "function"));

  const second = await copy.build();
  equal(second.code, 0, second.said);
  equal(second.said, "");
  equal((await copy.wasm()).modified, built.modified);

  await copy.edit("assembly/common.ts", (text) => `${text}// changed\n`);
  const third = await copy.build();
  equal(third.code, 0, third.said);
  match(third.said, /^built/m);
  notEqual((await copy.wasm()).modified, built.modified);
});

Deno.test("build --check fails on a stale generated file, names it and leaves it", async () => {
  await using copy = await BuildCopy.make();
  for (const file of ["assembly/layout.ts", "wasm/exports.ts"]) {
    const fresh = await Deno.readTextFile(`${copy.path}/${file}`);
    await copy.edit(file, (text) => text.replace(/\n.*\n$/, "\n// edited by hand\n"));
    const { code, said } = await copy.build("--check");
    equal(code, 1, said);
    match(said, new RegExp(`${file.replace(".", "\\.")} is stale.*deno task build`));
    ok((await Deno.readTextFile(`${copy.path}/${file}`)).includes("edited by hand"));
    await copy.edit(file, () => fresh);
  }
  equal((await copy.build("--check")).code, 0);
});

Deno.test("build fails on a kernel that does not compile, and says where", async () => {
  await using copy = await BuildCopy.make();
  await copy.edit("assembly/common.ts", (text) => `${text}export const oops: i32 = "text";\n`);
  const { code, said } = await copy.build();
  equal(code, 1, said);
  match(said, /assembly\/common\.ts/);
});
