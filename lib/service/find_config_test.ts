import assert from "node:assert/strict";
import { ConfigError } from "../config/mod.ts";
import { type ConfigPlaces, findConfig, NoConfigError } from "./find_config.ts";

const NOWHERE = "/tmp/std-daq-there-is-no-such-file.json";

function places(more: Partial<ConfigPlaces> = {}): ConfigPlaces {
  const about = { what: "config of noop", described: "its README" };
  return { serviceName: "psi.noop", usualFile: NOWHERE, allowsEmpty: false, about, ...more };
}

/** A Redis that holds this text, and what it was asked for. */
function registry(
  text: string | undefined,
): { where: string; config(): Promise<string | undefined> } {
  return { where: "redis://daq-1", config: () => Promise.resolve(text) };
}

async function withFile(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "std-daq-config-", suffix: ".json" });
  try {
    await Deno.writeTextFile(path, text);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("findConfig() takes the file given, and looks nowhere else when it is not there", async () => {
  const elsewhere = { usualFile: "deno.json", registry: registry("{}"), allowsEmpty: true };
  await withFile('{"a": 1}', async (file) => {
    assert.deepEqual(await findConfig(places({ file, ...elsewhere })), {
      json: { a: 1 },
      source: file,
    });
  });
  await assert.rejects(
    findConfig(places({ file: NOWHERE, ...elsewhere })),
    (error) =>
      error instanceof ConfigError &&
      /^config of noop \/tmp\/.*the file is missing/s.test(error.message),
  );
});

Deno.test("findConfig() takes config.json before Redis, Redis before nothing", async () => {
  const inRedis = registry('{"from": "Redis"}');
  await withFile('{"from": "file"}', async (usualFile) => {
    const found = await findConfig(places({ usualFile, registry: inRedis }));
    assert.deepEqual(found, { json: { from: "file" }, source: usualFile });
  });
  assert.deepEqual(await findConfig(places({ registry: inRedis, allowsEmpty: true })), {
    json: { from: "Redis" },
    source: "redis://daq-1 config.psi.noop",
  });
  const nothing = await findConfig(places({ registry: registry(undefined), allowsEmpty: true }));
  assert.deepEqual(nothing, { json: {}, source: "none found: all defaults" });
});

Deno.test("findConfig() lists where it looked", async () => {
  await assert.rejects(findConfig(places()), (error) => {
    assert.ok(error instanceof NoConfigError);
    assert.equal(
      error.message,
      "psi.noop has no config. It was looked for in:\n" +
        "  a file on the command line: none given\n" +
        `  ${NOWHERE} in the working directory: not there, or not permitted to be read\n` +
        "  Redis: none named by --redis, REDIS_URL or REDIS_HOST\n" +
        "Put it in one of these places.",
    );
    return true;
  });
  await assert.rejects(
    findConfig(places({ registry: registry(undefined) })),
    /Redis at redis:\/\/daq-1: no key config\.psi\.noop/,
  );
});

Deno.test("findConfig() says where a config that is not JSON came from", async () => {
  await assert.rejects(
    findConfig(places({ registry: registry('{"a": }') })),
    /^ConfigError: config of noop redis:\/\/daq-1 config\.psi\.noop is not valid.*line 1, column 7/s,
  );
});
