import assert from "node:assert/strict";
import { DaqClient } from "../lib/http/mod.ts";
import { freeTcpPort, jungfrauConfig, RabbitMq, TestProcess, until } from "../tests/harness/mod.ts";
import { blocksOf, newServicesOf, ProjectCopy } from "./_project_copy.ts";

Deno.test("docs/tutorials/write-a-service.md makes two services, from nothing to the mean of a run", async () => {
  await using copy = await ProjectCopy.make();
  const page = await copy.read("docs/tutorials/write-a-service.md");
  const commands = newServicesOf(page);
  assert.deepEqual(commands.map(([name]) => name), ["noop", "mean_intensity"]);
  for (const args of commands) {
    const printed = await copy.newService(...args);
    const shown = printed.split("\n\n")[0]!;
    assert.ok(page.includes(shown), `the page shows what is printed: ${shown}`);
  }
  const blocks = blocksOf(page);
  assert.deepEqual(blocks.map(({ file }) => file), [
    "services/noop/main.ts",
    "services/noop/main_test.ts",
    "services/mean_intensity/main.ts",
    "services/mean_intensity/mean_intensity.ts",
    "deno.json",
    "services/mean_intensity/main_test.ts",
  ]);
  for (const block of blocks) copy.apply(block);
  const folders = ["services/noop", "services/mean_intensity"];
  await copy.deno("fmt", "--check", "deno.json", ...folders);
  await copy.deno("lint", ...folders);
  // Its types are checked by added_types_test.ts.
  const printed = await copy.deno("test", "-A", "--no-check", "--parallel", ...folders);
  assert.match(printed, /2 passed \| 0 failed/);
  await runTogether(copy, page);
});

/** The commands of the last section, with ports, names and folders of the test's. */
async function runTogether(copy: ProjectCopy, page: string): Promise<void> {
  await using rabbit = await RabbitMq.start();
  const config = jungfrauConfig(2), port = freeTcpPort();
  const api = new DaqClient({ baseUrl: `http://127.0.0.1:${port}` });
  Deno.writeTextFileSync(`${copy.root}/docs/examples/jungfrau-1m.json`, JSON.stringify(config));
  const lines = /^## 3\. Run it$[^]*?```\n([^]*?)\n```/m.exec(page)![1]!
    .replaceAll("/tmp/first", `${copy.root}/first`)
    .replaceAll("amqp://127.0.0.1", rabbit.url)
    .replaceAll("jungfrau-1m.writer_agent", `${config.detector_name}.writer_agent`)
    .replace(" daq run ", ` daq run --api-port ${port} `)
    .split("\n");
  assert.deepEqual(lines.map((line) => line.split(" ").slice(0, 4).join(" ")), [
    `mkdir -p ${copy.root}/first`,
    "deno task daq run",
    "deno task mean_intensity --broker",
    "deno task daq request",
    "deno task daq simulate",
  ]);
  const tasks: Record<string, unknown> = JSON.parse(await copy.read("deno.json")).tasks;
  const start = (index: number): TestProcess => {
    const [, name, more] = /^deno task (\w+) (.*)$/.exec(lines[index]!)!;
    const command = String(Object(tasks[name!]).command ?? tasks[name!]);
    assert.match(command, /^deno run /);
    const program = `exec '${Deno.execPath()}' ${command.slice("deno ".length)} ${more}`;
    return new TestProcess(lines[index]!, "/bin/sh", ["-c", program], { cwd: copy.root });
  };
  Deno.mkdirSync(lines[0]!.slice("mkdir -p ".length));
  await using run = start(1);
  await run.line("a ready line", (line) => line.startsWith("ready ") || undefined);
  await using mean = start(2);
  await mean.ready();
  await using request = start(3);
  await until(
    "the wait for images",
    async () => (await api.status()).acquisition.state === "WAITING_IMAGES",
  );
  await using simulated = start(4);
  assert.equal((await simulated.end(60_000)).code, 0, simulated.tail());
  assert.equal((await request.end(60_000)).code, 0, request.tail());
  assert.match(request.out.join("\n"), /\+ mean_intensity .*"?mean"?/);
}
