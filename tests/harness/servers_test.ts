/** The foreign servers of the tests come, work and go without a trace. */
import { ok, strictEqual } from "node:assert/strict";
import { GuardedServer, Redis } from "./mod.ts";
import { until } from "./until.ts";

Deno.test("Redis.start() gives an empty Redis that answers, and leaves nothing", async () => {
  let url: URL;
  {
    await using redis = await Redis.start();
    url = new URL(redis.url);
    strictEqual(await ask(url, `AUTH ${url.password}`, "DBSIZE"), "+OK\r\n:0\r\n");
    await redis.halt();
    await redis.resume();
    strictEqual(await ask(url, `AUTH ${url.password}`, "DBSIZE"), "+OK\r\n:0\r\n");
  }
  ok(await isRefused(url));
});

Deno.test("GuardedServer ends with the process that started it, even by SIGKILL", async () => {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-guarded-" });
  const orphaned = await Deno.makeTempDir({ prefix: "std-daq-guarded-" });
  const script = new URL("./testdata/start_server.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script, folder, orphaned],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  strictEqual(new TextDecoder().decode((await reader.read()).value), "started");
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  // The guard removes the folders last, after the server and its children have gone.
  await until("removal of the folders", () => !exists(folder) && !exists(orphaned));
});

Deno.test("GuardedServer leaves the folder of a test that goes on", async () => {
  const [folder, orphaned] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  try {
    const command = ["sh", "-c", "echo ready; sleep 1000"];
    await using _server = await GuardedServer.start("obedient", {
      ...{ command, folder, orphaned, ready: /ready/ },
    });
  } finally {
    ok(!exists(folder));
    await Deno.remove(orphaned);
  }
});

Deno.test("GuardedServer.start() tells what a server said that did not start", async () => {
  const start = GuardedServer.start("hopeless", {
    command: ["sh", "-c", "echo no luck today; exit 3"],
    ready: /ready/,
  });
  const error = await start.then(() => undefined, (error: unknown) => error);
  ok(error instanceof Error);
  strictEqual(error.message, "hopeless ended with 3 before it was ready: no luck today");
});

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function isRefused({ hostname, port }: URL): Promise<boolean> {
  try {
    using _connection = await Deno.connect({ hostname, port: Number(port) });
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return true;
    throw error;
  }
}

/** Sends commands to Redis, and QUIT; returns the answers. */
async function ask({ hostname, port }: URL, ...commands: string[]): Promise<string> {
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const text = [...commands, "QUIT"].map((command) => `${command}\r\n`).join("");
  await connection.write(new TextEncoder().encode(text));
  return (await new Response(connection.readable).text()).replace(/\+OK\r\n$/, "");
}
