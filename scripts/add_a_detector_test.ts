import assert from "node:assert/strict";
import { parseConfig } from "../lib/config/mod.ts";
import { blocksOf, ProjectCopy } from "./_project_copy.ts";

Deno.test("docs/how-to/add-a-detector.md adds a detector, from nothing to images in a file", async () => {
  await using copy = await ProjectCopy.make();
  const blocks = blocksOf(await copy.read("docs/how-to/add-a-detector.md"));
  assert.deepEqual(blocks.map(({ file }) => file), [
    "lib/config/detector_facts.ts",
    "lib/detector/strixel/strixel.ts",
    "lib/detector/detector_for.ts",
    "lib/detector/detector_for.ts",
    "lib/detector/strixel/strixel_test.ts",
    "tests/strixel_test.ts",
    "strixel.json",
  ]);
  for (const block of blocks) copy.apply(block);

  const tests = ["lib/detector/strixel", "tests/strixel_test.ts"];
  // Its types are checked by added_types_test.ts.
  const printed = await copy.deno("test", "-A", "--no-check", ...tests);
  assert.match(printed, /2 passed \| 0 failed/);
  await copy.deno("run", "-A", "scripts/config_schema.ts");
  assert.match(await copy.read("docs/reference/detector-config.schema.json"), /"strixel"/);
  // Here, where nothing was added, the config is refused, by its type only.
  const config = JSON.parse(await copy.read("strixel.json"));
  assert.throws(() => parseConfig(config), /1 problem[^]*detector_type is "strixel"/);
});
