import assert from "node:assert/strict";
import { parseConfig } from "../lib/config/mod.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);
const PAGE = `${ROOT}docs/how-to/add-a-detector.md`;

/** What the copy needs: all that the page changes and what the tests of a detector run. */
const COPIED = ["deno.json", "deno.lock", "mod.ts", "assembly", "lib", "proto"];
const COPIED_TOO = ["scripts", "services", "tests/harness", "wasm", "docs/reference"];

/** A block of the page that says which file it belongs to. */
interface Block {
  file: string;
  language: string;
  lines: string[];
}

/** Blocks that follow a line like `` `lib/x.ts`: ``, in their order. */
function blocksOf(page: string): Block[] {
  const pattern = /^`([^`\n]+)`:\n\n```(\w+)\n([\s\S]*?)\n```$/gm;
  return [...page.matchAll(pattern)].map(([, file, language, text]) => ({
    file: file!,
    language: language!,
    lines: text!.split("\n"),
  }));
}

/** Does to a folder what a block says: a new file, or lines added after one that is there. */
function apply(root: string, { file, language, lines }: Block): void {
  const path = `${root}/${file}`;
  if (language !== "diff") {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(path, `${lines.join("\n")}\n`, { createNew: true });
    return;
  }
  const context = lines.filter((line) => !line.startsWith("+")).map((line) => line.slice(1));
  const added = lines.filter((line) => line.startsWith("+")).map((line) => line.slice(1));
  const text = Deno.readTextFileSync(path);
  const before = `${context.join("\n")}\n`;
  assert.equal(text.split(before).length, 2, `${file} has these lines once: ${before}`);
  Deno.writeTextFileSync(path, text.replace(before, `${before}${added.join("\n")}\n`));
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyTree(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** Runs Deno in a folder; returns what it printed. */
async function deno(cwd: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd, env: { NO_COLOR: "1" } });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.ok(success, `deno ${args.join(" ")} failed:\n${text}`);
  return text;
}

Deno.test("docs/how-to/add-a-detector.md adds a detector, from nothing to images in a file", async () => {
  const blocks = blocksOf(await Deno.readTextFile(PAGE));
  assert.deepEqual(blocks.map(({ file }) => file), [
    "lib/config/detector_facts.ts",
    "lib/detector/strixel/strixel.ts",
    "lib/detector/detector_for.ts",
    "lib/detector/detector_for.ts",
    "lib/detector/strixel/strixel_test.ts",
    "tests/strixel_test.ts",
    "strixel.json",
  ]);
  const copy = await Deno.makeTempDir({ prefix: "add-a-detector-" });
  try {
    for (const name of [...COPIED, ...COPIED_TOO]) {
      const { isDirectory } = await Deno.stat(`${ROOT}${name}`);
      if (isDirectory) await copyTree(`${ROOT}${name}`, `${copy}/${name}`);
      else await Deno.copyFile(`${ROOT}${name}`, `${copy}/${name}`);
    }
    await Deno.symlink(`${ROOT}node_modules`, `${copy}/node_modules`);
    for (const block of blocks) apply(copy, block);

    const printed = await deno(copy, "test", "-A", "lib/detector/strixel", "tests/strixel_test.ts");
    assert.match(printed, /2 passed \| 0 failed/);
    await deno(copy, "run", "-A", "scripts/config_schema.ts");
    const schema = await Deno.readTextFile(`${copy}/docs/reference/detector-config.schema.json`);
    assert.match(schema, /"strixel"/);
    // Here, where nothing was added, the config is refused, by its type only.
    const config = JSON.parse(await Deno.readTextFile(`${copy}/strixel.json`));
    assert.throws(() => parseConfig(config), /1 problem[^]*detector_type is "strixel"/);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
});
