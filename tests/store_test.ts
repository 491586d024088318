/** lib/store: the same contract on both engines, a real Redis and SQLite; outages of Redis. */
import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { Redis as RedisClient } from "ioredis";
import {
  openStore,
  resolveStore,
  type Store,
  StoreError,
  type StoreOptions,
} from "../lib/store/mod.ts";
import { Redis, SmallDisk, until } from "./harness/mod.ts";

const DAY_MS = 24 * 3600 * 1000;

let redis: Redis;
let folder: string;
Deno.test.beforeAll(async () => {
  redis = await Redis.start({ tls: true });
  folder = await Deno.makeTempDir({ prefix: "std-daq-store-" });
});
Deno.test.afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
});

let names = 0;
/** A namespace that no other test uses. */
const newName = (): string => `test${++names}`;

/** Engines by name: each opens the same streams again for the same namespace. */
const ENGINES: Record<string, (namespace: string, options?: StoreOptions) => Promise<Store>> = {
  Redis: (namespace, options = {}) => openStore(redis.url, { namespace, ...options }),
  "Redis over TLS": (namespace, options = {}) => {
    const variables: Record<string, string> = {
      STD_DAQ_STORE: redis.tlsUrl,
      REDIS_CA_FILE: redis.certificates!.ca,
    };
    const { address, ...secrets } = resolveStore({ env: (name) => variables[name] })!;
    return openStore(address, { namespace, ...secrets, ...options });
  },
  SQLite: (namespace, options = {}) =>
    openStore(`sqlite:${folder}/store.sqlite`, { namespace, ...options }),
};

for (const [name, open] of Object.entries(ENGINES)) {
  Deno.test(`${name}: configs are a history, the last one is the current one`, async () => {
    const namespace = newName();
    await using store = await open(namespace);
    strictEqual(await store.config(), undefined);
    deepStrictEqual(await store.configs(10), []);
    const first = await store.addConfig({ bit_depth: 16, names: ["ä", null] });
    const second = await store.addConfig({ bit_depth: 32 });
    match(first, /^\d+-\d+$/);
    strictEqual((await store.config())?.id, second);
    const back = await store.config(first);
    deepStrictEqual(back?.value, { bit_depth: 16, names: ["ä", null] });
    ok(Math.abs(back.time - Date.now()) < DAY_MS);
    deepStrictEqual((await store.configs(10)).map(({ id }) => id), [second, first]);
    deepStrictEqual((await store.configs(1)).map(({ id }) => id), [second]);
    deepStrictEqual(await store.configs(0), []);
  });

  Deno.test(`${name}: what is stored is there for others, and after a restart`, async () => {
    const namespace = newName();
    let id: string;
    {
      await using store = await open(namespace);
      id = await store.addLog({ run_id: 1_784_000_000_123_456_789n, output_file: "/a.h5" });
      await using other = await open(namespace);
      deepStrictEqual((await other.logs(1))[0]?.id, id);
    }
    await using again = await open(namespace);
    deepStrictEqual((await again.log(id))?.value, {
      run_id: 1_784_000_000_123_456_789n, // to the last digit
      output_file: "/a.h5",
    });
    await using stranger = await open(newName());
    strictEqual(await stranger.log(id), undefined);
  });

  Deno.test(`${name}: deployments belong to a config, reports and a preview to a log`, async () => {
    await using store = await open(newName());
    const config = await store.addConfig({});
    await store.addDeployment(config, { server_name: "daq-1", message: "Deploying" });
    await store.addDeployment(config, { server_name: "daq-1", message: "Done" });
    deepStrictEqual((await store.deployments(config)).map(({ value }) => value), [
      { server_name: "daq-1", message: "Done" },
      { server_name: "daq-1", message: "Deploying" },
    ]);
    const [one, two] = [await store.addLog({ n: 1 }), await store.addLog({ n: 2 })];
    strictEqual(await store.addReport(one, { readable: true }), true);
    deepStrictEqual((await store.reports(one)).map(({ value }) => value), [{ readable: true }]);
    deepStrictEqual(await store.reports(two), []);
    const gif = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff);
    strictEqual(await store.preview(one), undefined);
    await store.setPreview(one, new Uint8Array(3));
    strictEqual(await store.setPreview(one, gif), true);
    deepStrictEqual(await store.preview(one), gif);
    await store.setPreview(one, new TextEncoder().encode("GIF89a"));
    deepStrictEqual(await store.preview(one), new TextEncoder().encode("GIF89a"));
  });

  Deno.test(`${name}: deployments of a config that nobody has deployed for a year are gone`, async () => {
    const namespace = newName();
    await using store = await open(namespace);
    const config = await store.addConfig({});
    const deployment = { server_name: "daq-1", message: "Done" };
    await store.addDeployment(config, deployment);
    const inDays = (days: number): Promise<Store> =>
      open(namespace, { now: () => Date.now() + days * DAY_MS });
    await using soon = await inDays(364);
    strictEqual((await soon.deployments(config)).length, 1);
    await using later = await inDays(366);
    deepStrictEqual(await later.deployments(config), []);
    strictEqual((await later.config(config))?.id, config); // which itself is kept
  });

  Deno.test(`${name}: a server's details are kept beside what the original reads`, async () => {
    await using store = await open(newName());
    const config = await store.addConfig({});
    const deployment = { server_name: "daq-1", message: "Error", detail: "bit_depth is 7" };
    await store.addDeployment(config, deployment);
    deepStrictEqual((await store.deployments(config)).map(({ value }) => value), [deployment]);
  });

  Deno.test(`${name}: who watches gets the current config, and each new one of any process`, async () => {
    const namespace = newName();
    await using store = await open(namespace);
    await using other = await open(namespace);
    const ended = new AbortController();
    const seen: string[] = [];
    const add = [
      () => store.addConfig({ n: 2 }),
      () => other.addConfig({ n: 3 }),
      () => store.addConfig({ n: 4 }),
      () => Promise.resolve(ended.abort()),
    ];
    const first = other.addConfig({ n: 1 }); // before or after the watch begins: it is seen
    for await (const { id, text } of store.watchConfig(ended.signal)) {
      match(id, /^\d+-\d+$/);
      seen.push(text);
      await add[seen.length - 1]!();
    }
    await first;
    deepStrictEqual(seen, ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']);
  });

  Deno.test(`${name}: many entries of one millisecond keep their order`, async () => {
    await using store = await open(newName());
    const numbers = Array.from({ length: 200 }, (_, i) => i);
    const ids = await Promise.all(numbers.map((i) => store.addLog(i)));
    strictEqual(new Set(ids).size, 200);
    deepStrictEqual((await store.logs(200)).map(({ value }) => value), numbers.reverse());
  });

  Deno.test(`${name}: streams are trimmed by length`, async () => {
    await using store = await open(newName(), {
      limits: { stats: { length: 3 }, log: { length: 2 } },
    });
    for (let i = 0; i < 5; i++) {
      await store.addStats({ i });
      await store.addStatus({ i });
    }
    deepStrictEqual((await store.stats(10)).map(({ value }) => value), [{ i: 4 }, { i: 3 }, {
      i: 2,
    }]);
    strictEqual((await store.statuses(10)).length, 5);
    const ids = [await store.addLog(1), await store.addLog(2), await store.addLog(3)];
    strictEqual(await store.log(ids[0]!), undefined);
    strictEqual((await store.log(ids[1]!))?.value, 2);
  });

  Deno.test(`${name}: streams are trimmed by age`, async () => {
    const namespace = newName();
    const limits = { stats: { length: 100, ageMs: DAY_MS } };
    await using store = await open(namespace, { limits });
    await store.addStats({ day: 1 });
    await using tomorrow = await open(namespace, { limits, now: () => Date.now() + 2 * DAY_MS });
    deepStrictEqual(await tomorrow.stats(10), []); // not shown, though nobody has trimmed it yet
    await tomorrow.addStats({ day: 3 });
    const forEver = { stats: { length: 100 } };
    await using all = await open(namespace, { limits: forEver });
    ok(!(await all.stats(10)).some(({ value }) => JSON.stringify(value) === '{"day":1}'));
  });

  Deno.test(`${name}: an id that is none is refused`, async () => {
    await using store = await open(newName());
    for (const id of ["", "1", "1-", "*", "1-0:x", "-"]) {
      await rejects(store.reports(id), /is no id of the store; expected one such as/);
      await rejects(store.log(id), StoreError);
    }
  });
}

Deno.test("Redis: keys and fields are the original's, both ways", async () => {
  const namespace = newName();
  await using store = await openStore(redis.url, { namespace });
  const client = new RedisClient(redis.url);
  try {
    const theirs = await client.xadd(`${namespace}:config`, "*", "json", '{"bit_depth": 8}');
    deepStrictEqual((await store.config())?.id, theirs);
    deepStrictEqual((await store.config())?.value, { bit_depth: 8 });
    await store.addDeployment(String(theirs), { server_name: "daq-1", message: "Done" });
    const [deployed] = await client.xrange(`${namespace}:config:${theirs}`, "-", "+");
    deepStrictEqual(deployed?.[1].slice(0, 4), ["server_name", "daq-1", "message", "Done"]);
    const log = await store.addLog({ n_images: 5 });
    const [logged] = await client.xrange(`${namespace}:log`, "-", "+");
    deepStrictEqual(logged?.[0], log);
    deepStrictEqual(logged?.[1].slice(0, 2), ["json", '{"n_images":5}']);
    await store.addReport(log, { readable: true });
    await store.setPreview(log, Uint8Array.of(0xff));
    await store.addStats({});
    await store.addStatus({});
    const keys = await client.keys(`${namespace}:*`);
    deepStrictEqual(
      keys.map((key) => key.slice(namespace.length + 1)).sort(),
      ["config", `config:${theirs}`, `gif:${log}`, "log", `log:${log}`, "stat", "status"],
    );
    ok(await client.pttl(`${namespace}:log:${log}`) > DAY_MS); // goes by itself
    ok(await client.pttl(`${namespace}:config:${theirs}`) > 364 * DAY_MS);
    strictEqual(await client.pttl(`${namespace}:log`), -1);
  } finally {
    client.disconnect();
  }
});

Deno.test("Redis: what is added while it is away gets there afterwards, and that is said", async () => {
  const notes: string[] = [];
  const [away, back] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const onNote = (note: string): void => {
    notes.push(note);
    (note.includes("is away") ? away : back).resolve();
  };
  await using store = await openStore(redis.url, { namespace: newName(), maxWaiting: 3, onNote });
  await store.addLog("before");
  await redis.halt();
  const logs = [store.addLog("one")];
  await away.promise;
  const stats = [1, 2, 3].map((n) => store.addStats(n));
  logs.push(store.addLog("two"), store.addLog("three"));
  deepStrictEqual(await Promise.all(stats), [false, false, false]);
  await rejects(store.logs(1), /redis:\/\/127\.0\.0\.1:\d+ could not be read: .*Check that Redis/);
  await redis.resume();
  strictEqual((await Promise.all(logs)).length, 3);
  await back.promise;
  deepStrictEqual((await store.logs(9)).map(({ value }) => value), ["three", "two", "one"]);
  match(notes[0]!, /^redis:\/\/127\.0\.0\.1:\d+: the store is away, entries wait: /);
  match(notes[1]!, /the store is back: 3 entries were written late, 3 dropped$/);
});

Deno.test("Redis: what it refuses for a while waits, too", async () => {
  const notes: string[] = [];
  const away = Promise.withResolvers<void>();
  const onNote = (note: string): void => {
    notes.push(note);
    away.resolve();
  };
  await using store = await openStore(redis.url, { namespace: newName(), onNote });
  const client = new RedisClient(redis.url);
  try {
    await client.config("SET", "min-replicas-to-write", "1");
    const logged = store.addLog({ output_file: "/a.h5" });
    await away.promise;
    match(notes[0]!, /the store is away, entries wait: NOREPLICAS/);
    await client.config("SET", "min-replicas-to-write", "0");
    const id = await logged;
    deepStrictEqual((await store.log(id))?.value, { output_file: "/a.h5" });
  } finally {
    await client.config("SET", "min-replicas-to-write", "0");
    client.disconnect();
  }
});

Deno.test("Redis: an entry that is not JSON keeps nobody from the others", async () => {
  const namespace = newName();
  await using store = await openStore(redis.url, { namespace });
  const good = await store.addConfig({ bit_depth: 16 });
  const client = new RedisClient(redis.url);
  try {
    const wrong = await client.xadd(`${namespace}:config`, "*", "foo", "bar");
    deepStrictEqual((await store.configs(9)).map(({ id, value }) => [id, value]), [
      [wrong, undefined],
      [good, { bit_depth: 16 }],
    ]);
    strictEqual((await store.config())?.id, wrong);
  } finally {
    client.disconnect();
  }
});

Deno.test("Redis: a database that is not there is refused, nothing gets into another", async () => {
  const namespace = newName();
  const store = await openStore(`${redis.url}/99`, { namespace });
  const lost = rejects(store.addConfig({}), StoreError);
  await rejects(store.configs(1), /\/99 could not be read: .*DB index/);
  await store[Symbol.asyncDispose]();
  await lost;
  await using first = await openStore(redis.url, { namespace });
  strictEqual(await first.config(), undefined);
});

Deno.test("Redis: who watches waits out an outage, and then gets the config that came with it", async () => {
  await using store = await openStore(redis.url, { namespace: newName() });
  const ended = new AbortController();
  await store.addConfig("before");
  const seen: string[] = [];
  for await (const { text } of store.watchConfig(ended.signal)) {
    seen.push(text);
    if (seen.length === 2) ended.abort();
    await redis.halt();
    const later = store.addConfig("after"); // Redis has forgotten everything: its only entry
    await redis.resume();
    await later;
  }
  deepStrictEqual(seen, ['"before"', '"after"']);
});

Deno.test("Redis: a stream that cannot be watched is said to be so, once, and when it can be again", async () => {
  const notes: string[] = [];
  const onNote = (note: string): void => void notes.push(note);
  await using store = await openStore(redis.url, { namespace: newName(), onNote });
  await redis.halt();
  const ended = new AbortController();
  const watched = store.watchConfig(ended.signal).next();
  await until("word that it waits", () => notes.length > 0);
  match(notes[0]!, /^redis:.*test\d+:config cannot be watched, waiting: \S+/);
  ok(store.problem !== null);
  await redis.resume();
  await until("word that it watches", () => notes.some((note) => note.endsWith("is watched")));
  strictEqual(store.problem, null);
  await store.addConfig("now");
  strictEqual((await watched).value?.text, '"now"');
  ended.abort();
  strictEqual(notes.filter((note) => note.includes("cannot be watched")).length, 1);
});

Deno.test("Redis: the address tells the namespace", async () => {
  const namespace = newName();
  await using named = await openStore(`${redis.url}?namespace=${namespace}`);
  const id = await named.addConfig(1);
  await using same = await openStore(redis.url, { namespace });
  await using other = await openStore(redis.url, { namespace: newName() });
  strictEqual((await same.config())?.id, id);
  strictEqual(await other.config(), undefined);
});

Deno.test("Redis: an entry whose receipt was late is not written twice", async () => {
  await using store = await openStore(redis.url, { namespace: newName() });
  await store.addLog("before");
  const client = new RedisClient(redis.url);
  try {
    await client.call("CLIENT", "PAUSE", "5500", "ALL"); // longer than a command may take
    await store.addLog("once");
    deepStrictEqual((await store.logs(9)).map(({ value }) => value), ["once", "before"]);
  } finally {
    client.disconnect();
  }
});

Deno.test("Redis: a store that is closed during an outage says what could not be stored", async () => {
  const notes: string[] = [];
  const nowhere = "redis://127.0.0.1:1"; // no user's program listens there
  const store = await openStore(nowhere, { onNote: (note) => void notes.push(note) });
  const lost = rejects(
    store.addLog({ output_file: "/a.h5" }),
    /closed before the entry was written/,
  );
  await store[Symbol.asyncDispose]();
  await lost;
  strictEqual(notes.at(-1), 'redis://127.0.0.1:1: not stored in daq:log: {"output_file":"/a.h5"}');
});

Deno.test("Redis over TLS: nothing is read from a server whose authority is not trusted", async () => {
  await using store = await openStore(redis.tlsUrl, { namespace: newName() });
  await rejects(store.configs(1), /rediss:\/\/localhost:\d+ could not be read: .*[Cc]ertificate/);
});

Deno.test({
  name: "SQLite: a full disk is told as such, and what is there can be read",
  ignore: !SmallDisk.isPossible,
  async fn(): Promise<void> {
    using disk = SmallDisk.mount(300 * 1024);
    ok(disk !== undefined);
    await using store = await openStore(`sqlite:${disk.path}/store`);
    const id = await store.addLog("small");
    await rejects(store.addLog("x".repeat(400 * 1024)), /^StoreError: SQLite: .*disk is full$/);
    strictEqual((await store.log(id))?.value, "small");
  },
});

Deno.test("openStore() refuses what is no store, with what to do and without the password", async () => {
  for (const address of ["", "http://x", "redis:", "redis://:secret@:99999", "sqlite:"]) {
    await rejects(
      openStore(address),
      (error) =>
        error instanceof StoreError && /is none; give redis:/.test(error.message) &&
        !error.message.includes("secret"),
    );
  }
  await rejects(openStore("redis://127.0.0.1/foo"), /ends in \/foo; expected the number/);
  await rejects(openStore("sqlite:/nowhere/store"), /\/nowhere\/store cannot be opened: .*folder/);
  Deno.writeTextFileSync(`${folder}/text`, "no database ".repeat(100));
  await rejects(openStore(`sqlite:${folder}/text`), /cannot be opened: .*not a database/);
});
