import assert from "node:assert/strict";
import settings from "../deno.json" with { type: "json" };
import { blocksOf, ProjectCopy } from "./_project_copy.ts";

Deno.test("docs/tutorials/write-a-service.md makes two services, from nothing to the mean of a run", async () => {
  await using copy = await ProjectCopy.make();
  const page = await copy.read("docs/tutorials/write-a-service.md");
  const commands = [...page.matchAll(/^\$ deno task new-service (.*)$/gm)].map(([, args]) =>
    [...args!.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
  );
  assert.deepEqual(commands.map(([name]) => name), ["noop", "mean_intensity"]);
  const [, ...task] = settings.tasks["new-service"].split(" ");
  for (const args of commands) {
    const printed = await copy.deno(...task, ...args);
    const shown = printed.split("\n\n")[0]!;
    assert.ok(page.includes(shown), `the page shows what is printed: ${shown}`);
  }
  const blocks = blocksOf(page);
  assert.deepEqual(blocks.map(({ file }) => file), [
    "services/noop/main.ts",
    "services/noop/main_test.ts",
    "services/mean_intensity/main.ts",
    "services/mean_intensity/mean_intensity.ts",
    "deno.json",
    "services/mean_intensity/main_test.ts",
  ]);
  for (const block of blocks) copy.apply(block);
  const folders = ["services/noop", "services/mean_intensity"];
  await copy.deno("fmt", "--check", "deno.json", ...folders);
  await copy.deno("lint", ...folders);
  const printed = await copy.deno("test", "-A", "--parallel", ...folders);
  assert.match(printed, /2 passed \| 0 failed/);
});
