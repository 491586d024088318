import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { runScript } from "../os/_run_script_test_util.ts";
import { closeContext } from "./context.ts";
import { ZmqError } from "./error.ts";
import { Socket } from "./socket.ts";

const mod = JSON.stringify(new URL("./mod.ts", import.meta.url).href);

function socketPath(): string {
  return `/tmp/std-daq-zmq-${Deno.pid}-${crypto.randomUUID()}`;
}

Deno.test("closeContext() closes all sockets, and later ones work again", async () => {
  const pull = new Socket("PULL");
  pull.bind(`inproc://${crypto.randomUUID()}`);
  const pending = rejects(pull.receive(), (error: unknown) => {
    ok(error instanceof ZmqError);
    strictEqual(error.code, "ENOTSOCK");
    return true;
  });
  await closeContext();
  await pending;
  strictEqual(pull.closed, true);
  await closeContext();

  using again = new Socket("PULL");
  using push = new Socket("PUSH");
  push.connect(again.bind(`inproc://${crypto.randomUUID()}`));
  await push.send("x");
  strictEqual((await again.receive({ timeoutMs: 10_000 })).length, 1);
});

Deno.test("a process ends by itself once nothing waits, even with open sockets", async () => {
  const path = socketPath();
  const lines = await runScript(`
    import { Socket } from ${mod};
    const pull = new Socket("PULL");
    pull.bind("ipc://${path}");
    const push = new Socket("PUSH");
    push.connect("ipc://${path}");
    await push.send("x");
    console.log((await pull.receive()).length);
    push.trySend("never read");`);
  deepStrictEqual(lines, ["1"]);
  await rejects(Deno.lstat(path), Deno.errors.NotFound);
});

Deno.test("a process ends after the socket that it waited on was closed", async () => {
  const path = socketPath();
  const lines = await runScript(`
    import { Socket } from ${mod};
    const pull = new Socket("PULL");
    pull.bind("ipc://${path}");
    setTimeout(() => pull.close(), 20);
    for await (const _ of pull);
    console.log("closed");`);
  deepStrictEqual(lines, ["closed"]);
});

Deno.test("Deno.exit() with a pending receive removes the socket file", async () => {
  const path = socketPath();
  const lines = await runScript(`
    import { Socket } from ${mod};
    const pull = new Socket("PULL");
    pull.bind("ipc://${path}");
    pull.receive().catch(() => {});
    setTimeout(() => { console.log("exit"); Deno.exit(0); }, 20);`);
  deepStrictEqual(lines, ["exit"]);
  await rejects(Deno.lstat(path), Deno.errors.NotFound);
});
