import assert from "node:assert/strict";
import { jungfrau } from "../../lib/config/_test_configs.ts";
import { type ConfigText, StoreError } from "../../lib/store/mod.ts";
import { testDeployer } from "./_testing.ts";
import { configFile } from "./config_file.ts";
import { CommandRestarter, type Restarted, type Restarter, RestartError } from "./restarter.ts";

const CONFIG = jungfrau();
const { signal } = new AbortController();
const NEVER = new AbortController().signal;
const entry = (config: unknown): ConfigText => ({
  id: "1-0",
  time: 1,
  text: typeof config === "string" ? config : JSON.stringify(config),
});

Deno.test("Deployer waits, writes, restarts for what has changed, and says so, in this order", async () => {
  const test = testDeployer(CONFIG);
  const next = { ...CONFIG, frame_timeout_ms: 7, log_level: "info" }; // info is the default
  await test.deployer.deploy(entry(next), signal, NEVER);
  assert.deepEqual(test.order, [
    "close jf1",
    "check",
    "write",
    "restart",
    "open jf1",
  ]);
  assert.deepEqual(test.file, next);
  assert.deepEqual(test.restarts, [["frame_timeout_ms"]]);
  assert.equal(test.said[0], "Deploying");
  assert.match(
    test.said[1]!,
    /^Done: std_udp_recv; ready after \d+\.\d\d s, away for 0\.25 s of it$/,
  );
});

for (
  const [what, config, issues] of [
    ["wrong fields", { ...CONFIG, bit_depth: 7, n_modules: 0 }, [
      /bit_depth is 7/,
      /n_modules is 0/,
    ]],
    ["no JSON", '{"bit_depth": 16,}', [/line 1, column \d+/]],
    ["a repeated key", '{"bit_depth": 16, "bit_depth": 8}', [/line 1, column \d+/]],
    ["something else", "[]", [/the config is \[\]/]],
  ] as const
) {
  Deno.test(`Deployer reports ${what} with all that is wrong, and touches nothing`, async () => {
    const test = testDeployer(CONFIG);
    await test.deployer.deploy(entry(config), signal, NEVER);
    assert.deepEqual([test.file, test.order], [CONFIG, []]);
    assert.equal(test.said.length, 2);
    for (const issue of issues) assert.match(test.said[1]!, issue);
    assert.match(test.said[1]!, /^Error: detector config 1-0 is not valid/);
    assert.match(test.deployer.state, /: Error$/);
  });
}

Deno.test("Deployer refuses the config of another detector, which shares the store by mistake", async () => {
  const test = testDeployer(CONFIG);
  await test.deployer.deploy(entry({ ...CONFIG, detector_name: "jf2" }), signal, NEVER);
  assert.deepEqual([test.file, test.order], [CONFIG, []]);
  assert.match(test.said[1]!, /^Error: it is the config of jf2, and this server is jf1's\./);
});

Deno.test("Deployer reports why services did not start again, shortly", async () => {
  const test = testDeployer(
    CONFIG,
    () => Promise.reject(new RestartError(`port in use${".".repeat(100_000)}`)),
  );
  await test.deployer.deploy(entry({ ...CONFIG, bit_depth: 16, start_udp_port: 5 }), signal, NEVER);
  assert.match(test.said[1]!, /^Error: port in use/);
  assert.ok(test.said[1]!.length < 20_000);
});

const refuses = (port: number): Restarter["restart"] => () =>
  Promise.reject(new RestartError(`port ${port} in use`));

Deno.test("Deployer goes back to the former config when services do not start with the next one", async () => {
  const answers = [refuses(5), () => Promise.resolve({ services: ["std_udp_recv"] })];
  const test = testDeployer(CONFIG, (...args) => answers.shift()!(...args));
  await test.deployer.deploy(entry({ ...CONFIG, start_udp_port: 5 }), signal, NEVER);
  assert.deepEqual(test.file, CONFIG);
  assert.deepEqual(test.order, [
    "close jf1",
    "check",
    "write",
    "restart",
    "write",
    "restart",
    "open jf1",
  ]);
  assert.deepEqual(test.restarts, [["start_udp_port"], ["start_udp_port"]]);
  assert.deepEqual(test.said, [
    "Deploying",
    "Error: port 5 in use; the former config is back and its services run",
  ]);
});

Deno.test("Deployer says so when services do not start with the former config either", async () => {
  const answers = [refuses(5), refuses(6)];
  const test = testDeployer(CONFIG, (...args) => answers.shift()!(...args));
  await test.deployer.deploy(entry({ ...CONFIG, start_udp_port: 5 }), signal, NEVER);
  assert.deepEqual(test.file, CONFIG);
  assert.equal(
    test.said[1],
    "Error: port 5 in use; nor do they run with the former config: port 6 in use",
  );
});

for (
  const [what, former] of [
    ["no file was there", undefined],
    ["the file held no config", { bit_depth: 7 }],
    ["the file held the same config", { ...CONFIG, start_udp_port: 5 }],
  ] as const
) {
  Deno.test(`Deployer has no way back when ${what}`, async () => {
    const test = testDeployer(former, refuses(5));
    const next = { ...CONFIG, start_udp_port: 5 };
    await test.deployer.deploy(entry(next), signal, NEVER);
    assert.deepEqual(test.file, next);
    assert.deepEqual(test.order, [
      "close jf1",
      "check",
      "write",
      "restart",
      "open jf1",
    ]);
    assert.equal(
      test.said[1],
      "Error: port 5 in use; there is no former config to go back to",
    );
  });
}

Deno.test("Deployer says nothing of what its own end interrupts", async () => {
  const ended = new AbortController();
  const test = testDeployer(CONFIG, () => {
    ended.abort();
    return Promise.reject(ended.signal.reason);
  });
  await test.deployer.deploy(entry({ ...CONFIG, start_udp_port: 5 }), ended.signal, NEVER);
  assert.deepEqual(test.said, ["Deploying"]);
});

Deno.test("Deployer leaves alone what it has taken up before, unless the file is another one", async () => {
  const done = { id: "1-0", time: 0, value: { server_name: "daq-1", message: "Done" } };
  const world = { configs: [entry(CONFIG)], said: [done] };
  const same = testDeployer(CONFIG, undefined, world);
  await same.deployer.run(signal);
  assert.deepEqual([same.said, same.order], [[], []]);
  assert.equal(same.deployer.state, "config 1-0: Done");
  const edited = testDeployer({ ...CONFIG, start_udp_port: 5 }, undefined, world);
  await edited.deployer.run(signal);
  assert.deepEqual(edited.file, CONFIG);
  const other = { ...done, value: { server_name: "daq-2", message: "Done" } };
  const elsewhere = testDeployer(CONFIG, undefined, { ...world, said: [other] });
  await elsewhere.deployer.run(signal);
  assert.equal(elsewhere.said[0], "Deploying");
});

Deno.test("Deployer has all services started again when its predecessor was killed amid a config", async () => {
  const deploying = { id: "1-0", time: 0, value: { server_name: "daq-1", message: "Deploying" } };
  const test = testDeployer(CONFIG, undefined, { configs: [entry(CONFIG)], said: [deploying] });
  await test.deployer.run(signal);
  assert.equal(test.restarts.length, 1);
  for (const field of ["bit_depth", "start_udp_port"]) assert.ok(test.restarts[0]!.includes(field));
  assert.match(test.said.at(-1)!, /^Done/);
});

Deno.test("Deployer has all services started again after they ran with no config at all", async () => {
  const answers = [refuses(5), () => Promise.resolve({ services: ["std_udp_recv"] })];
  const test = testDeployer(undefined, (...args) => answers.shift()!(...args));
  await test.deployer.deploy(entry(CONFIG), signal, NEVER);
  await test.deployer.deploy(entry(CONFIG), signal, NEVER); // no field differs from the file's
  assert.ok(test.restarts[1]!.includes("bit_depth"));
  assert.match(test.said.at(-1)!, /^Done: std_udp_recv/);
});

Deno.test("Deployer takes a config up again when the store cannot tell whether it was", async () => {
  const failure = new StoreError("redis://x could not be read");
  const test = testDeployer(CONFIG, undefined, { configs: [entry(CONFIG)], failure });
  await test.deployer.run(signal);
  assert.match(test.said.at(-1)!, /^Done/);
});

for (const what of ["which goes on", "which ends in this very moment"]) {
  Deno.test(`Deployer never puts a config to use that is withdrawn during a run, ${what}`, async () => {
    const waits = Promise.withResolvers<void>();
    const run = Promise.withResolvers<void>();
    async function* configs(): AsyncGenerator<ConfigText> {
      yield entry({ ...CONFIG, start_udp_port: 5 });
      await waits.promise;
      yield { ...entry(CONFIG), id: "2-0" };
      run.resolve();
    }
    const test = testDeployer(CONFIG, undefined, {
      configs: configs(),
      async untilIdle(until): Promise<void> {
        waits.resolve();
        await run.promise;
        if (what === "which goes on") until.throwIfAborted();
      },
    });
    await test.deployer.run(signal);
    assert.deepEqual(test.restarts, [[]]);
    assert.deepEqual(test.order.filter((step) => step === "write"), ["write"]);
    assert.deepEqual(test.said.slice(0, 3), [
      "Deploying",
      "Error: withdrawn: config 2-0 came before this one was put to use",
      "Deploying",
    ]);
    assert.match(test.said[3]!, /^Done/);
    assert.equal(test.deployer.state, "config 2-0: Done");
  });
}

Deno.test("Deployer takes the last of the configs that come while services start again", async () => {
  const restarting = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  async function* configs(): AsyncGenerator<ConfigText> {
    yield entry({ ...CONFIG, start_udp_port: 5 });
    await restarting.promise;
    yield { ...entry({ ...CONFIG, start_udp_port: 6 }), id: "2-0" };
    yield { ...entry({ ...CONFIG, start_udp_port: 7 }), id: "3-0" };
    over.resolve();
  }
  const restart = async (): Promise<Restarted> => {
    restarting.resolve();
    await over.promise;
    return { services: [] };
  };
  const test = testDeployer(CONFIG, restart, { configs: configs() });
  await test.deployer.run(signal);
  assert.deepEqual(test.said.map((words) => words.replace(/ready after .*/, "")), [
    ...["Deploying", "Done: nothing to start again; "],
    "Error: withdrawn: config 3-0 came before this one was put to use",
    ...["Deploying", "Done: nothing to start again; "],
  ]);
  assert.deepEqual(test.file, { ...CONFIG, start_udp_port: 7 });
});

Deno.test("Deployer ends with what fails unexpectedly", async () => {
  const failure = new TypeError("a defect");
  const test = testDeployer(CONFIG, undefined, { configs: [entry(CONFIG)], failure });
  await assert.rejects(test.deployer.run(signal), failure);
});

Deno.test("configFile() replaces a file as a whole, and a link instead of following it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-file-" });
  try {
    const [path, elsewhere] = [`${folder}/config.json`, `${folder}/elsewhere`];
    const file = configFile(path);
    assert.equal(file.read(), undefined);
    await Deno.writeTextFile(elsewhere, "{");
    await Deno.symlink(elsewhere, path);
    assert.equal(file.read(), undefined); // no JSON
    file.write({ run: 2n ** 60n });
    assert.equal(await Deno.readTextFile(path), '{\n  "run": 1152921504606846976\n}\n');
    assert.deepEqual(file.read(), { run: 2n ** 60n });
    assert.equal(await Deno.readTextFile(elsewhere), "{");
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["config.json", "elsewhere"]);
    assert.throws(() => configFile(`${folder}/none/config.json`).write({}), /ENOENT/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("CommandRestarter runs its program for each affected service, without a shell", async () => {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-restart-" });
  try {
    const script = 'echo "$1" >> "$0"';
    const restarter = new CommandRestarter([
      "sh",
      "-c",
      script,
      `${folder}/ran`,
      "daq@{service}; x",
    ]);
    assert.deepEqual(
      await restarter.restart(["compression", "udp_bind_address", "gpfs_block_size"], signal),
      { services: ["std_udp_recv", "std_h5_writer", "writer_agent"] },
    );
    assert.equal(
      await Deno.readTextFile(`${folder}/ran`),
      "daq@std_udp_recv; x\ndaq@std_h5_writer; x\ndaq@writer_agent; x\n",
    );
    assert.deepEqual(await restarter.restart([], signal), { services: [] });
    await assert.rejects(
      new CommandRestarter(["sh", "-c", "echo no such unit >&2; exit 5"]).restart(
        ["bit_depth"],
        signal,
      ),
      /^RestartError: sh -c .* ended with status 5: no such unit$/,
    );
    await assert.rejects(
      new CommandRestarter(["sleep", "60"], 50).restart(["bit_depth"], signal),
      /^RestartError: sleep 60 has not ended within 0\.05 s$/,
    );
    const ending = new AbortController();
    const hanging = new CommandRestarter(["sleep", "60"]).restart(["bit_depth"], ending.signal);
    ending.abort();
    await assert.rejects(hanging, /AbortError/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
