import assert from "node:assert/strict";
import { configFieldTable, configJsonSchema } from "./reference.ts";
import { detectorConfigSchema } from "./schema.ts";

const page = (name: string): Promise<string> =>
  Deno.readTextFile(new URL(`../../docs/reference/${name}`, import.meta.url));

Deno.test("configJsonSchema() is what docs/reference holds", async () => {
  assert.equal(await page("detector-config.schema.json"), configJsonSchema());
});

Deno.test("configFieldTable() is what docs/reference holds", async () => {
  assert.ok((await page("configuration.md")).includes(`\n${configFieldTable()}\n`));
});

Deno.test("configJsonSchema() describes every field, with its origin", () => {
  const schema = JSON.parse(configJsonSchema());
  assert.deepEqual(Object.keys(schema.properties), Object.keys(detectorConfigSchema.shape));
  assert.equal("$id" in schema, false);
  assert.equal(schema.required.length, 8);
  for (const [name, field] of Object.entries<Record<string, unknown>>(schema.properties)) {
    assert.equal(typeof field["description"], "string", name);
    assert.match(String(field["x-origin"]), /^(reference|addition)$/, name);
  }
});
