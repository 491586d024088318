import { deepStrictEqual, rejects } from "node:assert/strict";
import { runScript } from "../os/_run_script_test_util.ts";
import { Socket } from "./socket.ts";
import type { Task } from "./testdata/worker.ts";

const workerUrl = new URL("./testdata/worker.ts", import.meta.url).href;

function ipc(): string {
  return `ipc:///tmp/std-daq-zmq-${Deno.pid}-${crypto.randomUUID()}`;
}

/** A script for a process of its own: a Worker gets the task, is ready, and is then ended. */
function script(kind: Task["kind"], end: string): string {
  const address = ipc();
  return `
    const worker = new Worker(${JSON.stringify(workerUrl)}, { type: "module" });
    const ready = new Promise((resolve) => worker.onmessage = resolve);
    worker.postMessage(${JSON.stringify({ kind, address })});
    await ready;
    const path = ${JSON.stringify(address.slice("ipc://".length))};
    ${end}
    console.log("ended");
    // A terminated Worker cannot clean up behind itself.
    try { Deno.removeSync(path); } catch { /* removed already */ }`;
}

Deno.test("sockets work inside a Worker, blocking, with this thread's event loop", async () => {
  const address = ipc();
  const worker = new Worker(workerUrl, { type: "module" });
  try {
    const ready = new Promise((resolve) => worker.onmessage = resolve);
    worker.postMessage({ kind: "echo", address } satisfies Task);
    await ready;
    const closed = new Promise((resolve) => worker.onmessage = resolve);
    using req = new Socket("REQ");
    req.connect(address);
    for (const text of ["a", "b", "stop"]) {
      await req.send([text, "x"]);
      const answer = await req.receive({ timeoutMs: 10_000 });
      deepStrictEqual(answer.map((part) => new TextDecoder().decode(part)), [text, "x"]);
    }
    await closed;
    await rejects(Deno.lstat(address.slice("ipc://".length)), Deno.errors.NotFound);
  } finally {
    worker.terminate();
  }
});

Deno.test("a Worker terminated in receive() lets the process go on and end", async () => {
  deepStrictEqual(await runScript(script("wait", "worker.terminate();")), ["ended"]);
});

Deno.test("a Worker terminated between blocking receives lets the process go on and end", async () => {
  deepStrictEqual(await runScript(script("wait blocking", "worker.terminate();")), ["ended"]);
});

Deno.test("many Workers terminated while they wait leave the process sound", async () => {
  const lines = await runScript(`
    for (let i = 0; i < 20; i++) {
      const worker = new Worker(${JSON.stringify(workerUrl)}, { type: "module" });
      const ready = new Promise((resolve) => worker.onmessage = resolve);
      const path = "/tmp/std-daq-zmq-" + Deno.pid + "-" + i;
      worker.postMessage({ kind: i % 2 ? "wait" : "wait blocking", address: "ipc://" + path });
      await ready;
      worker.terminate();
      Deno.removeSync(path);
    }
    console.log("sound");`);
  deepStrictEqual(lines, ["sound"]);
});
