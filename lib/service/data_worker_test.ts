import assert from "node:assert/strict";
import { DataWorkerError } from "./data_worker_error.ts";
import { exitCodeOf } from "./exit_code.ts";
import { type DataWorkerOptions, startDataWorker } from "./start_data_worker.ts";

const WORKER = new URL("./testdata/worker.ts", import.meta.url);

function options(act: string): DataWorkerOptions<"packets" | "frames"> {
  return { name: `test-${act}`, init: { act }, counters: ["packets", "frames"] };
}

Deno.test("startDataWorker() sees ready, logs and counters of a loop that blocks its thread", async () => {
  const logs: unknown[] = [];
  const worker = startDataWorker(WORKER, {
    ...options("run"),
    onLog: (...line) => void logs.push(line),
  });
  try {
    assert.deepEqual(await worker.ready, { act: "run", port: 7 });
    assert.deepEqual(logs, [["info", "started with {braces}", { act: "run" }]]);
    const deadline = performance.now() + 5_000;
    while (worker.counters.frames < 10n && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(worker.counters.frames >= 10n);
    assert.equal(worker.counters.packets, 0n);
  } finally {
    await worker.stop();
  }
  await worker.ended;
});

Deno.test("startDataWorker() stops a worker at once when it looks at `stopping`", async () => {
  const worker = startDataWorker(WORKER, options("run"));
  await worker.ready;
  const before = performance.now();
  await worker.stop();
  assert.ok(performance.now() - before < 2_000);
  await worker.stop();
});

Deno.test("startDataWorker() terminates a worker that does not stop, and says so", async () => {
  const logs: string[] = [];
  const worker = startDataWorker(WORKER, {
    ...options("deaf"),
    stopTimeoutMs: 50,
    onLog: (_level, message) => void logs.push(message),
  });
  await worker.ready;
  await worker.stop();
  // Its own lines may still have been under way when it was terminated.
  assert.equal(logs.at(-1), "did not stop in time and was terminated");
});

Deno.test("startDataWorker() rejects ready and failed with the worker's own error", async () => {
  const worker = startDataWorker(WORKER, options("die"));
  const error = await worker.failed.catch((error) => error);
  assert.ok(error instanceof DataWorkerError);
  assert.equal(error.worker, "test-die");
  assert.ok(error.cause instanceof Error);
  assert.equal(error.cause.name, "OsError");
  assert.equal((error.cause as Error & { code: string }).code, "EIO");
  assert.match(error.cause.stack ?? "", /testdata\/worker\.ts/);
  assert.equal(exitCodeOf(error), 4);
  await assert.rejects(worker.ready, error);
  await worker.stop();
});

Deno.test("startDataWorker() fails when the module itself throws", async () => {
  const module = new URL("data:text/javascript,throw new Error('no such luck')");
  const worker = startDataWorker(module, options("x"));
  const error = await worker.failed.catch((error) => error);
  assert.match(error.message, /^data worker test-x failed: .*no such luck/);
  assert.equal(exitCodeOf(error), 5);
  await worker.stop();
});

Deno.test("startDataWorker() fails when init cannot be sent", async () => {
  const worker = startDataWorker(WORKER, { ...options("x"), init: () => {} });
  await assert.rejects(worker.failed, /could not be cloned/);
  await worker.stop();
});

Deno.test("startDataWorker() resolves ended and rejects ready when the worker returns early", async () => {
  const worker = startDataWorker(WORKER, options("return"));
  await worker.ended;
  await assert.rejects(worker.ready, /ended before it was ready/);
  await worker.stop();
});
