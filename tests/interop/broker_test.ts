/** lib/broker against clients and services written with pika, as the original's are, both ways. */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { z } from "zod";
import {
  BrokerClient,
  PostprocessingService,
  PrimaryService,
  resolveBroker,
} from "../../lib/broker/mod.ts";
import { PythonPeer, RabbitMq } from "../harness/mod.ts";

const END = { timeoutMs: 60_000 };
/** A request with this number waits to be killed. */
const HELD = 666;

let rabbit: RabbitMq;
Deno.test.beforeAll(async () => {
  rabbit = await RabbitMq.start();
});
Deno.test.afterAll(async () => {
  await rabbit[Symbol.asyncDispose]();
});

Deno.test("a pika client drives our service", async () => {
  const tag = "interop.ours";
  await using _service = await PrimaryService.start({
    broker: resolveBroker({ url: rabbit.url }),
    serviceName: "ours",
    tag,
    schema: z.looseObject({ n: z.int() }),
    handler: {
      onRequest: (_id, { n }, { signal, progress }) => {
        if (n === 0) throw new Error("nothing to do");
        if (n !== HELD) return { n, list: [n, "a"], file: "/run.h5", nothing: null, yes: true };
        progress("held");
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      },
      onKill: () => {},
    },
  });
  await using peer = await PythonPeer.start(rabbit, "client", tag);
  const send = async (request: unknown): Promise<string> => {
    await peer.tell({ request });
    const { sent } = await peer.next();
    ok(sent !== undefined);
    return sent;
  };

  for (const n of [1, 127, 128, 1000, 40_000, 3_000_000_000, 2 ** 53 - 1].flatMap((n) => [n, -n])) {
    const id = await send({ n });
    const common = { id, source: "ours", request: { n } };
    deepStrictEqual(await peer.statuses(id), [
      { ...common, action: "request_start", message: null },
      {
        ...common,
        action: "request_success",
        message: { n, list: [n, "a"], file: "/run.h5", nothing: null, yes: true },
      },
    ]);
  }
  const failing = await send({ n: 0 });
  deepStrictEqual((await peer.statuses(failing)).map(({ message }) => message), [
    null,
    "nothing to do",
  ]);
  const refused = await send({ n: "many" });
  const [refusal] = await peer.statuses(refused);
  strictEqual(refusal?.action, "request_fail");

  const held = await send({ n: HELD });
  deepStrictEqual((await peer.next()).action, "request_start");
  deepStrictEqual((await peer.next()).message, "held");
  await peer.tell({ kill: held });
  const [end] = await peer.statuses(held);
  deepStrictEqual([end?.action, end?.message], ["request_fail", "Interrupted."]);
});

Deno.test("our client drives a pika service", async () => {
  const tag = "interop.theirs";
  await using peer = await PythonPeer.start(rabbit, "service", "theirs", tag);
  await using client = await BrokerClient.connect({ broker: resolveBroker({ url: rabbit.url }) });
  const sent = await client.send(tag, { n: 300 }, { headers: { who: "ours" } });
  const done = await client.wait(sent, END);
  deepStrictEqual(await peer.next(), { headers: { who: "ours" }, request: { n: 300 } });
  strictEqual(done.status, "request_success");
  deepStrictEqual({ ...done.services }, {
    theirs: [
      { action: "request_start", message: null },
      { action: "request_success", message: { got: 300 } },
    ],
  });
  const failed = await client.request(tag, { n: 1, fail: "ERROR: no" }, END);
  deepStrictEqual(failed.services.theirs?.at(-1), {
    action: "request_fail",
    message: "ERROR: no",
  });
  const held = await client.send(tag, { hold: true });
  await client.kill(tag, held);
  // A killed request of the original succeeds, with no result.
  deepStrictEqual((await client.wait(held, END)).services.theirs?.at(-1), {
    action: "request_success",
    message: null,
  });
});

Deno.test("post-processing: ours follows a pika service, a pika one follows ours", async () => {
  const broker = resolveBroker({ url: rabbit.url });
  await using _primary = await PythonPeer.start(rabbit, "service", "their.writer", "interop.post");
  await using _ours = await PostprocessingService.start({
    broker,
    serviceName: "our.validator",
    primary: "their.writer",
    schema: z.unknown(),
    handler: { onRequest: (_id, _request, { result }) => ({ checked: result }) },
  });
  await using _theirs = await PythonPeer.start(
    rabbit,
    "postprocessing",
    "their.archiver",
    "our.validator",
  );
  await using client = await BrokerClient.connect({ broker });
  const services = ["their.writer", "our.validator", "their.archiver"];
  const outcome = await client.request("interop.post", { n: 5 }, { ...END, services });
  strictEqual(outcome.status, "request_success");
  deepStrictEqual(services.map((name) => outcome.services[name]?.at(-1)?.message), [
    { got: 5 },
    { checked: { got: 5 } },
    "checked",
  ]);
  const failed = await client.request("interop.post", { fail: "no beam" }, {
    ...END,
    services: services.slice(0, 2),
  });
  deepStrictEqual(
    failed.services["our.validator"]?.at(-1)?.message,
    "Primary service their.writer failure. no beam",
  );
});
