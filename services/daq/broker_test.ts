import assert from "node:assert/strict";
import { testContext } from "./_test_context.ts";
import { mark, oneLine, shortId } from "./broker.ts";

Deno.test("mark() is in colour where stdout is a terminal, whatever stderr is", () => {
  assert.equal(mark("request_success", testContext({ interactive: true })), "+");
  assert.equal(mark("request_success", testContext({ outColor: true })), "\x1b[32m+\x1b[0m");
  assert.equal(mark("request_fail", testContext({ outColor: true })), "\x1b[31m-\x1b[0m");
});

Deno.test("oneLine() lets no control characters through to the terminal", () => {
  assert.equal(oneLine("a\nb\x1b[2Jc"), "a b [2Jc");
  assert.equal(oneLine({ run_id: 2n ** 60n }), '{"run_id":1152921504606846976}');
});

Deno.test("shortId() keeps both ends of a long id", () => {
  assert.equal(shortId("0a1b2c3d-4e5f"), "0a1b..4e5f");
  assert.equal(shortId("0123456789"), "0123456789");
});
