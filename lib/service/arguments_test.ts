import assert from "node:assert/strict";
import { parseModules, resolveGroup } from "./arguments.ts";
import { UsageError } from "./usage_error.ts";

Deno.test("parseModules() gives all modules where none is named", () => {
  assert.deepEqual(parseModules(undefined, 3), [0, 1, 2]);
});

Deno.test("parseModules() takes numbers and ranges in any order", () => {
  assert.deepEqual(parseModules("0-2,7", 8), [0, 1, 2, 7]);
  assert.deepEqual(parseModules("3, 1-1", 4), [3, 1]);
});

Deno.test("parseModules() says which part is wrong and what is allowed", () => {
  for (const list of ["8", "0-8", "2-1", "a", "", "1,,2", "-1", "1-"]) {
    assert.throws(() => parseModules(list, 8), (error) => {
      assert.ok(error instanceof UsageError, list);
      assert.match(error.message, /from 0 to 7/);
      return true;
    });
  }
  assert.throws(() => parseModules("1,0-3", 8), /names a module twice/);
});

Deno.test("resolveGroup() knows groups by number and by name, and says when there is none", async () => {
  assert.equal(await resolveGroup(undefined), undefined);
  assert.equal(await resolveGroup(7), 7);
  assert.equal(await resolveGroup("12"), 12);
  assert.equal(await resolveGroup("root"), 0);
  await assert.rejects(resolveGroup("no-such-group"), UsageError);
  await assert.rejects(resolveGroup(".oot"), UsageError);
});
