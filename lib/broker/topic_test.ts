import assert from "node:assert/strict";
import { topicMatches, usualPatterns } from "./topic.ts";

Deno.test("topicMatches() is what a topic exchange does", () => {
  const fitting = [
    ["#", ""],
    ["#", "a.b.c"],
    ["a.b", "a.b"],
    ["a.*", "a.b"],
    ["a.#", "a"],
    ["a.#", "a.b.c"],
    ["#.c", "a.b.c"],
    ["a.#.c", "a.c"],
    ["*.#.c", "a.b.b.c"],
    ["", ""],
  ] as const;
  const others = [["", "a"], ["a", "a.b"], ["a.*", "a"], ["a.*", "a.b.c"], ["*", ""], [
    "a.#.c",
    "a.b",
  ]] as const;
  for (const [pattern, key] of fitting) assert.equal(topicMatches(pattern, key), true, pattern);
  for (const [pattern, key] of others) assert.equal(topicMatches(pattern, key), false, pattern);
});

Deno.test("usualPatterns() are bindings that bring a routing key, and what people write is among them", () => {
  const key = "psi.tomcat.writer";
  const patterns = usualPatterns(key);
  for (const pattern of patterns) assert.ok(topicMatches(pattern, key), pattern);
  for (
    const written of ["#", "psi.#", "psi.tomcat.#", "psi.*.writer", "*.*.writer", key, `${key}.#`]
  ) {
    assert.ok(patterns.includes(written), written);
  }
  assert.equal(new Set(patterns).size, patterns.length);
  assert.deepEqual(usualPatterns(""), ["#"]);
  assert.ok(usualPatterns(Array(100).fill("a").join(".")).length < 5_000);
});
