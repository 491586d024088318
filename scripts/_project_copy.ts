/** A copy of the project for tests that change it, and pages whose blocks change it. */
import assert from "node:assert/strict";
import settings from "../deno.json" with { type: "json" };

/** The project's folder, absolute, with a slash at its end. */
export const ROOT: string = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** What is not the project's own text: made, fetched, or of a tool. */
const LEFT_OUT = /^(node_modules|dist|data|\..*)$/;

/** A block of a page that says which file it belongs to. */
export interface Block {
  file: string;
  language: string;
  lines: string[];
}

/** Blocks that follow a line like `` `lib/x.ts`: ``, in their order. */
export function blocksOf(page: string): Block[] {
  const pattern = /^`([^`\n]+)`:\n\n```(\w+)\n([\s\S]*?)\n```$/gm;
  return [...page.matchAll(pattern)].map(([, file, language, text]) => ({
    file: file!,
    language: language!,
    lines: text!.split("\n"),
  }));
}

/** Arguments of the commands of a page that make services, in their order. */
export function newServicesOf(page: string): string[][] {
  return [...page.matchAll(/^\$ deno task new-service (.*)$/gm)].map(([, args]) =>
    [...args!.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
  );
}

/** A copy of the project in a temporary folder, which goes when it is disposed of. */
export class ProjectCopy implements AsyncDisposable {
  /** Its folder, without a slash at its end. */
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /** Makes one, of the files as they are now; node_modules is the project's own. */
  static async make(): Promise<ProjectCopy> {
    const root = await Deno.makeTempDir({ prefix: "std-daq-copy-" });
    for await (const { name, isDirectory } of Deno.readDir(ROOT)) {
      if (LEFT_OUT.test(name)) continue;
      if (isDirectory) await copyTree(`${ROOT}${name}`, `${root}/${name}`);
      else await Deno.copyFile(`${ROOT}${name}`, `${root}/${name}`);
    }
    await Deno.symlink(`${ROOT}node_modules`, `${root}/node_modules`);
    return new ProjectCopy(root);
  }

  /** Does what a block says: writes a file, or adds lines after some that are there. */
  apply({ file, language, lines }: Block): void {
    const path = `${this.root}/${file}`;
    if (language !== "diff") {
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(path, `${lines.join("\n")}\n`);
      return;
    }
    const context = lines.filter((line) => !line.startsWith("+")).map((line) => line.slice(1));
    const changed = lines.map((line) => line.slice(1));
    const text = Deno.readTextFileSync(path);
    const before = `${context.join("\n")}\n`;
    assert.equal(text.split(before).length, 2, `${file} has these lines once: ${before}`);
    Deno.writeTextFileSync(path, text.replace(before, () => `${changed.join("\n")}\n`));
  }

  /** Runs Deno in it; returns what it printed. */
  async deno(...args: string[]): Promise<string> {
    const command = new Deno.Command(Deno.execPath(), {
      args,
      cwd: this.root,
      env: { NO_COLOR: "1" },
    });
    const { success, stdout, stderr } = await command.output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.ok(success, `deno ${args.join(" ")} failed:\n${text}`);
    return text;
  }

  /** Runs the command of `deno task new-service` in it; returns what it printed. */
  async newService(...args: string[]): Promise<string> {
    const [, ...command] = settings.tasks["new-service"].split(" ");
    return await this.deno(...command, ...args);
  }

  /** The text of a file. */
  async read(file: string): Promise<string> {
    return await Deno.readTextFile(`${this.root}/${file}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyTree(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
