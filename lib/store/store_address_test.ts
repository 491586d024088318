import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { RedisConnection } from "./_redis_connection.ts";
import {
  describeStore,
  parseStoreAddress,
  redisHost,
  resolveRedis,
  resolveStore,
} from "./store_address.ts";

const resolve = (env: Record<string, string>, address?: string): unknown =>
  resolveStore({ address, env: (name) => env[name], readFile: (path) => `${path} content\n` });

Deno.test("resolveStore() prefers the argument, then STD_DAQ_STORE, REDIS_URL and REDIS_HOST", () => {
  const env = { STD_DAQ_STORE: "sqlite:/a", REDIS_URL: "redis://b", REDIS_HOST: "c" };
  deepStrictEqual(resolve(env, "sqlite:/z"), { address: "sqlite:/z" });
  deepStrictEqual(resolve(env), { address: "sqlite:/a" });
  deepStrictEqual(resolve({ ...env, STD_DAQ_STORE: "redis://b" }), { address: "redis://b" });
  deepStrictEqual(resolve({ REDIS_HOST: "c" }), { address: "redis://c:6379" });
  deepStrictEqual(resolve({ REDIS_HOST: "c", REDIS_PORT: "7" }), { address: "redis://c:7" });
  for (const host of ["fd00::5", "[fd00::5]"]) {
    deepStrictEqual(resolve({ REDIS_HOST: host }), { address: "redis://[fd00::5]:6379" });
  }
  strictEqual(resolve({}), undefined);
});

Deno.test("resolveStore() takes the password from the address, REDIS_PASSWORD, or a file", () => {
  const env = { REDIS_PASSWORD: "p", REDIS_PASSWORD_FILE: "/secret" };
  deepStrictEqual(resolve(env, "redis://:own@h"), { address: "redis://:own@h" });
  deepStrictEqual(resolve(env, "redis://h"), { address: "redis://h", password: "p" });
  deepStrictEqual(resolve({ REDIS_PASSWORD_FILE: "/secret" }, "redis://h"), {
    address: "redis://h",
    password: "/secret content",
  });
});

Deno.test("resolveStore() reads the authority for TLS only, and names a file that is not there", () => {
  const env = { REDIS_CA_FILE: "/ca.pem" };
  deepStrictEqual(resolve(env, "redis://h"), { address: "redis://h" });
  deepStrictEqual(resolve(env, "rediss://h"), { address: "rediss://h", ca: "/ca.pem content\n" });
  throws(
    () => resolveStore({ address: "rediss://h", env: (name) => `/nowhere/${name}` }),
    /REDIS_PASSWORD_FILE: \/nowhere|REDIS_CA_FILE: \/nowhere\/REDIS_CA_FILE cannot be read/,
  );
});

Deno.test("a store's address is shown without user and password", () => {
  strictEqual(
    describeStore("redis://me:se/cret@host:1/2".replace("/c", "%2Fc")),
    "redis://host:1/2",
  );
  strictEqual(describeStore("sqlite:///var/x"), "sqlite:/var/x");
  for (const address of ["http://u:se:cr@et@host", "redis://:sec@ret@:99999"]) {
    throws(() => parseStoreAddress(address), (error) => !/sec?|cr|ret/.test(String(error)));
  }
});

Deno.test("REDIS_SKIP: what the environment says of Redis does not count, an argument does", () => {
  for (const skip of ["1", "true", "TRUE", "yes"]) {
    const env = { REDIS_SKIP: skip, REDIS_URL: "redis://a", REDIS_HOST: "b" };
    strictEqual(resolve(env), undefined);
    deepStrictEqual(resolve(env, "redis://c"), { address: "redis://c" });
    strictEqual(resolveRedis({ env: (name) => new Map(Object.entries(env)).get(name) }), undefined);
  }
  deepStrictEqual(resolve({ REDIS_SKIP: "false", REDIS_HOST: "b" }), { address: "redis://b:6379" });
});

Deno.test("resolveRedis() finds Redis, whatever the store is, with its password", () => {
  const env = new Map([["STD_DAQ_STORE", "sqlite:/a"], ["REDIS_HOST", "b"], [
    "REDIS_PASSWORD",
    "p",
  ]]);
  const sources = { env: (name: string) => env.get(name) };
  deepStrictEqual(resolveRedis(sources), { address: "redis://b:6379", password: "p" });
  env.delete("REDIS_HOST");
  strictEqual(resolveRedis(sources), undefined);
  throws(() => resolveRedis({ address: "sqlite:/a" }), /sqlite:\/a is not Redis; give redis:/);
});

Deno.test("redisHost() is what a permission names", () => {
  strictEqual(redisHost("redis://:secret@daq-1"), "daq-1:6379");
  strictEqual(redisHost("rediss://daq-1:7/3"), "daq-1:7");
  strictEqual(redisHost("redis://[fd00::5]"), "[fd00::5]:6379");
});

Deno.test("a % of its own in Redis's user or password is told, without the password", () => {
  for (const address of ["redis://:50%@h", "redis://5%0:x@h"]) {
    throws(
      () => new RedisConnection({ address }),
      /^StoreUsageError: store address: a % in its (password|user) stands for itself; write it as %25$/,
    );
  }
});

Deno.test("a namespace is part of Redis's address, and shown", () => {
  const address = "redis://me:secret@h:1/2?namespace=jf-1m";
  const parsed = parseStoreAddress(address);
  strictEqual(parsed.engine === "redis" && parsed.namespace, "jf-1m");
  strictEqual(describeStore(address), "redis://h:1/2?namespace=jf-1m");
  for (
    const wrong of ["namespace=", "namespace=a:b", "namspace=a", `namespace=${"x".repeat(65)}`]
  ) {
    throws(
      () => parseStoreAddress(`redis://h?${wrong}`),
      /^StoreUsageError: store address: nams?e?space=.* is none; expected namespace= and up to 64/,
    );
  }
});
