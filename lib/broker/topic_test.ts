import assert from "node:assert/strict";
import { topicMatches } from "./topic.ts";

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
