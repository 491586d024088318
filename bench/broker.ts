/**
 * Requests through RabbitMQ: our service against the same one written with pika, on the same broker, in turns.
 *
 * @module
 */
import { BrokerClient, resolveBroker } from "../lib/broker/mod.ts";
import { RabbitMq } from "../tests/harness/rabbitmq.ts";
import { compare, type Figure, percentile } from "./_figure.ts";
import { MEASURED_CPU, type Program, readyLine, type Running, scriptWith, start } from "./_run.ts";

const TAG = "bench.echo";
/** Requests until everything that is hot is compiled. */
const WARM_UP = 200;
/** What a service that takes requests has besides. */
const RIGHTS = ["--allow-env=BROKER_*", "--allow-net=127.0.0.1"];
const SERVICE = new URL("native/broker_service.py", import.meta.url).pathname;

/** What one run of a side yields. */
interface Run {
  /** From a request's sending to its `request_start` at the client, one at a time, ms. */
  startMs: number[];
  /** Requests that were sent all at once and carried out, per second. */
  perSecond: number;
}

/**
 * Measures rounds of both sides in turns.
 *
 * @param requests Requests of each measure in a round.
 */
export async function broker(rounds: number, requests: number): Promise<Figure[]> {
  await using rabbit = await RabbitMq.start();
  const sides = {
    ours: (): Program => scriptWith(RIGHTS, "broker_ours.ts", TAG),
    theirs: (): Program => ({ path: "/usr/bin/python3", args: [SERVICE, TAG] }),
  };
  const runs: Record<keyof typeof sides, Run[]> = { ours: [], theirs: [] };
  await using client = await BrokerClient.connect({
    broker: resolveBroker({ url: rabbit.url }),
    remember: 2 * requests,
  });
  for (let round = 0; round < rounds; round++) {
    for (const side of ["ours", "theirs"] as const) {
      const env = { BROKER_URL: rabbit.url };
      await using service = start(sides[side](), { cpu: MEASURED_CPU, env });
      runs[side].push(await measure(client, service, requests));
    }
  }
  const note = `${rounds} rounds of ${requests} requests; the client is ours for both`;
  const figure = (name: string, unit: string, of: (run: Run) => number): Figure => ({
    row: "broker",
    name,
    unit,
    ...compare(runs.ours.map(of), runs.theirs.map(of)),
    note,
  });
  return [
    figure("request → request_start, p50", "ms", ({ startMs }) => percentile(startMs, 0.5)),
    figure("request → request_start, p99", "ms", ({ startMs }) => percentile(startMs, 0.99)),
    figure("requests carried out", "/s", ({ perSecond }) => perSecond),
  ];
}

async function measure(client: BrokerClient, service: Running, requests: number): Promise<Run> {
  await readyLine(service);
  await oneByOne(client, WARM_UP);
  const startMs = await oneByOne(client, requests);
  const began = performance.now();
  await allAtOnce(client, requests);
  const perSecond = requests / ((performance.now() - began) / 1000);
  await service.end();
  return { startMs, perSecond };
}

/** Sends one request after the other's end; tells how long each took to start, ms. */
async function oneByOne(client: BrokerClient, count: number): Promise<number[]> {
  const times: number[] = [];
  const statuses = client.statuses();
  for (let n = 0; n < count; n++) {
    const requestId = crypto.randomUUID();
    const sentAt = performance.now();
    const sent = client.send(TAG, { n }, { requestId });
    for (;;) {
      const { value, done } = await statuses.next();
      if (done) throw new Error("the client's statuses have ended");
      if (value.requestId !== requestId) continue;
      if (value.action === "request_start") times.push(performance.now() - sentAt);
      if (value.action === "request_success") break;
      if (value.action === "request_fail") throw new Error(`request failed: ${value.message}`);
    }
    await sent;
  }
  await statuses.return?.();
  return times;
}

/** Sends all, and waits until all are done. */
async function allAtOnce(client: BrokerClient, count: number): Promise<void> {
  const statuses = client.statuses();
  const sent = Promise.all(Array.from({ length: count }, (_, n) => client.send(TAG, { n })));
  for (let left = count; left > 0;) {
    const { value, done } = await statuses.next();
    if (done) throw new Error("the client's statuses have ended");
    if (value.action === "request_success") left--;
    if (value.action === "request_fail") throw new Error(`request failed: ${value.message}`);
  }
  await sent;
  await statuses.return?.();
}
