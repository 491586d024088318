import assert from "node:assert/strict";
import { resolveBroker } from "../broker/mod.ts";
import { configureLogging, parseLine } from "./logging.ts";
import { RequestTaker } from "./serve_requests.ts";
import type { ServiceContext } from "./service.ts";

/** A service that is asked to stop by `end`, and what it was given. */
class FakeService {
  readonly end = new AbortController();
  readonly steps: (string | undefined)[] = [];
  readonly checks = new Map<string, () => string | null>();
  readonly log: (string | undefined)[] = [];
  readonly failures: unknown[] = [];

  context(broker: string): ServiceContext<unknown, unknown> {
    return {
      serviceName: "test.taker",
      args: [],
      options: {},
      logger: configureLogging({
        service: "test.taker",
        level: "debug",
        human: false,
        write: (line) => void this.log.push(parseLine(line)?.message),
      }),
      signal: this.end.signal,
      stopped: new Promise(() => {}),
      ready: () => {},
      onStats: () => {},
      onHealth: (name, check) => void this.checks.set(name, check),
      onStop: (_callback, name) => void this.steps.push(name),
      fail: (error) => void this.failures.push(error),
      redis: undefined,
      broker: {
        isNamed: true,
        tag: undefined,
        queue: undefined,
        killedEndsAs: undefined,
        maxRequestBytes: undefined,
        primary: undefined,
        address: () => resolveBroker({ url: broker }),
      },
      startWorker: () => assert.fail("no worker"),
    };
  }
}

/** Where nobody listens. */
function nobody(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `amqp://127.0.0.1:${listener.addr.port}`;
}

const WORK = {
  schema: { safeParse: (data: unknown) => ({ success: true as const, data }) },
  onRequest: () => null,
};

Deno.test("RequestTaker.take() goes on without RabbitMQ, says so once, and ends with the service", async () => {
  const service = new FakeService();
  const context = service.context(nobody());
  const taker = new RequestTaker(context);
  context.onStop(() => {}, "store");
  await taker.take(WORK);
  const away = /^amqp:\/\/127\.0\.0\.1:\d+ cannot be reached: .*Check that RabbitMQ runs/;
  assert.match(service.checks.get("broker")?.() ?? "", away);
  assert.deepEqual(service.steps, ["RabbitMQ", "store", "requests"], "the last one comes first");
  await new Promise((resolve) => setTimeout(resolve, 150)); // another attempt
  assert.deepEqual(service.log, [
    `no requests are taken yet: ${service.checks.get("broker")?.()}`,
  ]);
  service.end.abort();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(service.failures, []);
});

Deno.test({
  name: "RequestTaker.take() rejects at once where waiting does not help",
  permissions: { net: false },
  fn: async () => {
    const taker = new RequestTaker(new FakeService().context("amqp://127.0.0.1:9"));
    await assert.rejects(taker.take(WORK), {
      name: "BrokerError",
      message: /no permission to connect to it/,
    });
  },
});
