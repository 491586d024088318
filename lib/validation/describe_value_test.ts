import assert from "node:assert/strict";
import { describeValue, formatPath } from "./describe_value.ts";

Deno.test("describeValue() writes any value on one short line", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  assert.equal(describeValue([0, 1]), "[0,1]");
  assert.equal(describeValue(NaN), "NaN");
  assert.equal(describeValue(5n), "5");
  assert.equal(describeValue({ run: 5n }), '{"run":5}');
  assert.equal(describeValue("a\nb\u009b"), '"a\\nb "');
  assert.equal(describeValue(cycle), "a value of type object");
  assert.equal([...describeValue("😀".repeat(100))].length, 80);
});

Deno.test("formatPath() writes places as they are written in code", () => {
  assert.equal(formatPath([]), "");
  assert.equal(formatPath(["a", 0, "b_c", 12]), "a[0].b_c[12]");
  assert.equal(formatPath(["a", "tcp://*:1", "b"]), 'a["tcp://*:1"].b');
  assert.equal(formatPath(["", "x\u0007"]), '[""]["x\\u0007"]');
  assert.ok(formatPath(["x".repeat(10_000)]).length < 100);
});
