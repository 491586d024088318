import assert from "node:assert/strict";
import type { LogLine } from "./logging.ts";
import type { ServiceCommand } from "./service_command.ts";
import { ServiceStartError } from "./service_start_error.ts";
import { type ChildStatus, Supervisor, type SupervisorOptions } from "./supervisor.ts";

const MAIN = new URL("./testdata/service.ts", import.meta.url);

function service(name: string, ...args: string[]): ServiceCommand {
  return { name, main: MAIN, args, permissions: [] };
}

/** A supervisor that remembers what it was told, and lets a test wait for it. */
class Watched extends Supervisor {
  readonly logs: LogLine[];
  readonly states: ChildStatus[];
  readonly #wake: { call: () => void };

  constructor(options: SupervisorOptions = {}) {
    const logs: LogLine[] = [];
    const states: ChildStatus[] = [];
    const wake = { call: (): void => {} };
    super({
      onLog: (line) => void logs.push(line),
      onState: (status) => {
        states.push(status);
        wake.call();
      },
      ...options,
    });
    this.logs = logs;
    this.states = states;
    this.#wake = wake;
  }

  async until(condition: (states: ChildStatus[]) => boolean): Promise<void> {
    while (!condition(this.states)) {
      await new Promise<void>((resolve) => this.#wake.call = resolve);
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    // A zombie has no command line: it is dead, waiting for its parent to notice.
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`) !== "";
  } catch {
    return false;
  }
}

async function untilDead(pid: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (isAlive(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} is still alive`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("Supervisor.start() gives the ready line and forwards the child's log", async () => {
  await using supervisor = new Watched();
  const ready = await supervisor.start(service("recv", "hello"));
  assert.equal(ready.service, "recv");
  assert.deepEqual(ready.words, ["hello"]);
  const [status] = supervisor.status();
  assert.deepEqual(status, {
    name: "recv",
    state: "ready",
    pid: ready.pid,
    restarts: 0,
    lastExit: undefined,
  });
  await supervisor.stop();
  assert.ok(supervisor.logs.some((line) => line.service === "recv" && line.message === "stopped"));
  assert.equal(isAlive(ready.pid), false);
  assert.equal(supervisor.status()[0]?.state, "stopped");
  assert.equal(supervisor.status()[0]?.lastExit, 0);
});

Deno.test("Supervisor.stop() stops the last started first, each after the other", async () => {
  await using supervisor = new Watched();
  for (const name of ["a", "b", "c"]) await supervisor.start(service(name));
  await supervisor.stop();
  const ends = supervisor.states
    .filter(({ state }) => state === "stopping" || state === "stopped")
    .map(({ name, state }) => `${name} ${state}`);
  assert.deepEqual(ends, [
    "c stopping",
    "c stopped",
    "b stopping",
    "b stopped",
    "a stopping",
    "a stopped",
  ]);
  await assert.rejects(supervisor.start(service("d")), /the supervisor is stopping/);
});

Deno.test("Supervisor restarts a child that was killed", async () => {
  await using supervisor = new Watched({ backoff: { firstMs: 1 } });
  const { pid } = await supervisor.start(service("recv"));
  Deno.kill(pid, "SIGKILL");
  await supervisor.until((states) => states.at(-1)?.state === "ready" && states.length > 2);
  const status = supervisor.status()[0]!;
  assert.equal(status.restarts, 1);
  assert.equal(status.lastExit, 137);
  assert.notEqual(status.pid, pid);
  assert.ok(isAlive(status.pid!));
});

Deno.test("Supervisor waits longer before each restart of a child that keeps dying", async () => {
  await using supervisor = new Watched({ backoff: { firstMs: 50, maxMs: 200 } });
  const times: number[] = [];
  await supervisor.start(service("recv", "--die-after", "1"));
  for (let n = 1; n <= 4; n++) {
    await supervisor.until((states) => states.filter((s) => s.state === "waiting").length >= n);
    const waiting = performance.now();
    await supervisor.until((states) => states.filter((s) => s.state === "starting").length > n);
    times.push(performance.now() - waiting);
  }
  for (const [i, wait] of [50, 100, 200, 200].entries()) {
    assert.ok(times[i]! >= wait - 5, `wait ${i}: ${times[i]} ms, expected at least ${wait}`);
  }
});

Deno.test("Supervisor.start() rejects with status and reason when the child dies before it is ready", async () => {
  await using supervisor = new Watched();
  const error = await supervisor.start(service("recv", "--act", "os")).catch((e) => e);
  assert.ok(error instanceof ServiceStartError);
  assert.equal(error.exitCode, 4);
  assert.match(error.message, /recv did not start \(exit status 4\): bind .*EADDRINUSE/);
  assert.equal(supervisor.status()[0]?.state, "failed");
});

Deno.test("Supervisor.start() rejects with commander's complaint on a wrong command line", async () => {
  await using supervisor = new Watched();
  await assert.rejects(
    supervisor.start(service("recv", "--no-such-option")),
    /exit status 2\): error: unknown option '--no-such-option'/,
  );
});

Deno.test("Supervisor.start() rejects when the program cannot be run", async () => {
  await using supervisor = new Watched();
  const missing = { ...service("recv"), main: new URL("./testdata/none/main.ts", import.meta.url) };
  await assert.rejects(supervisor.start(missing), /recv did not start.*none\/main\.ts/);
});

Deno.test("Supervisor kills a child that is not ready in time", async () => {
  await using supervisor = new Watched();
  await assert.rejects(
    supervisor.start({ ...service("recv"), readyWithinMs: 1 }),
    /recv did not start \(exit status 137\): not ready within 0\.001 s/,
  );
});

Deno.test("Supervisor.stop() kills a child that does not stop", async () => {
  await using supervisor = new Watched({ killAfterMs: 50 });
  const { pid } = await supervisor.start(service("recv", "--act", "hang"));
  await supervisor.stop();
  assert.equal(supervisor.status()[0]?.lastExit, 137);
  assert.equal(isAlive(pid), false);
});

Deno.test("Supervisor.stop() ends the wait for a restart and a start that is under way", async () => {
  await using supervisor = new Watched({ backoff: { firstMs: 3_600_000 } });
  const { pid } = await supervisor.start(service("recv"));
  Deno.kill(pid, "SIGKILL");
  await supervisor.until((states) => states.at(-1)?.state === "waiting");
  const starting = supervisor.start(service("late"));
  const [, outcome] = await Promise.all([supervisor.stop(), starting.catch((error) => error)]);
  assert.match(String(outcome), /late did not start/);
});

Deno.test("Supervisor.stop() does not restart a child that ends before its turn", async () => {
  await using supervisor = new Watched({ killAfterMs: 1_000, backoff: { firstMs: 1 } });
  const { pid } = await supervisor.start(service("first"));
  await supervisor.start(service("slow", "--act", "hang"));
  const stopping = supervisor.stop();
  Deno.kill(pid, "SIGTERM");
  await stopping;
  assert.ok(!supervisor.states.some(({ state }) => state === "waiting"));
  assert.deepEqual(supervisor.status().map(({ restarts }) => restarts), [0, 0]);
});

Deno.test("Supervisor's children ignore SIGINT: its own stop keeps the order after Ctrl-C", async () => {
  await using supervisor = new Watched();
  const { pid } = await supervisor.start(service("recv"));
  Deno.kill(pid, "SIGINT");
  await supervisor.stop();
  const whys = supervisor.logs.map((line) => line.properties.why).filter((why) =>
    why !== undefined
  );
  assert.deepEqual(whys, ["SIGTERM"]);
});

Deno.test("Supervisor's children stop when it is killed with SIGKILL", async () => {
  const script = new URL("./testdata/supervisor.ts", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-run", "--allow-env", "--allow-read", script],
    stdout: "piped",
  }).spawn();
  const out = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let child = 0;
  try {
    let text = "";
    while (!text.includes("\n")) text += (await out.read()).value ?? assert.fail("no pid");
    child = Number(text);
    assert.ok(isAlive(child));
    process.kill("SIGKILL");
    await process.status;
    await untilDead(child);
  } finally {
    await out.cancel();
    if (child > 0 && isAlive(child)) Deno.kill(child, "SIGKILL");
  }
});

Deno.test("Supervisor.update() starts again what is named, stops what is gone, and leaves the rest", async () => {
  await using supervisor = new Watched();
  for (const name of ["recv", "writer", "agent"]) await supervisor.start(service(name));
  const pids = (): Record<string, number | undefined> =>
    Object.fromEntries(supervisor.status().map(({ name, pid }) => [name, pid]));
  const before = pids();
  let aliveBetween: boolean[] = [];
  const commands = [service("recv"), service("compress"), service("agent")];
  const { started, awayMs } = await supervisor.update(commands, new Set(["recv"]), () => {
    aliveBetween = ["recv", "writer", "agent"].map((name) => isAlive(before[name]!));
  });
  assert.deepEqual(started, ["recv", "compress"]);
  assert.ok(awayMs > 0);
  assert.deepEqual(aliveBetween, [false, false, true]);
  const after = pids();
  assert.deepEqual(Object.keys(after), ["recv", "compress", "agent"]);
  assert.equal(after["agent"], before["agent"]);
  assert.notEqual(after["recv"], before["recv"]);
  const nothing = { started: [], awayMs: 0 };
  assert.deepEqual(await supervisor.update(commands, new Set()), nothing);
});

Deno.test("Supervisor.update() tells which service does not start, and starts it the next time", async () => {
  await using supervisor = new Watched();
  await supervisor.start(service("recv"));
  const broken = [service("recv"), service("agent", "--act", "os"), service("other")];
  await assert.rejects(
    supervisor.update(broken, new Set()),
    (error) =>
      error instanceof ServiceStartError && /agent did not start .*EADDRINUSE/.test(error.message),
  );
  assert.deepEqual(supervisor.status().map(({ state }) => state), ["ready", "failed", "ready"]);
  const mended = [service("recv"), service("agent"), service("other")];
  assert.deepEqual((await supervisor.update(mended, new Set())).started, ["agent"]);
});

Deno.test("Supervisor.update() starts nothing once it is to stop", async () => {
  await using supervisor = new Watched();
  await supervisor.start(service("recv"));
  const updating = supervisor.update([service("recv")], new Set(["recv"]));
  await Promise.all([
    assert.rejects(updating, /the supervisor is stopping/),
    supervisor.stop(),
  ]);
  assert.ok(supervisor.status().every(({ state }) => state === "stopped"));
});

Deno.test("Supervisor.update() has the next ones loaded before it stops any, and begin when all have", async () => {
  await using supervisor = new Watched();
  const names = ["recv", "agent"];
  // What a process does when it begins, it does when the former ones have ended: no two hold the same file.
  const folder = await Deno.makeTempDir({ prefix: "std-daq-lock-" });
  try {
    const commands = names.map((name) => ({
      ...service(name, "--act", "lock", `${folder}/${name}`),
      permissions: [`--allow-write=${folder}`],
    }));
    const pids: number[] = [];
    for (const command of commands) pids.push((await supervisor.start(command)).pid);
    supervisor.states.length = 0;
    const alive: boolean[][] = [];
    await supervisor.update(commands, new Set(names), () => alive.push(pids.map(isAlive)));
    assert.deepEqual(alive, [[false, false]]);
    assert.deepEqual(
      supervisor.states.map(({ name, state }) => `${name} ${state}`).slice(0, 6),
      ["recv starting", "agent starting"].concat(
        ["agent stopping", "agent stopped", "recv stopping", "recv stopped"],
      ),
    );
    assert.deepEqual(supervisor.status().map(({ state }) => state), ["ready", "ready"]);
    await supervisor.stop();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Supervisor.update() stops nothing when one of the next ones cannot be loaded", async () => {
  await using supervisor = new Watched();
  const { pid } = await supervisor.start(service("recv"));
  const wrong = [service("recv", "--no-such-option"), service("agent")];
  await assert.rejects(
    supervisor.update(wrong, new Set(["recv"])),
    /recv did not start \(exit status 2\): error: unknown option '--no-such-option'/,
  );
  assert.deepEqual(supervisor.status().map((child) => [child.pid, child.state]), [[pid, "ready"]]);
  assert.ok(isAlive(pid));
});
