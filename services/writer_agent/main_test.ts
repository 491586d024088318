import assert from "node:assert/strict";
import { jungfrauModule } from "../../lib/config/_test_configs.ts";
import { parseConfig } from "../../lib/config/mod.ts";
import { DaqClient, parseJson } from "../../lib/http/mod.ts";
import { eachLine } from "../../lib/service/each_line.ts";
import { permissionsFor } from "../../lib/service/mod.ts";
import { openStore } from "../../lib/store/mod.ts";
import { FakeAssembler, uniqueDetector } from "./_fake_assembler.ts";
import { until } from "./_fakes.ts";

const PROJECT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
const WRITER_TIMEOUT_S = 1;

/** A child process whose stdout is JSON lines, as is its log. */
class Child implements AsyncDisposable {
  readonly lines: Record<string, unknown>[] = [];
  readonly log: Record<string, unknown>[] = [];
  readonly process: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;

  constructor(args: string[], env: Record<string, string> = {}) {
    this.process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", ...args],
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { stdout, stderr } = this.process;
    const take = (lines: Record<string, unknown>[]) => (line: string): void => {
      if (line.startsWith("{")) lines.push(Object(parseJson(line)));
    };
    this.#reading = Promise.all([
      eachLine(stdout, take(this.lines)),
      eachLine(stderr, take(this.log)),
    ]);
  }

  async ready(): Promise<void> {
    let status: Deno.CommandStatus | undefined;
    this.process.status.then((ended) => status = ended);
    await until("ready", () => {
      assert.equal(status, undefined, "the process ended");
      return this.lines.some(({ event }) => event === "ready");
    });
  }

  /** Names of the actions told so far. */
  actions(): unknown[] {
    return this.lines.map(({ action }) => action).filter((action) => action !== undefined);
  }

  async end(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    try {
      this.process.kill(signal);
    } catch {
      // it has ended already
    }
    await this.#reading;
    return await this.process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}

interface World {
  agent: Child;
  client: DaqClient;
  assembler: FakeAssembler;
  dataRoot: string;
  startWriter: () => Promise<Child>;
  /** Starts another agent of the same detector and port. */
  startAgent: () => Promise<Child>;
}

/** Servers that an agent is told of. */
interface Servers {
  /** Keep acquisitions in `<data root>.sqlite`, or at an address. */
  store?: true | string;
  /** Take requests from there. */
  broker?: string;
}

async function withAgent(
  body: (world: World) => Promise<void>,
  servers: Servers = {},
): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "agt_" });
  cleanup.defer(() => Deno.remove(folder, { recursive: true }));
  const detector = uniqueDetector();
  const assembler = cleanup.use(new FakeAssembler(detector, folder, 64));
  const json = jungfrauModule({ detector_name: detector });
  const configPath = `${folder}/config.json`;
  await Deno.writeTextFile(configPath, JSON.stringify(json));
  const dataRoot = `${folder}/data`;
  await Deno.mkdir(dataRoot);
  const apiPort = freePort();
  const store = servers.store === true ? `sqlite:${dataRoot}.sqlite` : servers.store;
  const { broker } = servers;
  const permissions = permissionsFor("writer_agent", parseConfig(json).config, {
    root: PROJECT,
    configPath,
    dataRoots: [dataRoot],
    apiPort,
    store: store === undefined ? undefined : { address: store },
    broker: broker === undefined ? undefined : { address: broker },
  });
  const startWriter = async (): Promise<Child> => {
    const script = decodeURIComponent(new URL("testdata/fake_writer.ts", import.meta.url).pathname);
    const writer = cleanup.use(new Child(["-A", script, detector, folder]));
    await writer.ready();
    return writer;
  };
  const startAgent = async (): Promise<Child> => {
    const agent = cleanup.use(
      new Child([
        ...permissions,
        `${PROJECT}/services/writer_agent/main.ts`,
        configPath,
        ...["--port", String(apiPort), "--writer-timeout", String(WRITER_TIMEOUT_S)],
        ...["--image-slots", "64", "--frame-slots", "16", "--data-root", dataRoot],
      ], {
        STD_DAQ_IPC_DIR: folder,
        ...(store !== undefined && { STD_DAQ_STORE: store }),
        ...(broker !== undefined && { BROKER_URL: broker }),
      }),
    );
    await agent.ready();
    return agent;
  };
  const agent = await startAgent();
  const client = new DaqClient({ baseUrl: `http://127.0.0.1:${apiPort}` });
  await body({ agent, client, assembler, dataRoot, startWriter, startAgent });
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("writer_agent drives a writer process through a run, with its own permissions only", async () => {
  await withAgent(async ({ agent, client, assembler, dataRoot, startWriter }) => {
    await using writer = await startWriter();
    assembler.publish(); // of before
    const started = await client.writeAsync({ n_images: 30, output_file: `${dataRoot}/a.h5` });
    assert.equal(started.acquisition.state, "WAITING_IMAGES");
    const published = Array.from({ length: 32 }, () => assembler.publish());
    const { acquisition } = await client.waitForEnd(started, { intervalMs: 5 });
    assert.equal(acquisition.message, "Completed.");
    assert.equal(acquisition.stats.n_write_completed, 30);

    const isCreate = ({ action }: Record<string, unknown>): boolean => action === "create_file";
    const [create, ...rest] = writer.lines.slice(writer.lines.findIndex(isCreate));
    assert.equal(create?.["path"], `${dataRoot}/a.h5`);
    assert.equal(create?.["nImages"], 30);
    assert.equal(create?.["acknowledgeImages"], true);
    assert.equal(create?.["runId"], acquisition.info.run_id);
    const recorded = rest.filter(({ action }) => action === "record_image");
    assert.deepEqual(recorded.map(({ entry }) => Number(entry)), range(1, 30));
    assert.deepEqual(
      recorded.map(({ metadata }) => BigInt(Object(metadata).imageId)),
      published.slice(0, 30),
    );
    assert.deepEqual(writer.actions().slice(-2), ["confirm_last_image", "close_file"]);

    const { stats } = await client.stats();
    assert.ok(stats.writer.images_per_second >= 0);
    assert.equal((await agent.end("SIGTERM")).code, 0);
  });
});

Deno.test("writer_agent keeps acquisitions and rates in a store, and does not lose the last one", async () => {
  await withAgent(async ({ agent, client, assembler, dataRoot, startWriter }) => {
    await using _writer = await startWriter();
    const run = await client.writeAsync({
      n_images: 2,
      output_file: `${dataRoot}/a.h5`,
      run_id: 5,
    });
    assembler.publish();
    assembler.publish();
    await client.waitForEnd(run, { intervalMs: 5 });
    await client.writeAsync({ n_images: 2, output_file: `${dataRoot}/b.h5`, run_id: 6 });
    assert.equal((await agent.end("SIGTERM")).code, 0);
    await using store = await openStore(`sqlite:${dataRoot}.sqlite`);
    const logs = (await store.logs(9)).map(({ value }) => Object(value));
    assert.deepEqual(logs.map(({ message, info }) => [message, info.run_id]), [
      ["Interrupted.", 6],
      ["Completed.", 5],
    ]);
  }, { store: true });
});

Deno.test("writer_agent survives a writer killed in mid-run; the next run works", async () => {
  await withAgent(async ({ client, assembler, dataRoot, startWriter }) => {
    {
      await using writer = await startWriter();
      await client.writeAsync({ n_images: 1000, output_file: `${dataRoot}/a.h5` });
      assembler.publish();
      await until(
        "acknowledged",
        async () => (await client.status()).acquisition.stats.n_write_completed === 1,
      );
      await writer.end("SIGKILL");
    }
    assembler.publish();
    const failed = await client.waitForEnd(await client.status(), { intervalMs: 5 });
    assert.equal(failed.state, "UNKNOWN");
    assert.equal(failed.acquisition.state, "FAILED");
    assert.match(
      failed.acquisition.message,
      /^ERROR: no .*1 image was written to .*std_h5_writer/,
    );

    await using _writer = await startWriter();
    const run = await client.writeAsync({ n_images: 2, output_file: `${dataRoot}/b.h5` });
    assembler.publish();
    assembler.publish();
    assert.equal(
      (await client.waitForEnd(run, { intervalMs: 5 })).acquisition.message,
      "Completed.",
    );
  });
});

Deno.test("writer_agent knows a writer that was restarted at once in mid-run", async () => {
  await withAgent(async ({ client, assembler, dataRoot, startWriter }) => {
    {
      await using writer = await startWriter();
      await client.writeAsync({ n_images: 1000, output_file: `${dataRoot}/a.h5` });
      await writer.end("SIGKILL");
    }
    await using _writer = await startWriter();
    assembler.publish();
    const failed = await client.waitForEnd(await client.status(), { intervalMs: 5 });
    assert.equal(failed.acquisition.state, "FAILED");
    assert.match(failed.acquisition.message, /the file writer restarted|no answer/);
    const run = await client.writeAsync({ n_images: 1, output_file: `${dataRoot}/b.h5` });
    assembler.publish();
    assert.equal(
      (await client.waitForEnd(run, { intervalMs: 5 })).acquisition.message,
      "Completed.",
    );
  });
});

Deno.test("writer_agent closes the file of a run when it is stopped", async () => {
  await withAgent(async ({ agent, client, assembler, dataRoot, startWriter }) => {
    await using writer = await startWriter();
    await client.writeAsync({ n_images: 1000, output_file: `${dataRoot}/a.h5` });
    assembler.publish();
    await until("recorded", () => writer.actions().includes("record_image"));
    assert.equal((await agent.end("SIGTERM")).code, 0);
    await until("closed", () => writer.actions().at(-1) === "close_file");
  });
});

Deno.test("writer_agent closes what its killed forerunner left open in the writer", async () => {
  await withAgent(async ({ agent, client, assembler, dataRoot, startWriter, startAgent }) => {
    await using writer = await startWriter();
    await client.writeAsync({ n_images: 5, output_file: `${dataRoot}/a.h5`, run_id: 7 });
    await agent.end("SIGKILL");
    const before = writer.actions().length;
    await using _second = await startAgent();
    const status = async () => (await client.status()).acquisition;
    await until("the run that was left", async () => (await status()).state === "FAILED");
    const left = await status();
    assert.match(left.message, /^ERROR: the writer agent ended during the acquisition/);
    assert.deepEqual([left.info.output_file, left.info.run_id], [`${dataRoot}/a.h5`, 7n]);
    const run = await client.writeAsync({ n_images: 1, output_file: `${dataRoot}/b.h5` });
    assert.deepEqual(writer.actions().slice(before), ["close_file", "create_file"]);
    assembler.publish();
    assert.equal(
      (await client.waitForEnd(run, { intervalMs: 5 })).acquisition.message,
      "Completed.",
    );
    await using store = await openStore(`sqlite:${dataRoot}.sqlite`);
    const logs = await store.logs(2);
    assert.deepEqual(logs.map(({ value }) => Object(value).state), ["FINISHED", "FAILED"]);
    assert.deepEqual(Object(logs[1]?.value).message, left.message);
  }, { store: true });
});

Deno.test("writer_agent begins and works while RabbitMQ and Redis are away, and its log has what neither was told", async () => {
  await withAgent(async ({ agent, client, assembler, dataRoot, startWriter }) => {
    await using _writer = await startWriter();
    const run = await client.writeAsync({
      n_images: 1,
      output_file: `${dataRoot}/a.h5`,
      run_id: 8,
    });
    assembler.publish();
    assert.equal(
      (await client.waitForEnd(run, { intervalMs: 5 })).acquisition.message,
      "Completed.",
    );
    await client.writeAsync({ n_images: 9, output_file: `${dataRoot}/b.h5`, run_id: 9 });
    assert.equal((await agent.end("SIGTERM")).code, 0);
    const said = agent.log.map(({ message }) => String(message));
    const waits =
      /^no requests are taken yet: amqp:.* cannot be reached: .*Check that RabbitMQ runs/;
    assert.equal(said.filter((message) => waits.test(message)).length, 1);
    for (const [run, end] of [[8, "Completed."], [9, "Interrupted."]]) {
      const kept = said.filter((message) => /: not stored in daq:log: /.test(message))
        .map((message) => Object(parseJson(message.replace(/^.*?daq:log: /, ""))))
        .filter(({ info }) => Number(info.run_id) === run);
      assert.deepEqual(kept.map(({ message }) => message), [end]);
    }
  }, {
    store: `redis://127.0.0.1:${freePort()}`,
    broker: `amqp://127.0.0.1:${freePort()}`,
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
