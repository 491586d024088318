import { deepStrictEqual } from "node:assert/strict";
import { SqliteFile } from "./_sqlite_file.ts";

Deno.test("SqliteFile.append() trims a long stream every hundredth part of its length", () => {
  using file = new SqliteFile(":memory:");
  const lengths = Array.from({ length: 305 }, (_, i) => {
    const options = { maxLength: 300, notBefore: undefined, idleMs: undefined, worth: undefined };
    file.append({ key: "stats", fields: { json: String(i) }, ...options }, i);
    return file.newest("stats", 1000).length;
  });
  deepStrictEqual(lengths.slice(298), [299, 300, 300, 301, 302, 300, 301]);
});
