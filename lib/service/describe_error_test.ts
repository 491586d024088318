import assert from "node:assert/strict";
import { describeError, restoreError } from "./describe_error.ts";

Deno.test("restoreError() restores name, message, stack, code and causes", () => {
  const cause = Object.assign(new RangeError("deep"), { code: "EIO" });
  const description = describeError(new TypeError("outer", { cause }));
  const restored = restoreError(structuredClone(description));
  assert.deepEqual(describeError(restored), description);
});

Deno.test("describeError() takes anything that was thrown", () => {
  assert.deepEqual(describeError("text"), { name: "Error", message: "text" });
  assert.deepEqual(describeError(undefined), { name: "Error", message: "undefined" });
});

Deno.test("describeError() ends on a circle of causes", () => {
  const error = new Error("a");
  error.cause = error;
  assert.equal(JSON.stringify(describeError(error)).match(/"cause"/g)?.length, 16);
});
