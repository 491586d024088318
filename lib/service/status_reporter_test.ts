import assert from "node:assert/strict";
import type { Stats } from "./service.ts";
import { type StatusRegistry, StatusReporter } from "./status_reporter.ts";

/** A Redis that is there or not, as the test says. */
class FakeRegistry implements StatusRegistry {
  readonly where = "redis://daq-1";
  readonly problem = "ECONNREFUSED";
  isThere = true;
  status: Readonly<Record<string, string>> | undefined;
  ttlMs = 0;
  #ready = (): void => {};

  onReady(callback: () => void): void {
    this.#ready = callback;
  }

  comeBack(): void {
    this.isThere = true;
    this.#ready();
  }

  putStatus(_: string, fields: Readonly<Record<string, string>>, ttlMs: number): Promise<void> {
    if (!this.isThere) return Promise.reject(new Error("Connection is closed."));
    this.status = fields;
    this.ttlMs = ttlMs;
    return Promise.resolve();
  }

  removeStatus(): Promise<void> {
    if (!this.isThere) return Promise.reject(new Error("Connection is closed."));
    this.status = undefined;
    return Promise.resolve();
  }
}

/** A reporter whose time goes on when the test says so. */
function reporter(registry: StatusRegistry, stats: () => Stats): {
  reporter: StatusReporter;
  pass: (ms: number) => Promise<void>;
  notes: string[];
} {
  let now = 1_784_000_000_500;
  let period = 0;
  let tick = (): void => {};
  const notes: string[] = [];
  const reporter = new StatusReporter({
    registry,
    serviceName: "psi.noop",
    config: { n: 1 },
    host: "daq-7",
    state: () => "ok",
    stats,
    onNote: (note) => void notes.push(note),
    clock: {
      now: () => now,
      every: (ms, callback) => {
        [period, tick] = [ms, callback];
        return () => tick = (): void => {};
      },
    },
  });
  const pass = async (ms: number): Promise<void> => {
    for (const end = now + ms; now + period <= end;) {
      now += period;
      tick();
    }
    await reporter.settled();
  };
  return { reporter, pass, notes };
}

Deno.test("StatusReporter tells who and how the service is, and what its counters gain", async () => {
  const registry = new FakeRegistry();
  let images = 5n;
  const { reporter: told, pass } = reporter(registry, () => ({ images, writer: "READY" }));
  told.changed();
  await told.settled();
  const { version, pid, ...fields } = registry.status!;
  assert.match(version!, /^\d+\.\d+\.\d+/);
  assert.equal(pid, String(Deno.pid));
  assert.deepEqual(fields, {
    service_name: "psi.noop",
    config: '{"n":1}',
    start_timestamp: "1784000000",
    host: "daq-7",
    state: "ok",
    stats: '{"images":5,"writer":"READY"}',
    rates: "{}",
  });
  assert.equal(registry.ttlMs, 15_000);
  images += 30n;
  await pass(10_000);
  assert.equal(registry.status?.rates, '{"images":3}');
  images = 0n; // it started again: not a rate
  await pass(10_000);
  assert.equal(registry.status?.rates, "{}");
  await told[Symbol.asyncDispose]();
  assert.equal(registry.status, undefined);
});

Deno.test("StatusReporter says once that Redis is away, and tells all again when it is back", async () => {
  const registry = new FakeRegistry();
  registry.isThere = false;
  const { reporter: told, pass, notes } = reporter(registry, () => ({}));
  await pass(50_000);
  assert.deepEqual(notes, [
    "redis://daq-1 cannot be told this service's status, which goes on without: ECONNREFUSED",
  ]);
  registry.comeBack();
  await told.settled();
  assert.equal(registry.status?.service_name, "psi.noop");
  assert.deepEqual(notes.slice(1), ["redis://daq-1 has this service's status again"]);
  registry.isThere = false;
  await told[Symbol.asyncDispose](); // forgotten by itself: nothing to wait for
});

Deno.test("a Redis that does not answer does not keep a service from stopping", async () => {
  const registry = new FakeRegistry();
  registry.removeStatus = (): Promise<void> => new Promise(() => {});
  const { reporter: status } = reporter(registry, () => ({}));
  const begin = performance.now();
  await status[Symbol.asyncDispose]();
  assert.ok(performance.now() - begin < 4_000);
});
