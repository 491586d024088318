import assert from "node:assert/strict";
import { UdpSocket } from "../os/mod.ts";
import { eigerConfig } from "./_testing.ts";
import { expectedOutcome } from "./outcome.ts";
import { runSimulation } from "./run_simulation.ts";
import { createSimulation, type Simulation, type SimulationOptions } from "./simulation.ts";

/** A simulation whose packets go to a socket that nobody reads. */
function toNowhere(options: SimulationOptions): { sink: UdpSocket; simulation: Simulation } {
  const sink = new UdpSocket({ bind: { address: "127.0.0.1", port: 0 } });
  const config = eigerConfig({ n_modules: 1, bit_depth: 8, start_udp_port: sink.port });
  return { sink, simulation: createSimulation(config, { pattern: "flat", ...options }) };
}

Deno.test("runSimulation() sends all images and says what is to be expected", async () => {
  const { sink, simulation } = toNowhere({ images: 50 });
  using _ = sink;
  const result = await runSimulation(simulation);
  assert.equal(result.images, 50);
  assert.equal(result.datagrams, 50 * 32);
  assert.deepEqual(result.expected, expectedOutcome(simulation));
});

Deno.test("runSimulation() with faults sends what expectedOutcome() counts", async () => {
  const faults = {
    drop: 0.05,
    duplicate: 0.05,
    reorder: 0.1,
    late: 0.05,
    corrupt: 0.05,
    foreign: 0.05,
  };
  const { sink, simulation } = toNowhere({ images: 80, faults });
  using _ = sink;
  const result = await runSimulation(simulation);
  const expected = expectedOutcome(simulation);
  assert.deepEqual(result.expected, expected);
  assert.equal(result.datagrams, expected.sent - expected.lost);
});

Deno.test("runSimulation() keeps to its rate", async () => {
  const { sink, simulation } = toNowhere({ images: 31, rate: 300 });
  using _ = sink;
  const { seconds } = await runSimulation(simulation);
  assert.ok(seconds >= 30 / 300, `31 images at 300/s took ${seconds} s`);
});

Deno.test("runSimulation() spreads an image's packets, and sends all of them", async () => {
  const { sink, simulation } = toNowhere({ images: 2, rate: 10 });
  using _ = sink;
  const { datagrams, seconds } = await runSimulation(simulation, { spread: true });
  assert.equal(datagrams, 2 * 32);
  // The second image begins after 100 ms, its last batch of 4 in 32 follows 80 ms × 28/32 later.
  assert.ok(seconds >= 0.1 + 0.08 * 28 / 32, `it took ${seconds} s`);
});

for (const [speed, rate] of [["at full speed", 0], ["waiting for the next image", 0.1]] as const) {
  Deno.test(`runSimulation() ends when told to, ${speed}, and accounts for what was sent`, async () => {
    const faults = { late: 0.1, reorder: 0.1, drop: 0.1 };
    const { sink, simulation } = toNowhere({ rate, faults });
    using _ = sink;
    const stop = new AbortController();
    const result = await runSimulation(simulation, {
      signal: stop.signal,
      onReady: () => void setTimeout(() => stop.abort(), 30),
    });
    const { sent, lost, accepted, duplicate, late, malformed, foreign } = result.expected;
    assert.ok(result.images > 0);
    assert.equal(result.datagrams, sent - lost);
    assert.equal(sent, accepted + duplicate + late + malformed + foreign + lost);
    // Every packet of every image that was begun is in the account.
    assert.ok(sent >= result.images * 32, `${sent} packets of ${result.images} images`);
  });
}
