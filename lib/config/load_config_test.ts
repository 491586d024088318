import assert from "node:assert/strict";
import fc from "fast-check";
import { scanJson } from "./_scan_json.ts";
import { jungfrau } from "./_test_configs.ts";
import { ConfigError } from "./config_error.ts";
import { loadConfig } from "./load_config.ts";

async function withFile(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "std-daq-config-", suffix: ".json" });
  try {
    await Deno.writeTextFile(path, text);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

async function refuses(text: string, message: RegExp): Promise<void> {
  await withFile(text, async (path) => {
    await assert.rejects(loadConfig(path), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.source, path);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("loadConfig() reads a file, with or without a byte order mark", async () => {
  for (const mark of ["", "\uFEFF"]) {
    await withFile(mark + JSON.stringify(jungfrau(), null, 2), async (path) => {
      const { config, warnings } = await loadConfig(path);
      assert.equal(config.detector_name, "jf1");
      assert.deepEqual(warnings, []);
    });
  }
});

Deno.test("loadConfig() says that a file is missing", async () => {
  const path = `/tmp/std-daq-no-such-${Deno.pid}-${crypto.randomUUID()}.json`;
  await assert.rejects(loadConfig(path), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /std-daq-no-such.*\n {2}the file is missing; expected a readable/);
    assert.ok(error.cause instanceof Deno.errors.NotFound);
    return true;
  });
});

Deno.test("loadConfig() says why a path cannot be read", async () => {
  await assert.rejects(
    loadConfig("/tmp"),
    /the file cannot be read: .*directory.*; expected a readable/,
  );
});

Deno.test({
  name: "loadConfig() says what to do about a file that the program may not read",
  permissions: { read: false },
  fn: async () => {
    await assert.rejects(() => loadConfig("/tmp/config.json"), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /may read.*\/etc\/std-daq: move it there.*daq run/s);
      assert.doesNotMatch(error.message, /--allow-read/);
      return true;
    });
  },
});

Deno.test("loadConfig() gives line and column of a syntax error", async () => {
  await refuses('{\n  "a": 1,\n  "b" 2\n}', /line 3, column 7 is "2"; expected ":" after the key/);
  await refuses('{"a": 1', /line 1, column 8 is the end of the text; expected "," or "}"/);
  await refuses("[1, 2,]", /line 1, column 7 is "]"; expected a JSON value/);
  await refuses('{"a": 01}', /line 1, column 8 is "1}"; expected "," or "}"/);
  await refuses("{} x", /line 1, column 4 is "x"; expected the end of the text/);
  await refuses("", /line 1, column 1 is the end of the text; expected a JSON value/);
  await refuses("abc", /line 1, column 1 is "abc"/);
});

Deno.test("loadConfig() refuses a key that occurs twice, which JSON.parse would overlook", async () => {
  const text = JSON.stringify(jungfrau()).replace('"1":[0,512', '"0":[0,0,1,1],"1":[0,512');
  await refuses(text, /line 1, column \d+ is .*; expected each key once in an object/);
});

Deno.test("loadConfig() refuses absurd nesting without exhausting the stack", async () => {
  await refuses("[".repeat(200_000), /at most 64 levels of nesting/);
});

Deno.test("loadConfig() passes the file's name to the error about its fields", async () => {
  await refuses(JSON.stringify(jungfrau({ bit_depth: 1 })), /bit_depth is 1; expected one of/);
});

Deno.test("scanJson() accepts what JSON.parse accepts", () => {
  const indent = fc.constantFrom(undefined, 2, "\t", "\r\n".trim());
  fc.assert(fc.property(fc.json({ maxDepth: 5 }), indent, (json, space) => {
    const text = JSON.stringify(JSON.parse(json), null, space);
    assert.deepEqual(scanJson(text), []);
  }));
});

Deno.test("scanJson() refuses what JSON.parse refuses", () => {
  const edit = fc.tuple(fc.json(), fc.nat(), fc.constantFrom("", ",", '"', "}", "1", "\\", "\n"));
  fc.assert(
    fc.property(edit, ([json, seed, piece]) => {
      const at = seed % (json.length + 1);
      const text = json.slice(0, at) + piece + json.slice(at + 1);
      const syntax = scanJson(text).filter(({ expected }) => !expected.startsWith("each key"));
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      assert.equal(syntax.length === 0, valid, text);
    }),
    { numRuns: 1000 },
  );
});
