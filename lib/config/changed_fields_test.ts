import { deepStrictEqual } from "node:assert/strict";
import { changedFields } from "./changed_fields.ts";

Deno.test("changedFields() names what was changed, added and taken away", () => {
  const before = { a: 1, b: { x: [1, 2], y: 1 }, c: 3, d: 4 };
  const after = { a: 2, b: { y: 1, x: [1, 2] }, c: 3, e: 5 };
  deepStrictEqual(changedFields(before, after), ["a", "d", "e"]);
  deepStrictEqual(changedFields(before, before), []);
});

Deno.test("changedFields() takes what is no config for one without fields", () => {
  for (const none of [undefined, null, 1, "text", [1]]) {
    deepStrictEqual(changedFields(none, { a: 1 }), ["a"]);
    deepStrictEqual(changedFields({ a: 1 }, none), ["a"]);
  }
});
