import assert from "node:assert/strict";
import settings from "../deno.json" with { type: "json" };
import { ProjectCopy } from "./_project_copy.ts";
import { newService, parseCommandLine } from "./new_service.ts";
import { KINDS, type ServiceKind } from "./new_service_files.ts";

/** What a service of each kind is started with, as its README has it. */
const ARGUMENTS: Record<ServiceKind, string> = {
  primary: " --broker amqp://127.0.0.1",
  postprocessing: " --broker amqp://127.0.0.1 --primary JF.writer_agent",
  background: "",
};

Deno.test("new-service writes services of each kind that pass the gate and their own tests as they are", async () => {
  await using copy = await ProjectCopy.make();
  const before = await copy.read("deno.json");
  const names = KINDS.map((kind) => `my_${kind}`);
  for (const [i, kind] of KINDS.entries()) {
    const printed = await copy.newService(
      names[i]!,
      "--kind",
      kind,
      "--summary",
      "Counts: 1 & 2.",
    );
    assert.match(printed, new RegExp(`^services/${names[i]}/main\\.ts\n`));
    const lines = (await copy.read(`services/${names[i]}/main.ts`)).trimEnd().split("\n");
    assert.ok(lines.length <= 20, `${lines.length} lines`);
    const readme = await copy.read(`services/${names[i]}/README.md`);
    const command = new RegExp(`^deno task ${names[i]}(.*)$`, "m").exec(readme)?.[1];
    assert.equal(command, ARGUMENTS[kind]);
    assert.equal(readme.includes("`--primary` is the name of"), kind === "postprocessing");
  }
  const after = JSON.parse(await copy.read("deno.json"));
  for (const name of names) {
    delete after.tasks[name];
    delete after.permissions[name];
  }
  assert.deepEqual(after, JSON.parse(before), "nothing else has changed");

  // The gate's steps, on the new files and deno.json, documentation that of `lib/` alone: for the rest they say of
  // the copy what they say of the project. Types are checked by added_types_test.ts.
  const { ok } = settings.tasks;
  const gate = ["deno fmt --check", "deno lint", "deno task lint:layers", "deno task check"];
  assert.equal(ok.command, [...gate, "deno task docs", "deno task test"].join(" && "));
  const folders = names.map((name) => `services/${name}`);
  await copy.deno("fmt", "--check", "deno.json", ...folders);
  await copy.deno("lint", ...folders);
  await copy.deno("task", "lint:layers");
  const general = ["scripts/links_test.ts", "scripts/tasks_test.ts"];
  const tests = ["test", "-A", "--no-check", "--parallel"];
  const printed = await copy.deno(...tests, ...folders, ...general);
  assert.match(printed, /passed \| 0 failed/);
  // Of what is slow, the parts that look at all services.
  const parts = ["scripts/compile_test.ts", "tests/permissions_test.ts"];
  const filter = "/every folder of services|-P=my_/";
  const said = await copy.deno(...tests, "--filter", filter, ...parts);
  assert.match(said, /ok \| 4 passed \| 0 failed/);
});

/** Summaries that end a string, a template, a comment or a paragraph, or are markup, where nobody takes care. */
const SUMMARIES = [
  'Says "hi".',
  `It's "so", isn't it?`,
  "Has a \\ and one at its end \\",
  "One ` only, or ``` three.",
  "Runs `a program` on image_id 1.",
  "`a\\` b`",
  "*/ } // /* <!-- <b>",
  "${name} $& \\u0041 \\n {{x}}",
  "# 1. - + = > *a* _b_ ~~c~~ [d](e) | &amp;",
  "---",
  "Ümläut, 中文, 😀",
  "  blanks  around  ",
  "\\".repeat(80),
  `${"* ".repeat(39)}-`,
];

Deno.test("new-service takes any sentence for a summary and up to 30 letters for a name", async () => {
  using project = new EmptyProject();
  for (const [i, summary] of SUMMARIES.entries()) {
    for (const kind of KINDS) {
      const name = `${kind}_${i}_`.padEnd(i % 2 === 0 ? 0 : 30, "x");
      await newService(project.root, { name, kind, summary });
      const main = Deno.readTextFileSync(`${project.root}/services/${name}/main.ts`);
      const literal = /^ {2}summary:\s+(.*),$/m.exec(main)?.[1] ?? "";
      const module = `data:text/javascript,export default ${encodeURIComponent(literal)}`;
      assert.equal((await import(module)).default, summary.trim());
    }
  }
  const files = SUMMARIES.length * KINDS.length * 3;
  // Whatever could not be parsed could not be formatted.
  assert.match(project.fmt(), new RegExp(`^Checked ${files + 1} files?\n$`));
});

Deno.test("new-service refuses a name that is taken or none, and leaves everything as it was", async () => {
  using project = new EmptyProject();
  const { root } = project;
  Deno.mkdirSync(`${root}/services/old`);
  const text = Deno.readTextFileSync(`${root}/deno.json`);
  for (
    const [name, message] of [
      ["Mean", /"Mean" is no name/],
      ["../up", /is no name/],
      ["", /"" is no name/],
      ["x".repeat(31), /is no name: use up to 30/],
      ["__proto__", /is no name/],
      ["toString", /is no name/],
      ["two\nlines", /"two\\nlines" is no name/],
      ["constructor", /constructor already means something/],
      ["node_modules", /node_modules already means something/],
      ["old", /a service or task old already/],
      ["test", /a service or task test already/],
    ] as const
  ) {
    await assert.rejects(newService(root, { name, kind: "primary", summary: "x" }), message);
  }
  for (const summary of ["", " ", "x".repeat(81), "two\nlines", "two\u2028lines", "\x1b[31m"]) {
    await assert.rejects(newService(root, { name: "a", kind: "primary", summary }), /--summary /);
  }
  assert.equal(Deno.readTextFileSync(`${root}/deno.json`), text);
  assert.deepEqual([...Deno.readDirSync(`${root}/services`)].map((entry) => entry.name), ["old"]);
});

for (
  const args of [
    [],
    ["a"],
    ["a", "b", "--kind", "primary"],
    ["--kind", "primary"],
    ["a", "--kind", ""],
    ["a", "--kind", "constructor"],
    ["a", "--kind", "__proto__"],
    ["a", "--kind", "toString"],
  ]
) {
  Deno.test(`new-service shows its usage on: ${args.join(" ")}`, () => {
    assert.throws(() => parseCommandLine(args), /^NewServiceError: usage: .*primary\|postproc/);
  });
}

/** A folder with nothing but settings, which goes when it is disposed of. */
class EmptyProject implements Disposable {
  readonly root = Deno.makeTempDirSync({ prefix: "std-daq-new-service-" });

  constructor() {
    const { fmt } = settings;
    const text = JSON.stringify({ fmt, permissions: { daq: {} }, tasks: { test: "x" } }, null, 2);
    Deno.writeTextFileSync(`${this.root}/deno.json`, `${text}\n`);
    Deno.mkdirSync(`${this.root}/services`);
  }

  /** What `deno fmt --check` says of all files. */
  fmt(): string {
    const { stderr } = new Deno.Command(Deno.execPath(), {
      args: ["fmt", "--check"],
      cwd: this.root,
      env: { NO_COLOR: "1" },
    }).outputSync();
    return new TextDecoder().decode(stderr);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.root, { recursive: true });
  }
}
