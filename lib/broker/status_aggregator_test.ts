import assert from "node:assert/strict";
import type { StatusAction } from "./status.ts";
import { StatusAggregator } from "./status_aggregator.ts";

/** Feeds `service:action` in short. */
function feed(aggregator: StatusAggregator, requestId: string, ...said: string[]): void {
  const actions: Record<string, StatusAction> = {
    start: "request_start",
    progress: "request_progress",
    success: "request_success",
    fail: "request_fail",
  };
  for (const text of said) {
    const [source = "", action = ""] = text.split(":");
    aggregator.add({
      requestId,
      tag: "#",
      source,
      action: actions[action]!,
      message: text,
      request: {},
    });
  }
}

Deno.test("wait() ends when all services seen have ended, and fails if one did", async () => {
  const aggregator = new StatusAggregator();
  const good = aggregator.wait("1");
  const bad = aggregator.wait("2");
  feed(aggregator, "1", "writer:start", "copier:start", "writer:success", "copier:success");
  feed(aggregator, "2", "writer:start", "copier:start", "writer:fail", "copier:success");
  assert.equal((await good).status, "request_success");
  assert.equal((await bad).status, "request_fail");
});

Deno.test("wait() waits for services that it is told to expect, not only for those seen", async () => {
  const aggregator = new StatusAggregator();
  let ended = false;
  const end = aggregator.wait("1", { services: ["writer", "validator"] })
    .finally(() => ended = true);
  feed(aggregator, "1", "writer:start", "writer:success");
  await Promise.resolve();
  assert.equal(ended, false);
  feed(aggregator, "1", "validator:start", "validator:success");
  assert.deepEqual(Object.keys((await end).services), ["writer", "validator"]);
});

Deno.test("wait() that is begun after the end returns at once", async () => {
  const aggregator = new StatusAggregator();
  feed(aggregator, "1", "writer:start", "writer:success");
  assert.equal((await aggregator.wait("1", { timeoutMs: 0 })).status, "request_success");
});

Deno.test("wait() tells who has not ended when time is up, and ends with its signal", async () => {
  const aggregator = new StatusAggregator();
  feed(aggregator, "1", "writer:start", "copier:start", "copier:success");
  await assert.rejects(
    aggregator.wait("1", { services: ["validator"], timeoutMs: 1 }),
    /^TimeoutError: request 1 has not ended within 1 ms: not from validator, writer$/,
  );
  await assert.rejects(aggregator.wait("2", { timeoutMs: 1 }), /no service has said anything/);
  const reason = new Error("enough");
  await assert.rejects(aggregator.wait("2", { signal: AbortSignal.abort(reason) }), reason);
});

Deno.test("the last requests are remembered, those waited for in any case", async () => {
  const aggregator = new StatusAggregator({ limit: 2 });
  feed(aggregator, "waited", "writer:start");
  const end = aggregator.wait("waited");
  for (const id of ["1", "2", "3"]) feed(aggregator, id, "writer:start");
  assert.deepEqual(aggregator.requests.map(({ requestId }) => requestId), ["waited", "3"]);
  feed(aggregator, "waited", "writer:success");
  await end;
  assert.equal(aggregator.requests.length, 2);
});

Deno.test("services may have any name, also one that every object has", async () => {
  const aggregator = new StatusAggregator();
  const names = ["constructor", "__proto__", "toString", "hasOwnProperty"];
  for (const name of names) feed(aggregator, "1", `${name}:start`, `${name}:success`);
  const { status, services } = await aggregator.wait("1", { services: names });
  assert.equal(status, "request_success");
  assert.deepEqual(Object.keys(services), names);
  await assert.rejects(
    aggregator.wait("1", { services: ["valueOf"], timeoutMs: 1 }),
    /: not from valueOf$/,
  );
});

Deno.test("of progress only the latest is kept, and each change is told", () => {
  const changes: number[] = [];
  const aggregator = new StatusAggregator({
    onChange: ({ services }) => void changes.push(services.writer!.length),
  });
  feed(aggregator, "1", "writer:start", "writer:progress", "writer:progress", "writer:success");
  assert.deepEqual(changes, [1, 2, 2, 3]);
  assert.deepEqual(aggregator.get("1")?.services.writer?.map(({ action }) => action), [
    "request_start",
    "request_progress",
    "request_success",
  ]);
});
