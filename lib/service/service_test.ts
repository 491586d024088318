import assert from "node:assert/strict";
import { type LogLine, parseLine } from "./logging.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SERVICE = new URL("./testdata/service.ts", import.meta.url).pathname;
const CONFIGURED = new URL("./testdata/configured_service.ts", import.meta.url).pathname;
const DETECTOR = new URL("./testdata/detector_service.ts", import.meta.url).pathname;

/** A service as a child process, with only the permissions given. */
class Child implements AsyncDisposable {
  readonly lines: LogLine[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #out: ReadableStreamDefaultReader<string>;
  readonly #err: Promise<string>;
  #stdout = "";

  constructor(script: string, args: string[], flags = [`--allow-read=${ROOT}`]) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", ...flags, script, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#out = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#err = new Response(this.#process.stderr).text();
  }

  async ready(): Promise<Record<string, unknown>> {
    while (!this.#stdout.includes("\n")) {
      const { value, done } = await this.#out.read();
      if (done) throw new Error(`no ready line; the log: ${await this.#err}`);
      this.#stdout += value;
    }
    return JSON.parse(this.#stdout.split("\n", 1)[0]!);
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  async closeStdin(): Promise<void> {
    await this.#process.stdin.close();
  }

  async end(): Promise<{ code: number; log: LogLine[]; stderr: string }> {
    const { code } = await this.#process.status;
    const stderr = await this.#err;
    const log = stderr.split("\n").map(parseLine).filter((line) => line !== undefined);
    return { code, log, stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch { /* it has ended already */ }
    await this.#process.status;
    await this.#err;
    await this.#out.cancel();
    await this.#process.stdin.close().catch(() => {}); // closed by the test
  }
}

const last = (log: LogLine[]): LogLine => log.at(-1)!;

Deno.test("runService() prints one ready line and stops with status 0 on SIGTERM, last step first", async () => {
  await using child = new Child(SERVICE, [
    "--act",
    "stop-order",
    "--service-name",
    "x.y",
    "a",
    "b",
  ]);
  const { pid, ...ready } = await child.ready();
  assert.deepEqual(ready, { event: "ready", service: "x.y", words: ["a", "b"], port: 5 });
  assert.equal(typeof pid, "number");
  child.kill("SIGTERM");
  const { code, log } = await child.end();
  assert.equal(code, 0);
  const steps = log.filter((line) => line.message.startsWith("closing"));
  assert.deepEqual(steps.map((line) => line.properties.step), ["third", "second", "first"]);
  assert.ok(log.every((line) => line.service === "x.y"));
  assert.ok(log.some((line) => line.properties.suppressed === 2), "what was held back is told");
  const stats = log.find((line) => line.message === "stats");
  assert.deepEqual(stats?.properties, { n_words: 2, big: "1152921504606846976", rate: 1.5 });
});

Deno.test("runService() exits with status 0 when run returns, without any permission", async () => {
  await using child = new Child(SERVICE, ["--act", "return"], []);
  assert.equal((await child.end()).code, 0);
});

Deno.test("runService() shows help without any permission", async () => {
  await using child = new Child(SERVICE, ["--help"], []);
  assert.equal((await child.end()).code, 0);
});

Deno.test("runService() takes the name from SERVICE_NAME when it may read it", async () => {
  await using child = new Child(SERVICE, ["--act", "wait"], ["--allow-env=SERVICE_NAME"]);
  assert.equal((await child.ready()).service, Deno.env.get("SERVICE_NAME") ?? "std_test");
});

for (
  const [act, expected, message] of [
    ["throw", 1, "it {broke}"],
    ["reject", 1, "nobody awaits this"],
    ["usage", 2, "no module 9: this detector has 0 to 3"],
    ["os", 4, "bind 127.0.0.1:1: EADDRINUSE"],
    ["worker", 4, "data worker receive-0 failed: cannot bind"],
    ["worker-defect", 5, "data worker receive-0 failed: a defect"],
  ] as const
) {
  Deno.test(`runService() exits with status ${expected} and says why once when it meets: ${act}`, async () => {
    await using child = new Child(SERVICE, ["--act", act]);
    const { code, log } = await child.end();
    assert.equal(code, expected);
    const fatal = log.filter((line) => line.level === "fatal");
    assert.deepEqual(fatal.map((line) => line.message), [message]);
    assert.equal(last(log), fatal[0]);
    assert.equal(fatal[0]?.properties.exit_code, expected);
  });
}

Deno.test("runService() logs the chain of causes of an unexpected failure", async () => {
  await using child = new Child(SERVICE, ["--act", "throw"]);
  const error = last((await child.end()).log).properties.error;
  const text = JSON.stringify(error);
  assert.match(text, /"cause":\{"name":"TypeError","message":"deep inside","stack":/);
});

Deno.test("runService() exits with status 2 and names the option on a wrong command line", async () => {
  await using child = new Child(SERVICE, ["--act", "fly"], []);
  const { code, stderr } = await child.end();
  assert.equal(code, 2);
  assert.match(stderr, /--act <act>' argument 'fly' is invalid/);
});

Deno.test("runService() exits at once on a second SIGINT", async () => {
  await using child = new Child(SERVICE, ["--act", "hang"]);
  await child.ready();
  child.kill("SIGINT");
  child.kill("SIGINT");
  const killer = setInterval(() => { // two at once may be merged into one
    try {
      child.kill("SIGINT");
    } catch {
      clearInterval(killer); // it has just ended
    }
  }, 50);
  try {
    assert.equal((await child.end()).code, 1);
  } finally {
    clearInterval(killer);
  }
});

Deno.test("runService() stops when its parent's pipe closes under --exit-with-parent", async () => {
  await using child = new Child(SERVICE, ["--exit-with-parent"]);
  await child.ready();
  await child.closeStdin();
  const { code, log } = await child.end();
  assert.equal(code, 0);
  assert.ok(log.some((line) => line.properties.why === "parent gone"));
});

Deno.test("runService() keeps running when stdin closes without --exit-with-parent", async () => {
  await using child = new Child(SERVICE, []);
  await child.ready();
  await child.closeStdin();
  child.kill("SIGTERM");
  assert.ok((await child.end()).log.every((line) => line.properties.why !== "parent gone"));
});

Deno.test("runService() reports health on the port asked for", async () => {
  const port = freePort();
  const args = ["--health-port", String(port)];
  await using well = new Child(SERVICE, [...args, "a word"], [`--allow-net=127.0.0.1:${port}`]);
  await well.ready();
  const answer = await fetch(`http://127.0.0.1:${port}/health`);
  assert.equal(answer.status, 200);
  const { status, service, checks, stats } = await answer.json();
  assert.deepEqual({ status, service, checks }, {
    status: "ok",
    service: "std_test",
    checks: { words: null },
  });
  assert.equal(stats.n_words, 1);
});

Deno.test("runService() exits with status 4 when it may not have the health port", async () => {
  await using child = new Child(SERVICE, ["--health-port", "1"], []);
  const { code, log } = await child.end();
  assert.equal(code, 4);
  assert.match(last(log).message, /net access/);
});

const CONFIG = {
  detector_name: "TEST",
  detector_type: "jungfrau-raw",
  image_pixel_height: 512,
  image_pixel_width: 1024,
  bit_depth: 16,
  n_modules: 1,
  start_udp_port: 50_000,
  module_positions: { "0": [0, 0, 1023, 511] },
};

async function withConfig(
  config: unknown,
  action: (path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(path, JSON.stringify(config));
    await action(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("runService() gives the checked config, and takes the log level from it", async () => {
  await withConfig({ ...CONFIG, log_level: "error" }, async (path) => {
    await using child = new Child(DETECTOR, [path, "--twice", "21"], [`--allow-read=${path}`]);
    const { pid: _, ...ready } = await child.ready();
    assert.deepEqual(ready, {
      event: "ready",
      service: "std_detector_test",
      detector: "TEST",
      configSource: path,
      twice: 42,
    });
    child.kill("SIGTERM");
    assert.deepEqual((await child.end()).log, [], "info lines are below the threshold");
  });
});

Deno.test("runService() warns of unknown config fields", async () => {
  await withConfig({ ...CONFIG, log_levle: "error" }, async (path) => {
    await using child = new Child(DETECTOR, [path], [`--allow-read=${path}`]);
    await child.ready();
    child.kill("SIGTERM");
    const warnings = (await child.end()).log.filter((line) => line.level === "warning");
    assert.match(warnings[0]?.message ?? "", /log_levle/);
  });
});

Deno.test("runService() exits with status 3 and names every wrong field of the config", async () => {
  await withConfig({ ...CONFIG, n_modules: 0, bit_depth: "x" }, async (path) => {
    await using child = new Child(DETECTOR, [path], [`--allow-read=${path}`]);
    const { code, log } = await child.end();
    assert.equal(code, 3);
    assert.match(last(log).message, /n_modules/);
    assert.match(last(log).message, /bit_depth/);
  });
});

Deno.test("runService() exits with status 3 and lists where it looked for a config", async () => {
  await using child = new Child(DETECTOR, [], []);
  const { code, log } = await child.end();
  assert.equal(code, 3);
  assert.match(
    last(log).message,
    /command line: none given\s+config\.json in .*\s+Redis: none named/,
  );
});

Deno.test("defaultServiceSetup() gives a service its own config, or the defaults", async () => {
  await withConfig({ greeting: "grüezi" }, async (path) => {
    const flags = [`--allow-read=${path}`];
    await using child = new Child(CONFIGURED, ["--need", "--config", path, "a"], flags);
    const { greeting, configSource } = await child.ready();
    assert.deepEqual({ greeting, configSource }, { greeting: "grüezi", configSource: path });
  });
  await using child = new Child(CONFIGURED, [], []);
  const { greeting, configSource } = await child.ready();
  assert.deepEqual({ greeting, configSource }, {
    greeting: "hello",
    configSource: "none found: all defaults",
  });
  child.kill("SIGTERM");
  const { code, log } = await child.end();
  assert.equal(code, 0);
  assert.deepEqual(log.map(({ message }) => message), [
    "set up",
    "ready",
    "stopping: SIGTERM",
    "stats",
    "stopped",
  ]);
});

Deno.test("defaultServiceSetup() names what is wrong in a config, and where that is described", async () => {
  await withConfig({ greeting: 1, greetin: "x" }, async (path) => {
    const flags = [`--allow-read=${path}`];
    await using child = new Child(CONFIGURED, ["--config", path], flags);
    const { code, log } = await child.end();
    assert.equal(code, 3);
    assert.match(
      last(log).message,
      /^config of std_configured_test .*greeting is 1; expected a text\n/s,
    );
    assert.match(
      last(log).message,
      /note: unknown field greetin is ignored; did you mean greeting/,
    );
    assert.match(last(log).message, /services\/std_configured_test\/README\.md describes/);
  });
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
