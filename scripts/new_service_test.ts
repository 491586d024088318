import assert from "node:assert/strict";
import settings from "../deno.json" with { type: "json" };
import { ProjectCopy } from "./_project_copy.ts";
import { KINDS } from "./new_service_files.ts";

/** The command of the task, in a copy. */
const [, ...TASK] = settings.tasks["new-service"].split(" ");

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
  }
  const after = JSON.parse(await copy.read("deno.json"));
  for (const name of names) {
    delete after.tasks[name];
    delete after.permissions[name];
  }
  assert.deepEqual(after, JSON.parse(before), "nothing else has changed");

  const folders = names.map((name) => `services/${name}`);
  await copy.deno("fmt", "--check", "deno.json", ...folders);
  await copy.deno("lint", ...folders);
  await copy.deno("run", "--allow-read=.", "scripts/layers.ts");
  const general = ["scripts/links_test.ts", "scripts/tasks_test.ts"];
  const printed = await copy.deno("test", "-A", "--parallel", ...folders, ...general);
  assert.match(printed, /passed \| 0 failed/);
  // Of what is slow, the parts that look at all services.
  const parts = ["scripts/compile_test.ts", "tests/permissions_test.ts"];
  const filter = "/every folder of services|-P=my_/";
  const said = await copy.deno(
    "test",
    "-A",
    "--no-check",
    "--parallel",
    "--filter",
    filter,
    ...parts,
  );
  assert.match(said, /ok \| 4 passed \| 0 failed/);
});

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
