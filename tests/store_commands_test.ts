/** `daq config`, `logs`, `stats` and `deployment` on a real Redis and on SQLite. */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { openStore } from "../lib/store/mod.ts";
import { type TestContext, testContext } from "../services/daq/_test_context.ts";
import { runDaq } from "../services/daq/program.ts";
import { DaqRun, jungfrauConfig, Redis, until } from "./harness/mod.ts";

let redis: Redis;
let folder: string;
Deno.test.beforeAll(async () => {
  redis = await Redis.start();
  folder = await Deno.makeTempDir({ prefix: "std-daq-config-" });
});
Deno.test.afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
});

const ENGINES: Record<string, () => string> = {
  Redis: () => redis.url,
  SQLite: () => `sqlite:${folder}/store.sqlite`,
};

/** Runs a command of daq with the store named by the environment. */
async function daq(address: string, ...args: string[]): Promise<TestContext> {
  const context = testContext({ env: { STD_DAQ_STORE: address } });
  context.exitCode = await runDaq(args, context);
  return context;
}

function write(name: string, content: unknown): string {
  const path = `${folder}/${name}.json`;
  Deno.writeTextFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

for (const [name, address] of Object.entries(ENGINES)) {
  Deno.test(`${name}: a config is set, merged, listed, and rolled back`, async () => {
    const none = await daq(address(), "config", "get");
    deepStrictEqual([none.exitCode, none.stdout], [2, ""]);
    match(none.stderr, /the store has no config: daq config set FILE/);
    const nothing = await daq(address(), "deployment");
    deepStrictEqual([nothing.exitCode, nothing.stdout, nothing.stderr], [2, "", none.stderr]);

    const config = jungfrauConfig(1);
    const first = await daq(address(), "config", "set", write("whole", config));
    strictEqual(first.exitCode, 0, first.stderr);
    const id = first.stdout.trim();
    match(id, /^\d+-\d+$/);
    const part = write("part", { stats_collection_period: 3 });
    const dry = await daq(address(), "config", "set", part, "--merge", "--dry-run");
    strictEqual(dry.stdout, "stats_collection_period\n");
    strictEqual((await daq(address(), "config", "set", part, "--merge")).exitCode, 0);

    const now = JSON.parse((await daq(address(), "config", "get")).stdout);
    deepStrictEqual(now, { ...config, stats_collection_period: 3 });
    const then = JSON.parse((await daq(address(), "config", "get", id, "--json")).stdout);
    deepStrictEqual([then.config_id, then.config], [id, config]);

    const back = await daq(address(), "config", "rollback", id);
    strictEqual(back.exitCode, 0, back.stderr);
    deepStrictEqual(JSON.parse((await daq(address(), "config", "get")).stdout), config);
    const history = (await daq(address(), "config", "history")).stdout.trimEnd().split("\n");
    strictEqual(history.length, 3);
    ok(history[0]?.startsWith(back.stdout.trim()) && history[2]?.startsWith(id));
    match(history[0]!, /^\S+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ +stats_collection_period$/);
    match(history[2]!, /the oldest shown$/);
  });

  Deno.test(`${name}: a wrong config is refused with every wrong field, and not stored`, async () => {
    const before = await daq(address(), "config", "history");
    const wrong = write("wrong", { ...jungfrauConfig(1), bit_depth: 7, n_modules: 0 });
    const { exitCode, stderr, stdout } = await daq(address(), "config", "set", wrong);
    deepStrictEqual([exitCode, stdout], [3, ""]);
    match(stderr, /bit_depth is 7; expected/);
    match(stderr, /n_modules is 0; expected/);
    for (
      const [file, complaint] of [["/none.json", /cannot be read/], [
        write("text", "{"),
        /not JSON/,
      ]] as const
    ) {
      const refused = await daq(address(), "config", "set", file, "--merge");
      strictEqual(refused.exitCode, 2);
      match(refused.stderr, complaint);
    }
    for (const command of [["config", "rollback"], ["config", "get"], ["deployment"]]) {
      for (
        const [id, complaint] of [
          ["1-1", /no config 1-1: daq config history lists/],
          ["latest", /'latest' is invalid .* expected an id such as 1685090990182-0; daq config/],
        ] as const
      ) {
        const missing = await daq(address(), ...command, id);
        deepStrictEqual([missing.exitCode, missing.stdout], [2, ""]);
        match(missing.stderr, complaint);
      }
    }
    strictEqual((await daq(address(), "deployment", "1-1", "--wait")).exitCode, 2);
    strictEqual((await daq(address(), "config", "history")).stdout, before.stdout);
  });

  Deno.test(`${name}: a deployment is shown, waited for, and told apart from a failed one`, async () => {
    await using store = await openStore(address());
    const id = await store.addConfig(jungfrauConfig(1));
    const quiet = await daq(address(), "deployment");
    deepStrictEqual([quiet.exitCode, quiet.stdout.split("\n")[0]], [
      0,
      `${id} UNKNOWN: No server has taken it up yet.`,
    ]);
    const late = await daq(address(), "deployment", "--wait", "--timeout", "1");
    strictEqual(late.exitCode, 1);
    const waiting = daq(address(), "deployment", "--wait", "--server", "a", "b");
    await store.addDeployment(id, { server_name: "a", message: "Deploying" });
    await store.addDeployment(id, { server_name: "a", message: "Done" });
    await store.addDeployment(id, { server_name: "b", message: "Done" });
    const { exitCode, stdout } = await waiting;
    strictEqual(exitCode, 0);
    match(stdout, /SUCCESS in [\d.]+ s \(.*Z\): Deployed on 2\.\n +a: Done\n +b: Done\n$/);
    const failed = { server_name: "b", message: "Error", detail: "bit_depth is 7\nand more" };
    await store.addDeployment(id, failed);
    const error = await daq(address(), "deployment", id);
    strictEqual(error.exitCode, 1);
    match(error.stdout, /ERROR .*\n +a: Done\n +b: Error\n + +bit_depth is 7\n + +and more\n$/);
    const json = JSON.parse((await daq(address(), "deployment", "--json")).stdout);
    deepStrictEqual([json.config_id, json.status, json.servers.b], [id, "ERROR", "Error"]);
  });

  Deno.test(`${name}: logs and stats are listed, the original's, too`, async () => {
    await using store = await openStore(address());
    const acquisition = {
      state: "FINISHED",
      message: "Completed.",
      info: { n_images: 3, output_file: "/data/x.h5", run_id: 1_784_000_000_123_456_789n },
      stats: { n_write_requested: 3, n_write_completed: 3, start_time: 1, stop_time: 2 },
    };
    await store.addLog("something else\x1b[31m");
    const id = await store.addLog(acquisition);
    await store.addReport(id, { readable: true });
    const logs = await daq(address(), "logs", "--reports");
    const [first, report, second] = logs.stdout.split("\n");
    match(first!, /^\S+ +\S+ \S+Z +FINISHED 3\/3 images: Completed\. +\/data\/x\.h5$/);
    strictEqual(report, '  {"readable":true}');
    match(second!, / +something else \[31m$/);
    const exact = await daq(address(), "logs", "-n", "1", "--json");
    match(
      exact.stdout,
      /^\{"log_id":"\d+-\d+","time":\d+,"acquisition":.*1784000000123456789.*\}\n$/,
    );
    const detector = { images_per_second: 100, bytes_per_second: 2.1e8 };
    await store.addStats({ detector, writer: { writes_per_second: 50, bytes_per_second: 1e8 } });
    match(
      (await daq(address(), "stats")).stdout,
      /Z +detector 100 images\/s, 210 MB\/s \| written 50 images\/s, 100 MB\/s\n$/,
    );
    const line = JSON.parse((await daq(address(), "stats", "--json")).stdout);
    deepStrictEqual(line.stats.detector, detector);
  });
}

Deno.test("where nothing names a store, a machine with the folder for it has one of its own", async () => {
  const stateFolder = `${folder}/state`;
  await Deno.mkdir(stateFolder);
  const set = testContext({ stateFolder });
  strictEqual(await runDaq(["config", "set", write("own", jungfrauConfig(1))], set), 0);
  const history = testContext({ stateFolder });
  strictEqual(await runDaq(["config", "history"], history), 0);
  ok(history.stdout.startsWith(set.stdout.trim()));
  ok((await Deno.stat(`${stateFolder}/store.sqlite`)).isFile);
});

Deno.test("a command of the store says what to do without one, and names none's password", async () => {
  const context = testContext();
  strictEqual(await runDaq(["stats"], context), 2);
  match(context.stderr, /where is the store\? Give --store redis:/);
  const nowhere = await daq("redis://:secret@127.0.0.1:1", "config", "set", write("c", {}));
  strictEqual(nowhere.exitCode, 4);
  match(nowhere.stderr, /redis:\/\/127\.0\.0\.1:1 could not be read: .*Check that Redis runs/);
  ok(!nowhere.stderr.includes("secret"));
});

Deno.test("daq run --store: acquisitions and rates get there, the password into no command line", async () => {
  const { daq: run, ready } = await DaqRun.start(jungfrauConfig(1), {
    args: ["--store", `${redis.url}/3`],
  });
  await using running = run;
  strictEqual(Object(ready).store, redis.url.replace(/:[^/]*@/, "") + "/3");
  const agent = running.services()["writer_agent"];
  ok(!Deno.readTextFileSync(`/proc/${agent}/cmdline`).includes("redis"));
  const path = running.path("kept.h5");
  strictEqual((await running.command("write", path, "-n", "2")).code, 0);
  const sent = await running.command("simulate", running.configPath, "--images", "2");
  strictEqual(sent.code, 0, sent.err);
  await until("the acquisition in the log", async () => {
    const { stdout } = await daq(`${redis.url}/3`, "logs");
    return stdout.includes(`FINISHED 2/2 images: Completed.  ${path}`);
  });
  await until("rates", async () => {
    const { stdout } = await daq(`${redis.url}/3`, "stats");
    return /detector \d.* images\/s/.test(stdout);
  });
});
