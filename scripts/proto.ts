/**
 * Generates `proto/gen` from the `.proto` files under `proto/`.
 *
 *     deno run -A scripts/proto.ts            write proto/gen
 *     deno run -A scripts/proto.ts --check    exit 1 if proto/gen is not what the sources give
 *
 * Works offline once the npm packages are installed: buf and protoc-gen-es are pinned in deno.json.
 * buf's own launcher wants Node and an install script; the program itself is in its per-platform
 * package and is started directly.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SOURCES = join(ROOT, "proto");
const OUTPUT = join(SOURCES, "gen");

/** npm package that holds buf's program, by `Deno.build` os and arch. */
const BUF_PACKAGES: Record<string, string> = {
  "linux x86_64": "buf-linux-x64",
  "linux aarch64": "buf-linux-aarch64",
  "darwin x86_64": "buf-darwin-x64",
  "darwin aarch64": "buf-darwin-arm64",
};

if (import.meta.main) {
  Deno.exitCode = await main(Deno.args);
}

async function main(args: string[]): Promise<number> {
  const unknown = args.filter((arg) => arg !== "--check");
  if (unknown.length > 0) {
    say(`unknown argument ${unknown.join(" ")}; usage: deno run -A scripts/proto.ts [--check]`);
    return 2;
  }
  const scratch = await Deno.makeTempDir({ prefix: "std-daq-proto-" });
  try {
    const fresh = join(scratch, "gen");
    await generate(fresh, scratch);
    if (args.includes("--check")) return await check(fresh);
    await replaceFolder(fresh, OUTPUT);
    return 0;
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** Runs buf with protoc-gen-es over `proto/`, writing TypeScript under `out`. */
async function generate(out: string, scratch: string): Promise<void> {
  const template = {
    version: "v2",
    plugins: [{
      local: [Deno.execPath(), "run", "-A", "--no-lock", await esPlugin()],
      out,
      opt: ["target=ts", "import_extension=ts"],
    }],
  };
  const { code, stderr } = await new Deno.Command(await bufProgram(), {
    args: ["generate", "--template", JSON.stringify(template), SOURCES],
    cwd: ROOT,
    env: { BUF_CACHE_DIR: scratch },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code !== 0) {
    throw new Error(`buf generate failed with code ${code}:\n${new TextDecoder().decode(stderr)}`);
  }
}

async function bufProgram(): Promise<string> {
  const platform = `${Deno.build.os} ${Deno.build.arch}`;
  const name = BUF_PACKAGES[platform];
  if (name === undefined) {
    const known = Object.keys(BUF_PACKAGES).join(", ");
    throw new Error(`no buf program known for ${platform}; run this on one of: ${known}`);
  }
  // The platform package is a dependency of @bufbuild/buf, so it lies beside it where that really is.
  return await installed(join(await packageFolder("buf"), "..", name, "bin", "buf"));
}

async function esPlugin(): Promise<string> {
  return await installed(join(await packageFolder("protoc-gen-es"), "bin", "protoc-gen-es"));
}

async function packageFolder(name: string): Promise<string> {
  return await Deno.realPath(await installed(join(ROOT, "node_modules", "@bufbuild", name)));
}

/** Gives `path` back once it is there; a fresh clone has no node_modules yet and gets it installed. */
async function installed(path: string): Promise<string> {
  if (await exists(path)) return path;
  say("installing the npm packages of deno.lock");
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--frozen", "--quiet"],
    cwd: ROOT,
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success || !await exists(path)) {
    throw new Error(`${path} is missing after "deno install": check deno.json and deno.lock`);
  }
  return path;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    ignoreNotFound(error);
    return false;
  }
}

/** Compares `fresh` with the committed output and names every file that differs. */
async function check(fresh: string): Promise<number> {
  const [want, have] = [await readFolder(fresh), await readFolder(OUTPUT)];
  const stale = [...new Set([...want.keys(), ...have.keys()])]
    .filter((name) => want.get(name) !== have.get(name)).sort();
  for (const name of stale) say(`proto/gen/${name} is stale`);
  if (stale.length > 0) say('run "deno run -A scripts/proto.ts" and commit proto/gen');
  return stale.length > 0 ? 1 : 0;
}

async function replaceFolder(from: string, to: string): Promise<void> {
  const files = await readFolder(from);
  await Deno.remove(to, { recursive: true }).catch(ignoreNotFound);
  for (const [name, text] of files) {
    await Deno.mkdir(join(to, name, ".."), { recursive: true });
    await Deno.writeTextFile(join(to, name), text);
  }
}

/** Relative path → text of every file under `folder`; empty when there is no such folder. */
async function readFolder(folder: string, prefix = ""): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  try {
    for await (const entry of Deno.readDir(join(folder, prefix))) {
      const name = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory) {
        for (const [path, text] of await readFolder(folder, name)) files.set(path, text);
      } else {
        files.set(name, await Deno.readTextFile(join(folder, name)));
      }
    }
  } catch (error) {
    ignoreNotFound(error);
  }
  return files;
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}
