/** What a service has in a real Redis: its config, and its status, with the permissions of a service. */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { Redis as RedisClient } from "ioredis";
import { ServiceRegistry } from "../lib/store/mod.ts";
import { Redis, ROOT, TestProcess, until } from "./harness/mod.ts";

const SERVICE = `${ROOT}/lib/service/testdata/configured_service.ts`;

let redis: Redis;
Deno.test.beforeAll(async () => {
  redis = await Redis.start();
});
Deno.test.afterAll(async () => {
  await redis[Symbol.asyncDispose]();
});

/** The service as it is deployed: the address in the environment, without the password. */
function start(name: string, ...args: string[]): TestProcess {
  const { host, password } = new URL(redis.url);
  return new TestProcess(name, Deno.execPath(), [
    ...["run", "--quiet", "--no-prompt", `--allow-read=${ROOT}`],
    ...["--allow-env=REDIS_*,SERVICE_NAME", `--allow-net=${host}`, "--allow-sys=hostname"],
    ...[SERVICE, ...args],
  ], {
    env: { SERVICE_NAME: name, REDIS_URL: `redis://${host}`, REDIS_PASSWORD: password },
    cwd: ROOT,
  });
}

async function withClient(use: (client: RedisClient) => Promise<unknown>): Promise<void> {
  const client = new RedisClient(redis.url);
  try {
    await use(client);
  } finally {
    client.disconnect();
  }
}

Deno.test("a service takes its config from Redis, and has its status there while it runs", async () => {
  await withClient(async (client) => {
    const name = "test.setup.one";
    await client.set(`config.${name}`, '{"greeting": "from Redis"}');
    await using service = start(name, "--need", "a", "b");
    const { greeting, configSource, pid } = await service.ready();
    strictEqual(greeting, "from Redis");
    match(String(configSource), /^redis:\/\/127\.0\.0\.1:\d+ config\.test\.setup\.one$/);
    const status = await until("ready status", async () => {
      const found = await client.hgetall(`status.${name}`);
      return found.state === "ok" && found;
    });
    strictEqual(status.service_name, name);
    strictEqual(status.config, '{"greeting":"from Redis"}');
    strictEqual(status.pid, String(pid));
    strictEqual(status.host, Deno.hostname());
    strictEqual(status.stats, '{"words":2}');
    ok(Math.abs(Number(status.start_timestamp) - Date.now() / 1000) < 120);
    const ttl = await client.pttl(`status.${name}`);
    ok(ttl > 0 && ttl <= 15_000, `${ttl} ms left`);
    strictEqual((await service.stop()).code, 0);
    strictEqual(await client.exists(`status.${name}`), 0);
    ok(!service.err.join().includes(new URL(redis.url).password), "the password is in no log");
    deepStrictEqual(service.log.filter(({ level }) => level === "warning"), []);
  });
});

Deno.test("a service that is killed leaves a status that ends by itself", async () => {
  await withClient(async (client) => {
    const name = "test.setup.killed";
    await using service = start(name);
    await service.ready();
    await until("status", async () => await client.exists(`status.${name}`) === 1);
    service.kill("SIGKILL");
    await service.end();
    ok(await client.pttl(`status.${name}`) <= 15_000);
  });
});

Deno.test("Redis is killed and started again: the service goes on, and its status comes back", async () => {
  const name = "test.setup.restart";
  await using service = start(name);
  await service.ready();
  await withClient((client) =>
    until("status", async () => (await client.hget(`status.${name}`, "state")) === "ok")
  );
  await redis.halt();
  await redis.resume(); // empty: what it held is gone
  await withClient((client) =>
    until("status again", async () => (await client.hget(`status.${name}`, "state")) === "ok")
  );
  strictEqual((await service.stop()).code, 0);
});

Deno.test("a Redis that is named and away: without a config that is an error, with one it is not", async () => {
  const name = "test.setup.away";
  const password = new URL(redis.url).password;
  await redis.halt();
  try {
    await using blind = start(name);
    strictEqual((await blind.end()).code, 4);
    const said = blind.log.at(-1)?.message ?? "";
    match(
      said,
      /could not be asked for config\.test\.setup\.away: .*ECONNREFUSED.*Check that Redis/,
    );
    ok(!said.includes(password));
    const file = await Deno.makeTempFile({ prefix: "std-daq-config-", dir: `${ROOT}/tests` });
    try {
      await Deno.writeTextFile(file, "{}");
      await using service = start(name, "--config", file);
      strictEqual((await service.ready()).greeting, "hello");
      strictEqual((await service.stop()).code, 0);
    } finally {
      await Deno.remove(file);
    }
  } finally {
    await redis.resume();
  }
});

Deno.test("a status of another instance of the same name is left alone", async () => {
  const address = { address: redis.url };
  using old = await ServiceRegistry.open(address);
  using young = await ServiceRegistry.open(address);
  await Promise.all([old, young].map((one) => new Promise<void>((ready) => one.onReady(ready))));
  await old.putStatus("test.twins", { pid: "1" }, 15_000);
  await young.putStatus("test.twins", { pid: "2" }, 15_000);
  await old.removeStatus("test.twins");
  await withClient(async (client) => {
    strictEqual(await client.hget("status.test.twins", "pid"), "2");
    await young.removeStatus("test.twins");
    deepStrictEqual(await client.hgetall("status.test.twins"), {});
  });
});
