import assert from "node:assert/strict";
import { ConfigError } from "./config_error.ts";

Deno.test("ConfigError has a message without source when there is none", () => {
  const error = new ConfigError("", [{ path: "", value: 1, expected: "a JSON object" }]);
  assert.match(error.message, /^detector config is not valid \(1 problem\):\n {2}the config is 1;/);
  assert.equal(error.name, "ConfigError");
});
