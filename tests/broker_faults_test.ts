/** lib/broker where things go wrong: networks that drop, delay and halve, poison, and long use. */
import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Connection, type Envelope } from "rabbitmq-client";
import { z } from "zod";
import {
  BrokerClient,
  PostprocessingService,
  PrimaryService,
  resolveBroker,
} from "../lib/broker/mod.ts";
import { PythonPeer, RabbitMq, TcpProxy, TestProcess, within } from "./harness/mod.ts";

let rabbit: RabbitMq;
Deno.test.beforeAll(async () => {
  rabbit = await RabbitMq.start();
});
Deno.test.afterAll(async () => {
  await rabbit[Symbol.asyncDispose]();
});

const END = { timeoutMs: 60_000 };
let tags = 0;
/** A tag that no other test uses; services are named after it. */
const newTag = (): string => `test.faults.t${++tags}`;

function connect(url = rabbit.url, onNote = (_: string): void => {}): Promise<BrokerClient> {
  return BrokerClient.connect({ broker: resolveBroker({ url }), onNote });
}

/** The broker's address by way of a proxy. */
function through(proxy: TcpProxy, query = ""): string {
  return rabbit.url.replace(String(rabbit.port), String(proxy.port)) + query;
}

/** A service that answers `{ n }` with n, and what it says of its connection. */
async function echo(tag: string, url = rabbit.url, queue?: string): Promise<
  { service: PrimaryService; notes: string[]; noted: (pattern: RegExp) => Promise<void> }
> {
  const notes: string[] = [];
  const waiting: { pattern: RegExp; resolve: () => void }[] = [];
  const service = await PrimaryService.start({
    broker: resolveBroker({ url }),
    serviceName: tag,
    tag,
    schema: z.looseObject({ n: z.int() }),
    handler: { onRequest: (_id, { n }) => n },
    ...(queue !== undefined && { queue }),
    onNote: (note) => {
      notes.push(note);
      for (const { pattern, resolve } of waiting) if (pattern.test(note)) resolve();
    },
  });
  const noted = (pattern: RegExp): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push({ pattern, resolve });
    return within(String(pattern), 60_000, promise);
  };
  return { service, notes, noted };
}

/** Asks until the service is bound again; tells the answer. */
async function answer(client: BrokerClient, tag: string, n: number): Promise<unknown> {
  for (;;) {
    try {
      const outcome = await client.request(tag, { n }, END);
      return outcome.services[tag]?.at(-1)?.message;
    } catch (error) {
      if (!(error instanceof Error && error.name === "UnroutableError")) throw error;
    }
  }
}

Deno.test("a slow network: everything gets there, in order", async () => {
  const tag = newTag();
  await using proxy = new TcpProxy(rabbit.port);
  const { service } = await echo(tag, through(proxy));
  await using _service = service;
  await using client = await connect(through(proxy));
  proxy.delay(20);
  const ids = await Promise.all(
    Array.from({ length: 8 }, (_, n) => client.send(tag, { n })),
  );
  for (const [n, id] of ids.entries()) {
    deepStrictEqual((await client.wait(id, END)).services[tag]?.at(-1)?.message, n);
  }
});

Deno.test("a connection that breaks in the middle of a frame comes back, and what was asked is answered", async () => {
  const tag = newTag();
  await using proxy = new TcpProxy(rabbit.port);
  const { service, noted } = await echo(tag, through(proxy), `${tag}.queue`);
  await using _service = service;
  await using client = await connect();
  for (let n = 1; n <= 3; n++) {
    const back = noted(/connected to .* again/);
    proxy.halve();
    // The request on its way to the service, or the service's status, is cut in two.
    const id = await client.send(tag, { n });
    await back;
    // It was answered, or it is told that it will not be: nothing vanishes.
    const said = (await client.wait(id, END)).services[tag] ?? [];
    const { action, message } = said.at(-1) ?? {};
    match(String(action), /^request_(success|fail)$/, "the end is the last that is said");
    if (message !== n) match(String(message), /^Another instance began this request/);
    deepStrictEqual(await answer(client, tag, 10 * n), 10 * n);
  }
});

Deno.test("a network that swallows everything without a word is noticed by its silence", async () => {
  const tag = newTag();
  await using proxy = new TcpProxy(rabbit.port);
  const { service, noted } = await echo(tag, through(proxy, "?heartbeat=1"));
  await using _service = service;
  await using client = await connect();
  deepStrictEqual(await answer(client, tag, 1), 1);
  const lost = noted(/lost the connection to .*, trying again/);
  proxy.swallow();
  await lost;
  strictEqual(service.isConnected, false);
  const back = noted(/connected to .* again/);
  proxy.mend();
  await back;
  deepStrictEqual(await answer(client, tag, 2), 2);
});

Deno.test("a service that owes nothing stops at once while the broker is away", async () => {
  await using proxy = new TcpProxy(rabbit.port);
  const { service, noted } = await echo(newTag(), through(proxy));
  const lost = noted(/lost the connection to .*, trying again/);
  proxy.cut();
  await lost;
  // By then it waits for another connection, for which the library gives it 20 s.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const begin = performance.now();
  await service.stop();
  ok(performance.now() - begin < 2_000);
});

Deno.test("poison in every exchange: nobody dies of it, and the next request is served", async () => {
  const tag = newTag();
  const { service } = await echo(tag);
  await using _service = service;
  await using _post = await PostprocessingService.start({
    broker: resolveBroker({ url: rabbit.url }),
    serviceName: `${tag}.post`,
    primary: tag,
    schema: z.unknown(),
    handler: { onRequest: () => "checked" },
  });
  await using client = await connect();
  const all = client.statuses();
  const connection = new Connection(rabbit.url);
  const channel = await connection.acquire();
  const send = (envelope: Partial<Envelope>, body: string | Uint8Array): Promise<void> =>
    channel.basicPublish({ routingKey: tag, exchange: "request", ...envelope }, Buffer.from(body));
  const bodies: (string | Uint8Array)[] = [
    "",
    "{",
    "null",
    "[".repeat(200_000),
    '{"n":'.repeat(50_000),
    `{"n": ${"9".repeat(100_000)}}`,
    '{"__proto__": {"n": 1}, "constructor": 1}',
    '{"n": 1, "n": 2}',
    "\u0000\u0001",
    Uint8Array.of(0xff, 0xfe, 0x00),
    new Uint8Array(300_000).fill(0x20),
  ];
  const oddities: Partial<Envelope>[] = [
    { correlationId: "poison" },
    { correlationId: "x".repeat(255) },
    { correlationId: "../../etc/passwd", contentType: "application/json" },
    { correlationId: "y", contentType: "text/plain", contentEncoding: "gzip" },
    { correlationId: "z", headers: { action: { a: [1, null] }, source: 7, message: "\u0000" } },
    {},
    ...["constructor", "__proto__", "toString"].map((source) => ({
      correlationId: "w",
      headers: { action: "request_fail", source, message: "no" },
    })),
  ];
  for (const body of bodies) {
    for (const exchange of ["request", "status", "kill"]) {
      await send({ exchange, correlationId: crypto.randomUUID() }, body);
      await send({ exchange, headers: { action: "request_success", source: tag } }, body);
    }
  }
  for (const odd of oddities) {
    for (const exchange of ["request", "status", "kill"]) await send({ ...odd, exchange }, "{}");
  }
  await channel.close();
  await connection.close();
  const outcome = await client.request(tag, { n: 7 }, { ...END, services: [tag, `${tag}.post`] });
  deepStrictEqual(outcome.services[tag]?.at(-1), { action: "request_success", message: 7 });
  deepStrictEqual(outcome.services[`${tag}.post`]?.at(-1)?.message, "checked");
  const { value } = await all.next();
  ok(value !== undefined, "the stream of statuses goes on");
});

Deno.test("headers that are nested too deep cost no connection", async () => {
  const tag = newTag();
  const { service, notes } = await echo(tag, rabbit.url, `${tag}.queue`);
  await using _service = service;
  const told: string[] = [];
  await using client = await connect(rabbit.url, (note) => void told.push(note));
  // By pika: rabbitmq-client could not even write these.
  await using sender = await PythonPeer.start(rabbit, "sender", tag);
  const send = (exchange: string, depth: number): Promise<string> =>
    sender.order({ exchange, depth });
  for (const depth of [90, 1_000, 20_000]) {
    await send("kill", depth);
    const status = await send("status", depth);
    const request = await send("request", depth);
    strictEqual((await client.wait(request, END)).status, "request_success");
    if (depth > 10_000) continue; // its headers could not be read at all
    const said = (await client.wait(status, END)).services["sender"] ?? [];
    const message = JSON.stringify(said.at(-1)?.message);
    if (depth === 90) match(message, /^\[{90}1\]{90}$/);
    else strictEqual(message, '"(left out: it is nested deeper than 100 levels)"');
  }
  const killed = "request is to be killed, and does not run here";
  deepStrictEqual(
    notes.map((note) => note.replace(/^request \S+/, "request")),
    Array(3).fill(killed),
  );
  deepStrictEqual(told, ["a malformed status was ignored"]);
});

Deno.test("results that no status can carry are answered, and the next request is served", async () => {
  const tag = newTag();
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const deep: unknown = Array.from({ length: 200 }).reduce<unknown>((inner) => [inner], 1);
  const throwing = {
    toJSON(): never {
      throw new Error("no form");
    },
  };
  const results: [unknown, RegExp][] = [
    [new Array(20_000).fill(7), /^request_success \(180005 bytes left out: .* at most 100000\)$/],
    [{ text: "ü".repeat(60_000) }, /^request_success \(120015 bytes left out: /],
    ["x".repeat(200_000), /^request_success x{25000}…$/],
    [new Array(11_000).fill(7), /^request_success 7,7,7/],
    [-1e300, /^request_success -1e\+300$/],
    [2n ** 70n, /^request_success 1180591620717411303424$/],
    [circle, /^request_fail The result cannot be written as JSON: .*circular/],
    [
      deep,
      /^request_fail The result cannot be written as JSON: it is nested deeper than 100 levels/,
    ],
    [throwing, /^request_fail The result cannot be written as JSON: no form$/],
  ];
  const notes: string[] = [];
  await using _service = await PrimaryService.start({
    broker: resolveBroker({ url: rabbit.url }),
    serviceName: tag,
    tag,
    schema: z.looseObject({ n: z.int() }),
    handler: {
      onRequest: (_id, { n }, { progress }) => {
        progress(n % 2 === 0 ? circle : results[n]?.[0]);
        return results[n]?.[0];
      },
    },
    onNote: (note) => void notes.push(note),
  });
  await using client = await connect();
  for (const [n, [, expected]] of results.entries()) {
    const said = (await client.request(tag, { n }, END)).services[tag] ?? [];
    const { action, message } = said.at(-1) ?? {};
    match(`${action} ${message}`, expected);
  }
  match(notes.join("\n"), /progress was not told: .*circular/);
});

Deno.test("a message that fits into no frame is refused at once", async () => {
  const tag = newTag();
  const { service } = await echo(tag);
  await using _service = service;
  await using client = await connect();
  const headers = { much: "x".repeat(200_000) };
  await rejects(client.send(tag, { n: 1 }, { headers }), /refused a message: frame size of \d+/);
  deepStrictEqual(await answer(client, tag, 2), 2);
});

/** A service as a process of its own, whose memory can be asked for. */
async function startEcho(tag: string, ...more: string[]): Promise<TestProcess> {
  const script = new URL("./broker/echo_service.ts", import.meta.url).pathname;
  const process = new TestProcess("echo", Deno.execPath(), [
    ...["run", "--quiet", "--no-prompt", "--v8-flags=--expose-gc"],
    ...["--allow-env=BROKER_*", "--allow-net=127.0.0.1", script, tag, ...more],
  ], { env: { BROKER_URL: rabbit.url } });
  await process.ready();
  return process;
}

/** Has so many requests carried out, sent without waiting for each other; each must end well. */
async function run(client: BrokerClient, tag: string, count: number): Promise<void> {
  const statuses = client.statuses();
  const sent = Promise.all(Array.from({ length: count }, (_, n) => client.send(tag, { n })));
  const open = new Map<string, unknown>();
  let done = 0;
  for await (const { requestId, action, message, request } of statuses) {
    if (action === "request_start") open.set(requestId, request);
    if (action === "request_fail") throw new Error(`${requestId}: ${message}`);
    if (action !== "request_success") continue;
    deepStrictEqual(open.get(requestId), { n: message });
    open.delete(requestId);
    if (++done === count) break;
  }
  strictEqual(new Set(await sent).size, count);
  strictEqual(open.size, 0);
}

async function heap(client: BrokerClient, tag: string): Promise<number> {
  const outcome = await client.request(tag, { heap: true }, END);
  const message = outcome.services["echo"]?.at(-1)?.message;
  ok(typeof message === "number", String(message));
  return message;
}

/** What a request may leave behind on average, bytes. */
const LEFT_OVER = 50;

Deno.test("10 000 requests in a row: each is answered once, and memory does not grow", async () => {
  const tag = newTag();
  await using _service = await startEcho(tag);
  await using client = await connect();
  await run(client, tag, 2_000); // until everything is compiled and all that is remembered is full
  const before = await heap(client, tag);
  for (let batch = 0; batch < 8; batch++) await run(client, tag, 1_000);
  const perRequest = (await heap(client, tag) - before) / 8_000;
  ok(perRequest < LEFT_OVER, `${perRequest} bytes of each request are left`);
});

Deno.test("a service that keeps something of each request would be noticed", async () => {
  const tag = newTag();
  await using _service = await startEcho(tag, "leak");
  await using client = await connect();
  await run(client, tag, 300);
  const before = await heap(client, tag);
  await run(client, tag, 300);
  const perRequest = (await heap(client, tag) - before) / 300;
  ok(perRequest > 10 * LEFT_OVER, `${perRequest} bytes of each request are left`);
});
