/** Requests, kills and statuses through a real RabbitMQ: what lib/broker promises. */
import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Connection } from "rabbitmq-client";
import { z } from "zod";
import {
  BrokerClient,
  BrokerError,
  type BrokerServiceOptions,
  PostprocessingService,
  PrimaryService,
  QueueFullError,
  type RequestOutcome,
  resolveBroker,
  type Status,
  UnroutableError,
} from "../lib/broker/mod.ts";
import { testContext } from "../services/daq/_test_context.ts";
import { runDaq } from "../services/daq/program.ts";
import { RabbitMq, TcpProxy, TestProcess, until } from "./harness/mod.ts";

let rabbit: RabbitMq;
Deno.test.beforeAll(async () => {
  rabbit = await RabbitMq.start({ tls: true });
});
Deno.test.afterAll(async () => {
  await rabbit[Symbol.asyncDispose]();
});

const schema = z.looseObject({ n: z.int().min(1) });
type Request = z.infer<typeof schema>;
/** An end that waits for as long as a loaded machine may take. */
const END = { timeoutMs: 60_000 };

/** What waits in a named queue at most. */
const LIMITS = {
  "x-max-length": 100_000,
  "x-max-length-bytes": 2 ** 30,
  "x-delivery-limit": 10,
};

let tags = 0;
/** A tag that no other test uses; services are named after it. */
const newTag = (): string => `test.broker.t${++tags}`;

function service(
  tag: string,
  handler: BrokerServiceOptions<Request>["handler"],
  options: Partial<BrokerServiceOptions<Request>> = {},
): Promise<PrimaryService> {
  return PrimaryService.start({
    broker: resolveBroker({ url: rabbit.url }),
    serviceName: `${tag}.service`,
    tag,
    schema,
    handler,
    ...options,
  });
}

function client(url = rabbit.url, onNote = (_: string): void => {}): Promise<BrokerClient> {
  return BrokerClient.connect({ broker: resolveBroker({ url }), onNote });
}

/** Says what a service said of a request: `action message`. */
function said({ services }: RequestOutcome): string[] {
  return Object.values(services).flat().map(({ action, message }) => `${action} ${message}`);
}

/** Messages as anybody may send them. */
async function sendRaw(
  tag: string,
  body: Uint8Array | string,
  properties: { correlationId?: string; contentType?: string } = {},
): Promise<void> {
  const connection = new Connection(rabbit.url);
  const channel = await connection.acquire();
  const envelope = { exchange: "request", routingKey: tag, ...properties };
  await channel.basicPublish(envelope, Buffer.from(body));
  await channel.close();
  await connection.close();
}

/** A handler whose requests end when the test says so. */
class Held {
  readonly started = Promise.withResolvers<string>();
  readonly finish = Promise.withResolvers<unknown>();
  readonly ran: string[] = [];
  readonly killed: string[] = [];
  signal: AbortSignal | undefined;

  onRequest(requestId: string, _: Request, { signal }: { signal: AbortSignal }): Promise<unknown> {
    this.ran.push(requestId);
    this.signal = signal;
    this.started.resolve(requestId);
    const aborted = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => aborted.reject(signal.reason));
    return Promise.race([this.finish.promise, aborted.promise]);
  }

  onKill(requestId: string): void {
    this.killed.push(requestId);
  }
}

Deno.test("a request is started, carried out, and its result told", async () => {
  const tag = newTag();
  await using _service = await service(tag, {
    onRequest: (_id, { n }, { progress }) => {
      progress({ done: n });
      return { doubled: 2 * n, list: [1, 300, 70_000, 2 ** 40], nothing: null, half: 0.5 };
    },
  });
  await using asker = await client();
  const outcome = await asker.request(tag, { n: 150 }, END);
  strictEqual(outcome.status, "request_success");
  deepStrictEqual(outcome.request, { n: 150 });
  deepStrictEqual({ ...outcome.services }, {
    [`${tag}.service`]: [
      { action: "request_start", message: null },
      { action: "request_progress", message: { done: 150 } },
      {
        action: "request_success",
        message: { doubled: 300, list: [1, 300, 70_000, 2 ** 40], nothing: null, half: 0.5 },
      },
    ],
  });
});

Deno.test("a request whose handler throws fails with its message, and the next is served", async () => {
  const tag = newTag();
  await using _service = await service(tag, {
    onRequest: (_id, { n }) => {
      if (n === 1) throw new Error("no disk");
      return n;
    },
  });
  await using asker = await client();
  const first = await asker.request(tag, { n: 1 }, END);
  strictEqual(first.status, "request_fail");
  deepStrictEqual(said(first), ["request_start null", "request_fail no disk"]);
  strictEqual((await asker.request(tag, { n: 2 }, END)).status, "request_success");
});

Deno.test("a killed request is aborted, its handler told, and ends as failed: Interrupted.", async () => {
  const tag = newTag();
  const held = new Held();
  await using _service = await service(tag, held);
  await using asker = await client();
  const id = await asker.send(tag, { n: 1 });
  strictEqual(await held.started.promise, id);
  await asker.kill(tag, crypto.randomUUID()); // of somebody else's request: ignored
  await asker.kill(tag, id);
  const outcome = await asker.wait(id, END);
  deepStrictEqual(said(outcome), ["request_start null", "request_fail Interrupted."]);
  deepStrictEqual(held.killed, [id]);
  strictEqual(held.signal?.aborted, true);
});

Deno.test("a killed request ends as success where clients of the original expect it", async () => {
  const tag = newTag();
  const held = new Held();
  await using _service = await service(tag, held, { killedEndsAs: "success" });
  await using asker = await client();
  const id = await asker.send(tag, { n: 1 });
  await held.started.promise;
  await asker.kill(tag, id);
  const outcome = await asker.wait(id, END);
  deepStrictEqual(said(outcome), ["request_start null", "request_success null"]);
});

Deno.test("a service without a kill handler says so, ends the request, and lives on", async () => {
  const tag = newTag();
  const held = new Held();
  const notes: string[] = [];
  await using _service = await service(tag, { onRequest: held.onRequest.bind(held) }, {
    onNote: (note) => void notes.push(note),
  });
  await using asker = await client();
  const id = await asker.send(tag, { n: 1 });
  await held.started.promise;
  await asker.kill(tag, id);
  const outcome = await asker.wait(id, END);
  const hint = `${tag}.service has no kill handler: the request ends when it heeds its signal`;
  deepStrictEqual(said(outcome), [
    "request_start null",
    `request_progress ${hint}`,
    "request_fail Interrupted.",
  ]);
  deepStrictEqual(notes, [`request ${id} killed; ${hint}`]);
  held.finish.resolve("again");
  strictEqual((await asker.request(tag, { n: 2 }, END)).status, "request_success");
});

Deno.test("a request that is killed while it waits in the queue is not started", async () => {
  const tag = newTag();
  const held = new Held();
  await using _service = await service(tag, held);
  await using asker = await client();
  const first = await asker.send(tag, { n: 1 });
  await held.started.promise;
  const second = await asker.send(tag, { n: 2 });
  await asker.kill(tag, second);
  await asker.kill(tag, first); // kills arrive in order: when this one has, so has the other
  deepStrictEqual(said(await asker.wait(second, END)), ["request_fail Interrupted."]);
  strictEqual((await asker.wait(first, END)).status, "request_fail");
  deepStrictEqual(held.ran, [first]);
});

Deno.test("malformed messages fail with the reason, and the service stays alive", async () => {
  const tag = newTag();
  await using _service = await service(tag, { onRequest: (_id, { n }) => n }, {
    maxRequestBytes: 1000,
  });
  await using asker = await client();
  const cases: [Uint8Array | string, RegExp][] = [
    ["{", /not JSON in UTF-8/],
    ["", /not JSON in UTF-8/],
    [Uint8Array.of(0x22, 0xff, 0xfe, 0x22), /not JSON in UTF-8/],
    ["[1]", /not as it must be: .*object/],
    ['{"n": 0}', /not as it must be: n: /],
    [`{"n": 1, "more": "${"x".repeat(1000)}"}`, /has 1020 bytes, more than the 1000 allowed/],
  ];
  for (const [body, reason] of cases) {
    const id = crypto.randomUUID();
    await sendRaw(tag, body, { correlationId: id });
    const outcome = await asker.wait(id, END);
    strictEqual(outcome.status, "request_fail");
    match(said(outcome).join(), reason);
    deepStrictEqual(outcome.request, {}); // what was sent would end a client of the original
  }
  const reader = asker.statuses();
  await sendRaw(tag, "{}");
  const { value } = await reader.next();
  match(String(value?.message), /no correlation_id/);
  strictEqual((await asker.request(tag, { n: 7 }, END)).status, "request_success");
});

Deno.test("a body with a content type is taken as well", async () => {
  const tag = newTag();
  await using _service = await service(tag, { onRequest: (_id, { n }) => n });
  await using asker = await client();
  for (const contentType of ["application/json", "text/plain", "application/x-nothing"]) {
    const correlationId = crypto.randomUUID();
    await sendRaw(tag, '{"n": 5}', { correlationId, contentType });
    const outcome = await asker.wait(correlationId, END);
    deepStrictEqual(said(outcome), ["request_start null", "request_success 5"]);
  }
});

Deno.test("a body is the bytes that were sent, whatever content type was told", async () => {
  const tag = newTag();
  let got: unknown;
  await using _service = await service(tag, { onRequest: (_id, request) => void (got = request) });
  await using asker = await client();
  for (const contentType of ["application/json", "text/plain", undefined]) {
    const type = contentType === undefined ? {} : { contentType };
    const exact = crypto.randomUUID();
    await sendRaw(tag, '{"n": 5, "pulse": 9007199254740993}', { correlationId: exact, ...type });
    strictEqual((await asker.wait(exact, END)).status, "request_success");
    deepStrictEqual(got, { n: 5, pulse: 9007199254740993n });
    const odd = crypto.randomUUID();
    const bytes = Uint8Array.from('{"n": 5, "text": "\u00ff"}', (c) => c.charCodeAt(0));
    await sendRaw(tag, bytes, { correlationId: odd, ...type });
    match(said(await asker.wait(odd, END)).join(), /^request_fail .*not JSON in UTF-8/);
  }
});

Deno.test("a request that no service is bound for is reported to its sender", async () => {
  await using asker = await client();
  await rejects(
    asker.send("nobody.is.here", { n: 1 }),
    (error) =>
      error instanceof UnroutableError && /bound for "nobody\.is\.here"/.test(error.message),
  );
  await rejects(asker.kill("nobody.is.here", "x"), UnroutableError);
});

Deno.test("a request of the same id is run once", async () => {
  const tag = newTag();
  const ran: number[] = [];
  await using _service = await service(tag, { onRequest: (_id, { n }) => void ran.push(n) });
  await using asker = await client();
  const id = await asker.send(tag, { n: 1 });
  await asker.send(tag, { n: 2 }, { requestId: id });
  await asker.request(tag, { n: 3 }, END);
  deepStrictEqual(ran, [1, 3]);
});

Deno.test("a request that takes too long is aborted; one that does not heed it is left behind", async () => {
  const tag = newTag();
  const held = new Held();
  await using _heeding = await service(tag, held, { timeLimitMs: 50 });
  const stubborn = Promise.withResolvers<void>();
  await using _stubborn = await service(`${tag}.stubborn`, {
    onRequest: (_id, { n }) => n === 1 ? stubborn.promise : n,
  }, { timeLimitMs: 50, graceMs: 50 });
  await using asker = await client();
  const late = "request_fail Not done within the time limit of 0.05 s.";
  const outcome = await asker.request(tag, { n: 1 }, END);
  deepStrictEqual(said(outcome), ["request_start null", late]);
  const left = await asker.request(`${tag}.stubborn`, { n: 1 }, END);
  deepStrictEqual(said(left), ["request_start null", late]);
  const next = await asker.request(`${tag}.stubborn`, { n: 2 }, END);
  deepStrictEqual(said(next), ["request_start null", "request_success 2"]);
  stubborn.resolve();
});

Deno.test("a service that stops fails what it was at", async () => {
  const tag = newTag();
  const held = new Held();
  const worker = await service(tag, held);
  await using asker = await client();
  const id = await asker.send(tag, { n: 1 });
  await held.started.promise;
  await worker.stop();
  deepStrictEqual(said(await asker.wait(id, END)), [
    "request_start null",
    "request_fail Interrupted. The service was stopped.",
  ]);
});

Deno.test("requests that wait in a service's own queue are told when it stops; later ones find nobody", async () => {
  const tag = newTag();
  const held = new Held();
  const worker = await service(tag, held);
  await using asker = await client();
  const id = await asker.send(tag, { n: 1 });
  await held.started.promise;
  const waiting = [];
  for (let n = 2; n <= 50; n++) waiting.push(await asker.send(tag, { n }));
  await sendRaw(tag, "{", { correlationId: "malformed" });
  await worker.stop();
  for (const each of waiting) {
    deepStrictEqual(said(await asker.wait(each, END)), [
      "request_fail The service stopped before it began this request. Send it again.",
    ]);
  }
  match(said(await asker.wait("malformed", END)).join(), /^request_fail .* not JSON/);
  strictEqual((await asker.wait(id, END)).status, "request_fail");
  deepStrictEqual(held.ran, [id]);
  deepStrictEqual(worker.counts, { done: 0, failed: 1, refused: 50 });
  await rejects(asker.send(tag, { n: 51 }), UnroutableError);
});

Deno.test("what a post-processing service has not begun when it stops is told", async () => {
  const tag = newTag();
  const primary = `${tag}.service`;
  const serviceName = `${tag}.validator`;
  await using _primary = await service(tag, {
    onRequest: (_id, { n }) => {
      if (n === 3) throw new Error("disk full");
      return n;
    },
  });
  const held = new Held();
  const validator = await PostprocessingService.start({
    broker: resolveBroker({ url: rabbit.url }),
    serviceName,
    primary,
    schema,
    handler: held,
  });
  await using asker = await client();
  const ids = [await asker.send(tag, { n: 1 })];
  await held.started.promise;
  // Of these only the primary says anything.
  for (const n of [2, 3]) ids.push((await asker.request(tag, { n }, END)).requestId);
  await validator.stop();
  const ends: unknown[] = [];
  for (const id of ids) {
    const { services } = await asker.wait(id, { ...END, services: [serviceName] });
    ends.push(services[serviceName]?.at(-1)?.message);
  }
  deepStrictEqual(ends, [
    "Interrupted. The service was stopped.",
    "The service stopped before it began this request. Send it again.",
    `Primary service ${primary} failure. disk full`,
  ]);
  deepStrictEqual(held.ran, ids.slice(0, 1));
});

Deno.test("post-processing follows a success and passes a failure on", async () => {
  const tag = newTag();
  await using _primary = await service(tag, {
    onRequest: (_id, { n }) => {
      if (n === 1) throw new Error("disk full");
      return { file: "/run.h5" };
    },
  });
  const results: unknown[] = [];
  const primary = `${tag}.service`;
  const serviceName = `${tag}.validator`;
  await using _validator = await PostprocessingService.start({
    broker: resolveBroker({ url: rabbit.url }),
    serviceName,
    primary,
    schema,
    handler: {
      onRequest: (_id, { n }, { result }) => {
        results.push(n, result);
        return "valid";
      },
    },
  });
  await using asker = await client();
  const expected = { ...END, services: [primary, serviceName] };
  const good = await asker.request(tag, { n: 2 }, expected);
  strictEqual(good.status, "request_success");
  deepStrictEqual(good.services[serviceName], [
    { action: "request_start", message: null },
    { action: "request_success", message: "valid" },
  ]);
  deepStrictEqual(results, [2, { file: "/run.h5" }]);

  const bad = await asker.request(tag, { n: 1 }, expected);
  strictEqual(bad.status, "request_fail");
  const message = `Primary service ${primary} failure. disk full`;
  deepStrictEqual(bad.services[serviceName], [{ action: "request_fail", message }]);
  // Of any form, and told twice, as after a lost connection.
  const connection = new Connection(rabbit.url);
  const publisher = connection.createPublisher({ confirm: true });
  const correlationId = crypto.randomUUID();
  const headers = { action: "request_fail", source: primary, message: { code: 7 } };
  const failure = { exchange: "status", routingKey: tag, correlationId, headers };
  for (let i = 0; i < 2; i++) await publisher.send(failure, Buffer.from("{}"));
  await publisher.close();
  await connection.close();
  strictEqual((await asker.request(tag, { n: 3 }, expected)).status, "request_success");
  const { services } = await asker.wait(correlationId, expected);
  deepStrictEqual(services[serviceName], [
    { action: "request_fail", message: `Primary service ${primary} failure. {"code":7}` },
  ]);
  results.length = 2;
  deepStrictEqual(results, [2, { file: "/run.h5" }]);
});

Deno.test("instances with the same named queue share the requests", async () => {
  const tag = newTag();
  const [left, right] = [new Held(), new Held()];
  const queue = `${tag}.queue`;
  await using _left = await service(tag, left, { queue });
  await using _right = await service(tag, right, { queue });
  await using asker = await client();
  const ids = [await asker.send(tag, { n: 1 }), await asker.send(tag, { n: 2 })];
  // Each is at one of them: neither waits for the other.
  const taken = await Promise.all([left.started.promise, right.started.promise]);
  deepStrictEqual(taken.sort(), ids.sort());
  // What comes now waits at the broker, for the first that is free.
  for (let n = 3; n <= 6; n++) ids.push(await asker.send(tag, { n }));
  right.finish.resolve("right");
  for (const id of ids.slice(2)) {
    deepStrictEqual(said(await asker.wait(id, END)).at(-1), "request_success right");
  }
  left.finish.resolve("left");
  for (const id of ids) strictEqual((await asker.wait(id, END)).status, "request_success");
  deepStrictEqual([...left.ran, ...right.ran].sort(), ids.sort());

  // RabbitMQ carries quorum queues from node to node; it tells when one is of another type.
  const connection = new Connection(rabbit.url);
  const other = { "x-queue-type": "classic", "x-overflow": "reject-publish", ...LIMITS } as const;
  const classic = connection.queueDeclare({ queue, durable: true, arguments: other });
  await rejects(classic, /inequivalent arg 'x-queue-type'.*'quorum'/);
  await connection.close();
});

Deno.test("a named queue whose service has another tag now: requests to the former are not carried out", async () => {
  const tag = newTag();
  const queue = `${tag}.queue`;
  const ran: number[] = [];
  const handler = { onRequest: (_id: string, { n }: Request): void => void ran.push(n) };
  const before = await service(`${tag}.one`, handler, { queue });
  await before.stop();
  await using _now = await service(`${tag}.two`, handler, { queue });
  await using asker = await client();
  match(
    said(await asker.request(`${tag}.one`, { n: 1 }, END)).join(),
    /^request_fail The service is for requests to \S+\.two: its queue was still bound for "\S+\.one"/,
  );
  await rejects(asker.send(`${tag}.one`, { n: 2 }), UnroutableError);
  strictEqual((await asker.request(`${tag}.two`, { n: 3 }, END)).status, "request_success");
  deepStrictEqual(ran, [3]);
});

Deno.test("a named queue that had a wider tag is narrowed by the first request that is not for it", async () => {
  const tag = newTag();
  const queue = `${tag}.queue`;
  const ran: number[] = [];
  const handler = { onRequest: (_id: string, { n }: Request): void => void ran.push(n) };
  const before = await service(`${tag}.#`, handler, { queue, serviceName: "before" });
  await before.stop();
  await using _now = await service(`${tag}.two`, handler, { queue });
  await using asker = await client();
  match(said(await asker.request(`${tag}.one`, { n: 1 }, END)).join(), /still bound for/);
  await rejects(asker.send(`${tag}.three`, { n: 2 }), UnroutableError);
  strictEqual((await asker.request(`${tag}.two`, { n: 3 }, END)).status, "request_success");
  deepStrictEqual(ran, [3]);
});

Deno.test("who sends a request to a full queue is told so at once", async () => {
  const tag = newTag();
  const queue = `${tag}.queue`;
  const connection = new Connection(rabbit.url);
  try {
    await connection.queueDeclare({
      queue,
      durable: true,
      arguments: { "x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish" },
    });
    await using asker = await client();
    await connection.queueBind({ queue, exchange: "request", routingKey: tag });
    await rejects(
      async () => {
        // The limit of a quorum queue is kept with a little delay.
        for (let n = 1; n < 1_000; n++) await asker.send(tag, { n });
      },
      (error) => error instanceof QueueFullError && error.message.includes(`"${tag}" is full`),
    );
    await connection.queueDelete({ queue });
  } finally {
    await connection.close();
  }
});

Deno.test("a named queue has limits: requests are refused, of statuses the oldest go", async () => {
  const tag = newTag();
  const handler = { onRequest: (): null => null };
  const [requests, statuses] = [`${tag}.requests`, `${tag}.statuses`];
  const primary = await service(tag, handler, { queue: requests });
  const follower = await PostprocessingService.start({
    broker: resolveBroker({ url: rabbit.url }),
    serviceName: `${tag}.validator`,
    primary: `${tag}.service`,
    queue: statuses,
    schema,
    handler,
  });
  await Promise.all([primary.stop(), follower.stop()]);
  const connection = new Connection(rabbit.url);
  try {
    // RabbitMQ refuses to declare a queue that is there with other limits.
    for (const queue of [requests, statuses]) {
      const limits = {
        ...LIMITS,
        "x-queue-type": "quorum",
        "x-overflow": queue === requests ? "reject-publish" : "drop-head",
      } as const;
      await connection.queueDeclare({ queue, durable: true, arguments: limits });
    }
  } finally {
    await connection.close();
  }
});

Deno.test("an instance that is stopped in mid-request leaves what waits to the others", async () => {
  const tag = newTag();
  const [left, right] = [new Held(), new Held()];
  const queue = `${tag}.queue`;
  await using stopping = await service(tag, left, { queue });
  await using _right = await service(tag, right, { queue });
  await using asker = await client();
  const ids: string[] = [];
  for (const n of [1, 2, 3]) ids.push(await asker.send(tag, { n }));
  const [stopped, kept] = await Promise.all([left.started.promise, right.started.promise]);
  const waiting = ids.find((id) => id !== stopped && id !== kept)!;
  await stopping.stop();
  deepStrictEqual(said(await asker.wait(stopped, END)), [
    "request_start null",
    "request_fail Interrupted. The service was stopped.",
  ]);
  right.finish.resolve("right");
  for (const id of [kept, waiting]) {
    deepStrictEqual(said(await asker.wait(id, END)), [
      "request_start null",
      "request_success right",
    ]);
  }
  deepStrictEqual([left.ran, right.ran], [[stopped], [kept, waiting]]);
});

/** A service set up from its command line. */
async function heldService(...args: string[]): Promise<TestProcess> {
  const script = new URL("./broker/held_service.ts", import.meta.url).pathname;
  const process = new TestProcess("held", Deno.execPath(), [
    ...["run", "--quiet", "--no-prompt", "--allow-env=BROKER_*", "--allow-net=127.0.0.1", script],
    ...args,
  ], { env: { BROKER_URL: rabbit.url } });
  await process.ready();
  return process;
}

Deno.test("a service set up from its command line: --killed-ends-as, --max-request-bytes; its log and counts", async () => {
  const tag = newTag();
  await using process = await heldService(
    ...["--tag", tag, "--killed-ends-as", "success", "--max-request-bytes", "6000"],
  );
  await using asker = await client();
  strictEqual((await asker.request(tag, { done: true }, END)).status, "request_success");
  const statuses = asker.statuses();
  const id = await asker.send(tag, { long: "x".repeat(5_000) });
  for await (const { action } of statuses) if (action === "request_start") break;
  await asker.kill(tag, id);
  strictEqual((await asker.wait(id, END)).status, "request_success");
  const circle = await asker.request(tag, { circle: true }, END);
  match(said(circle).at(-1)!, /^request_fail The result cannot be written as JSON/);
  const long = await asker.request(tag, { long: "x".repeat(6_000) }, END);
  match(said(long).join(), /^request_fail The request has 6011 bytes, more than the 6000 allowed/);
  await process.stop();
  const { requests_done, requests_failed, requests_refused } =
    process.log.findLast(({ message }) => message === "stats")!.properties;
  deepStrictEqual([requests_done, requests_failed, requests_refused], [1, 2, 1]);
  const logged = process.log.find(({ message }) =>
    /^request/.test(message) && message.includes(id)
  );
  match(String(logged?.properties["request"]), /^\{"long":"x{491}… \(5011 characters\)$/);
});

Deno.test("a request whose instance lost its connection is not run by another one", async () => {
  const tag = newTag();
  const queue = `${tag}.queue`;
  await using proxy = new TcpProxy(rabbit.port);
  const url = rabbit.url.replace(String(rabbit.port), String(proxy.port));
  const held = new Held();
  await using _first = await service(tag, held, { queue, broker: resolveBroker({ url }) });
  await using asker = await client();
  const id = await asker.send(tag, { n: 1 });
  await held.started.promise;
  const other = new Held();
  await using _second = await service(tag, other, { queue });
  proxy.cut();
  const refused = await asker.wait(id, END);
  match(said(refused).join(), /Another instance began this request and lost its connection/);
  deepStrictEqual(other.ran, []);

  proxy.mend();
  const end = (async (): Promise<Status> => {
    for await (const status of asker.statuses()) {
      if (status.action === "request_success") return status;
    }
    throw new Error("the client ended");
  })();
  held.finish.resolve("done after all");
  strictEqual((await end).message, "done after all");
});

Deno.test("a client that lost its connection hears again, and what it sent meanwhile gets there", async () => {
  const tag = newTag();
  await using proxy = new TcpProxy(rabbit.port);
  const url = rabbit.url.replace(String(rabbit.port), String(proxy.port));
  await using _service = await service(tag, { onRequest: (_id, { n }) => n });
  const again = Promise.withResolvers<void>();
  const notes: string[] = [];
  await using asker = await client(url, (note) => {
    notes.push(note);
    if (note.startsWith("connected to")) again.resolve();
  });
  proxy.cut();
  const sent = asker.send(tag, { n: 1 });
  proxy.mend();
  await sent;
  await again.promise;
  match(notes[0]!, /^lost the connection to amqp:\/\/127\.0\.0\.1:\d+, trying again: /);
  strictEqual((await asker.request(tag, { n: 2 }, END)).status, "request_success");
});

Deno.test("daq request asks and waits, daq kill ends, daq monitor shows", async () => {
  const tag = newTag();
  const held = new Held();
  await using _service = await service(tag, held);
  const at = ["--broker", rabbit.url];
  const [plain, aggregated] = [testContext(), testContext()];
  const monitors = [
    runDaq(["monitor", "--tag", `${tag}.#`, ...at], plain),
    runDaq(["monitor", "--agg", "--tag", `${tag}.#`, ...at], aggregated),
  ];
  await until("listening", () => plain.stderr !== "" && aggregated.stderr !== "");

  const asking = testContext();
  const asked = runDaq(["request", tag, '{"n": 1}', "--wait", ...at], asking);
  const id = await held.started.promise;
  strictEqual(await runDaq(["kill", tag, id, ...at], testContext()), 0);
  strictEqual(await asked, 1);
  strictEqual(asking.stdout, `${id}\n- ${tag}.service Interrupted.\n`);

  held.finish.resolve({ file: "/run.h5" });
  const other = testContext();
  const args = ["request", tag, '{"n": 2}', "--wait", "--json", ...at];
  strictEqual(await runDaq(args, other), 0);
  const answer = JSON.parse(other.stdout);
  strictEqual(answer.status, "request_success");
  const [first, second] = [id, String(answer.request_id)].map((id) =>
    `${id.slice(0, 4)}..${id.slice(-4)}`
  );
  await until(
    "the end on both",
    () => [plain, aggregated].every(({ stdout }) => stdout.includes("/run.h5")),
  );
  plain.stop();
  aggregated.stop();
  deepStrictEqual(await Promise.all(monitors), [0, 0]);
  deepStrictEqual(plain.stdout.trim().split("\n"), [
    `* ${first} ${tag}.service {"n":1}`,
    `- ${first} ${tag}.service Interrupted.`,
    `* ${second} ${tag}.service {"n":2}`,
    `+ ${second} ${tag}.service {"file":"/run.h5"}`,
  ]);
  deepStrictEqual(aggregated.stdout.trim().replace(/ \d+\.\d s/g, " T s").split("\n"), [
    `* ${first}  * ${tag}.service  {"n":1}`,
    `- ${first} T s  - ${tag}.service  {"n":1}`,
    `    ${tag}.service: Interrupted.`,
    `* ${second}  * ${tag}.service  {"n":2}`,
    `+ ${second} T s  + ${tag}.service  {"n":2}`,
    `    ${tag}.service: {"file":"/run.h5"}`,
  ]);
});

Deno.test("daq request says what is wrong", async () => {
  const at = ["--broker", rabbit.url];
  const nobody = testContext();
  strictEqual(await runDaq(["request", "nobody.is.here", "{}", ...at], nobody), 4);
  match(nobody.stderr, /^daq: no service is bound for "nobody\.is\.here"/);
  const broken = testContext();
  strictEqual(await runDaq(["request", "a", "{n: 1}", ...at], broken), 2);
  match(broken.stderr, /^daq: the request is not JSON: /);
  const where = testContext();
  strictEqual(await runDaq(["request", "a", "{}", "--broker", "daq-1"], where), 2);
  match(where.stderr, /^daq: broker address daq-1 is none; give one such as amqp:/);
});

Deno.test("the broker restarts in the middle of requests: they end well and are told", async () => {
  const tag = newTag();
  const [own, shared] = [new Held(), new Held()];
  await using _own = await service(`${tag}.own`, own);
  await using _shared = await service(`${tag}.shared`, shared, { queue: `${tag}.queue` });
  await using asker = await client();
  const ids = [
    await asker.send(`${tag}.own`, { n: 1 }),
    await asker.send(`${tag}.shared`, { n: 1 }),
  ];
  await Promise.all([own.started.promise, shared.started.promise]);
  const waiting = await asker.send(`${tag}.shared`, { n: 2 });
  await rabbit.halt();
  await rabbit.resume();
  // A client of the new broker: it hears what is told from now on.
  await using second = await client();
  ok((await askUntilRouted(second, `${tag}.own`)) !== undefined);
  own.finish.resolve("own");
  shared.finish.resolve("shared");
  for (const id of [...ids, waiting]) {
    strictEqual((await second.wait(id, END)).status, "request_success");
  }
  deepStrictEqual(shared.ran, [ids[1], waiting]);
});

/** Sends a request as soon as a service is back at its place. */
async function askUntilRouted(asker: BrokerClient, tag: string): Promise<string> {
  for (;;) {
    try {
      return await asker.send(tag, { n: 9 });
    } catch (error) {
      if (!(error instanceof UnroutableError)) throw error;
    }
  }
}

Deno.test("TLS with certificates of both sides, by URL, environment and file", async () => {
  const { ca, cert, key } = rabbit.certificates!;
  const passwordFile = await Deno.makeTempFile({ prefix: "std-daq-password-" });
  try {
    await Deno.writeTextFile(passwordFile, `${rabbit.password}\n`);
    const variables: Record<string, string> = {
      BROKER_URL: rabbit.tlsUrl.replace(/\/\/[^@]*@/, "//"),
      BROKER_USER: rabbit.user,
      BROKER_PASSWORD_FILE: passwordFile,
      BROKER_CA_FILE: ca,
      BROKER_CERT_FILE: cert,
      BROKER_KEY_FILE: key,
    };
    const broker = resolveBroker({ env: (name) => variables[name] });
    await using asker = await BrokerClient.connect({ broker });
    await rejects(asker.send("nobody.is.here", {}), UnroutableError);
    const byAddress = { ...broker, hostname: "127.0.0.1" };
    await using _other = await BrokerClient.connect({ broker: byAddress });
    // The certificate has this machine's name and one of its addresses, not this one.
    await using proxy = new TcpProxy(broker.port, "127.0.0.2");
    await rejects(
      BrokerClient.connect({ broker: { ...broker, hostname: "127.0.0.2", port: proxy.port } }),
      /amqps:\/\/127\.0\.0\.2:\d+ shows a certificate that is not trusted/,
    );
    const anonymous = resolveBroker({
      env: (name) => /_(CERT|KEY)_/.test(name) ? undefined : variables[name],
    });
    await rejects(BrokerClient.connect({ broker: anonymous, timeoutMs: 5_000 }), BrokerError);
  } finally {
    await Deno.remove(passwordFile);
  }
  await rejects(
    client(rabbit.tlsUrl),
    /shows a certificate that is not trusted: .*Name that of its authority in BROKER_CA_FILE/,
  );
});

Deno.test("a broker that is not there or lets nobody in is told", async () => {
  await using proxy = new TcpProxy(rabbit.port);
  proxy.cut();
  await rejects(
    BrokerClient.connect({
      broker: resolveBroker({ url: `amqp://127.0.0.1:${proxy.port}` }),
      timeoutMs: 500,
    }),
    /amqp:\/\/127\.0\.0\.1:\d+ cannot be reached: .*Check that RabbitMQ runs/,
  );
  const url = rabbit.url.replace(rabbit.password, "wrong");
  await rejects(
    client(url),
    /does not let daq-test in: ACCESS_REFUSED - .*[^.]\. Check user, password/,
  );
});

Deno.test("an exchange of another type is told, with what to do", async () => {
  const connection = new Connection(rabbit.url);
  try {
    await connection.exchangeDelete({ exchange: "status" });
    await connection.exchangeDeclare({ exchange: "status", type: "topic" });
    await rejects(
      client(),
      /exchange status cannot be declared as fanout: .*delete it or use another vhost/,
    );
  } finally {
    await connection.exchangeDelete({ exchange: "status" });
    await connection.close();
  }
});
