import assert from "node:assert/strict";
import { jungfrauModule } from "../../../lib/config/_test_configs.ts";
import { parseConfig } from "../../../lib/config/mod.ts";
import type { ServiceCommand } from "../../../lib/service/mod.ts";
import { testAgent, writer } from "../_test_agent.ts";
import { testContext } from "../_test_context.ts";
import { runDaq } from "../program.ts";
import { runPipeline } from "./run.ts";

const SERVICE = new URL("../../../lib/service/testdata/service.ts", import.meta.url);
const detector = `T${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
const JSON_CONFIG = jungfrauModule({ detector_name: detector, stats_collection_period: 1 });
const { config } = parseConfig(JSON_CONFIG);

function options(api: string): Parameters<typeof runPipeline>[2] {
  return {
    configPath: "/none.json",
    apiPort: Number(new URL(api).port),
    dataRoots: ["/data"],
    ramBytes: 2 ** 28,
    workers: undefined,
    logLevel: "info",
  };
}

const service = (name: string, ...args: string[]): ServiceCommand => ({
  name,
  main: SERVICE,
  args,
  permissions: [],
});

Deno.test("daq run says ready, shows status lines, and stops the last started first", async () => {
  await using agent = testAgent(() => writer({ state: "ACQUIRING_IMAGES", done: 1, message: "" }));
  const context = testContext();
  const show = context.err;
  context.err = (text) => {
    show(text);
    if (text.startsWith("detector")) context.stop();
  };
  let slots: number[] = [];
  await runPipeline(context, config, options(agent.url), (_, { frameSlots, imageSlots }) => {
    slots = [frameSlots, imageSlots];
    return [service("first"), service("second")];
  });
  const [, json = ""] = /^ready (\{.*\})\n$/.exec(context.stdout) ?? [];
  const { api, frame_slots, image_slots, ram_bytes } = JSON.parse(json);
  assert.equal(api, agent.url);
  assert.deepEqual([frame_slots, image_slots], slots);
  assert.ok(ram_bytes > 0 && ram_bytes <= 2 ** 28);
  assert.match(
    context.stderr,
    /^detector 1\.57 k images\/s.*WRITING ACQUIRING_IMAGES 1\/3 images$/m,
  );
  const stopped = context.stderr.split("\n")
    .filter((line) => line.includes('"message":"stopped"'))
    .map((line) => JSON.parse(line).service);
  assert.deepEqual(stopped, ["second", "first"]);
});

Deno.test("daq run removes rings that killed services left before it looks how much memory is free", async () => {
  const paths = [`/dev/shm/${detector}-image`, `/dev/shm/${detector}-image.index`];
  for (const path of paths) Deno.writeTextFileSync(path, "left");
  const context = testContext();
  const left = (): string[] => [...Deno.readDirSync("/dev/shm")].map(({ name }) => name);
  let found: string[] | undefined;
  context.stop();
  await runPipeline(context, config, options("http://127.0.0.1:1"), () => {
    found = left().filter((name) => name.startsWith(detector));
    return [];
  });
  assert.deepEqual(found, []);
});

Deno.test("daq run fails with the child's reason and stops the others when one does not start", async () => {
  const context = testContext();
  await assert.rejects(
    runPipeline(
      context,
      config,
      options("http://127.0.0.1:1"),
      () => [service("well"), service("ill", "--act", "os")],
    ),
    { name: "ServiceStartError", exitCode: 4, message: /ill did not start .* EADDRINUSE/ },
  );
  assert.equal(context.stdout, "");
  assert.match(context.stderr, /"service":"well","message":"stopped"/);
});

Deno.test("daq run restarts a service that dies, and says so", async () => {
  await using agent = testAgent(() => writer());
  const context = testContext();
  const show = context.err;
  context.err = (text) => {
    show(text);
    if (text.includes("restart 1 follows")) context.stop();
  };
  await runPipeline(
    context,
    config,
    options(agent.url),
    () => [service("weak", "--die-after", "1")],
  );
  assert.match(context.stderr, /weak died \(exit status 1\), restart 1 follows/);
});

Deno.test("daq run stops while it is still starting", async () => {
  const context = testContext();
  const running = runPipeline(
    context,
    config,
    options("http://127.0.0.1:1"),
    () => [service("first"), service("second")],
  );
  context.stop();
  await running;
  assert.equal(context.stdout, "");
});

Deno.test("daq run has status 4 and gives the numbers when the rings do not fit", async () => {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(path, JSON.stringify(JSON_CONFIG));
    const context = testContext();
    assert.equal(await runDaq(["run", path, "--data-root", "/tmp", "--ram", "1M"], context), 4);
    assert.match(context.stderr, /the budget is 0\.00 GiB/);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("daq run has status 3 and gives the limit when a frame ring has too many slots", async () => {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(path, JSON.stringify({ ...JSON_CONFIG, frame_slots: 5000 }));
    const context = testContext();
    assert.equal(await runDaq(["run", path, "--data-root", "/tmp"], context), 3);
    assert.match(context.stderr, /frame_slots is 5000; expected at most 3072/);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("daq run has status 2 when a data root is no folder", async () => {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(path, JSON.stringify(JSON_CONFIG));
    for (const root of [path, "/no/such/folder"]) {
      const context = testContext();
      assert.equal(await runDaq(["run", path, "--data-root", root], context), 2);
      assert.match(context.stderr, /is not a folder: create it first/);
    }
  } finally {
    await Deno.remove(path);
  }
});
