import assert from "node:assert/strict";
import { testContext } from "./_test_context.ts";
import { mark, shortId } from "./broker.ts";

Deno.test("mark() is in colour where stdout is a terminal, whatever stderr is", () => {
  assert.equal(mark("request_success", testContext({ interactive: true })), "+");
  assert.equal(mark("request_success", testContext({ outColor: true })), "\x1b[32m+\x1b[0m");
  assert.equal(mark("request_fail", testContext({ outColor: true })), "\x1b[31m-\x1b[0m");
});

Deno.test("shortId() keeps both ends of a long id", () => {
  assert.equal(shortId("0a1b2c3d-4e5f"), "0a1b..4e5f");
  assert.equal(shortId("0123456789"), "0123456789");
  assert.equal(shortId("\x1b[2Jabcdefg\x1b[H"), " [2J..g [H");
});
