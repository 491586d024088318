import assert from "node:assert/strict";
import { ConfigError, describeValue } from "./config_error.ts";

Deno.test("describeValue() writes any value on one short line", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  assert.equal(describeValue([0, 1]), "[0,1]");
  assert.equal(describeValue(NaN), "NaN");
  assert.equal(describeValue(5n), "5n");
  assert.equal(describeValue("a\nb\u009b"), '"a\\nb "');
  assert.equal(describeValue(cycle), "a value of type object");
  assert.equal([...describeValue("😀".repeat(100))].length, 80);
});

Deno.test("ConfigError has a message without source when there is none", () => {
  const error = new ConfigError("", [{ path: "", value: 1, expected: "a JSON object" }]);
  assert.match(error.message, /^detector config is not valid \(1 problem\):\n {2}the config is 1;/);
  assert.equal(error.name, "ConfigError");
});
