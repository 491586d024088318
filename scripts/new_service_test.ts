import assert from "node:assert/strict";
import settings from "../deno.json" with { type: "json" };
import { ProjectCopy, ROOT } from "./_project_copy.ts";
import { KINDS, type ServiceKind } from "./new_service_files.ts";

/** The command of the task, in a copy. */
const [, ...TASK] = settings.tasks["new-service"].split(" ");

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
    const printed = await copy.deno(
      ...TASK,
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

  // The gate's steps. The type check is that of what the new files and deno.json are part of, and documentation
  // that of `lib/` alone: for the rest they say of the copy what they say of the project.
  const { ok } = settings.tasks;
  const gate = ["deno fmt --check", "deno lint", "deno task lint:layers", "deno task check"];
  assert.equal(ok.command, [...gate, "deno task docs", "deno task test"].join(" && "));
  const folders = names.map((name) => `services/${name}`);
  await copy.deno("fmt", "--check");
  await copy.deno("lint");
  await copy.deno("task", "lint:layers");
  await copy.deno("check", ...folders, ...readersOfSettings());
  const general = ["scripts/links_test.ts", "scripts/tasks_test.ts"];
  const tests = ["test", "-A", "--no-check", "--parallel"]; // types were checked
  const printed = await copy.deno(...tests, ...folders, ...general);
  assert.match(printed, /passed \| 0 failed/);
  // Of what is slow, the parts that look at all services.
  const parts = ["scripts/compile_test.ts", "tests/permissions_test.ts"];
  const filter = "/every folder of services|-P=my_/";
  const said = await copy.deno(...tests, "--filter", filter, ...parts);
  assert.match(said, /ok \| 4 passed \| 0 failed/);
});

/** Modules whose types follow from deno.json, of what `deno task check` looks at. */
function readersOfSettings(): string[] {
  const { stdout } = new Deno.Command("grep", {
    args: ["-rl", "--include=*.ts", 'from ".*/deno.json"', "lib", "services", "scripts", "tests"],
    cwd: ROOT,
  }).outputSync();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

Deno.test("new-service refuses a name that is taken or none, and leaves everything as it was", async () => {
  const root = await Deno.makeTempDir({ prefix: "std-daq-new-service-" });
  try {
    const { newService } = await import("./new_service.ts");
    const text =
      '{\n  "permissions": {\n    "daq": {}\n  },\n  "tasks": {\n    "test": "x"\n  }\n}\n';
    await Deno.writeTextFile(`${root}/deno.json`, text);
    await Deno.mkdir(`${root}/services/old`, { recursive: true });
    for (
      const [name, message] of [
        ["Mean", /is no name/],
        ["../up", /is no name/],
        ["old", /a service or task old already/],
        ["test", /a service or task test already/],
      ] as const
    ) {
      await assert.rejects(newService(root, { name, kind: "primary", summary: "x" }), message);
    }
    for (const summary of ["", "x".repeat(81), "two\nlines"]) {
      await assert.rejects(newService(root, { name: "a", kind: "primary", summary }), /--summary /);
    }
    assert.equal(await Deno.readTextFile(`${root}/deno.json`), text);
    assert.deepEqual([...Deno.readDirSync(`${root}/services`)].map((entry) => entry.name), ["old"]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
