import assert from "node:assert/strict";
import { identityLimit } from "../detector/mod.ts";
import fc from "fast-check";
import { eigerConfig, gigafrostConfig, jungfrauConfig } from "./_testing.ts";
import { KIND } from "./datagram.ts";
import { type FrameSchedule, planFaults } from "./fault_plan.ts";
import { expectedOutcome } from "./outcome.ts";
import { createSimulation, type FaultRates, type Simulation } from "./simulation.ts";

const FEW: FaultRates = {
  drop: 0.02,
  duplicate: 0.02,
  reorder: 0.02,
  late: 0.02,
  corrupt: 0.02,
  foreign: 0.02,
};

function simulation(changes: Partial<FaultRates>, images = 40, window = 4): Simulation {
  const config = eigerConfig({ frame_window: window });
  return createSimulation(config, { images, faults: changes, pattern: "flat" });
}

function schedules(of: Simulation, module = 0): FrameSchedule[] {
  return [...planFaults(of, module)];
}

Deno.test("planFaults() sends every packet once and in order when nothing goes wrong", () => {
  for (const { frame, datagrams, dropped } of schedules(simulation({}))) {
    assert.equal(dropped, 0);
    assert.deepEqual(
      datagrams,
      Array.from({ length: 64 }, (_, packet) => ({ frame, packet, kind: 0, argument: 0 })),
    );
  }
});

Deno.test("planFaults() plans the same for the same seed, and otherwise for another", () => {
  const base = { images: 10, faults: FEW, pattern: "flat" as const };
  const plan = (seed: number, module: number): FrameSchedule[] =>
    schedules(createSimulation(eigerConfig(), { ...base, seed }), module);
  assert.deepEqual(plan(7, 0), plan(7, 0));
  assert.notDeepEqual(plan(7, 0), plan(8, 0));
  assert.notDeepEqual(plan(7, 0), plan(7, 1));
});

Deno.test("planFaults() never spoils the packets that prove who sends", () => {
  for (let seed = 0; seed < 20; seed++) {
    const plan = createSimulation(eigerConfig(), { images: 3, faults: { drop: 1 }, seed });
    const [first] = schedules(plan);
    const proof = Array.from(
      { length: identityLimit(plan.format) },
      (_, packet) => ({ frame: 0, packet, kind: KIND.plain, argument: 0 }),
    );
    assert.deepEqual(first!.datagrams, proof);
  }
});

Deno.test("planFaults() sends late packets only after a frame as far ahead as the window has begun", () => {
  for (const window of [1, 2, 4]) {
    let newest = 0, late = 0;
    for (const { datagrams } of schedules(simulation({ late: 0.05 }, 60, window))) {
      for (const { frame } of datagrams) {
        if (frame < newest) {
          assert.ok(frame + window <= newest, `frame ${frame} after ${newest}, window ${window}`);
          late++;
        }
        newest = Math.max(newest, frame);
      }
    }
    assert.ok(late > 50, `${late} late packets with a window of ${window}`);
  }
});

Deno.test("planFaults() never has many packets of closed frames in a row", () => {
  const plan = simulation({ duplicate: 0.5, late: 0.3 }, 100);
  let row = 0, longest = 0, newest = 0;
  const seen = new Set<number>();
  for (const { datagrams } of schedules(plan)) {
    for (const { frame, packet } of datagrams) {
      newest = Math.max(newest, frame);
      const key = frame * 64 + packet;
      row = seen.has(key) || frame < newest ? row + 1 : 0;
      seen.add(key);
      longest = Math.max(longest, row);
    }
  }
  assert.ok(longest < 32, `${longest} in a row`);
});

Deno.test("planFaults() gives corrupt packets what a receiver must refuse", () => {
  const plan = createSimulation(jungfrauConfig(), { images: 30, faults: { corrupt: 0.1 } });
  const kinds = new Set<number>();
  for (const { kind, argument } of schedules(plan).flatMap(({ datagrams }) => datagrams)) {
    kinds.add(kind);
    if (kind === KIND.truncated) assert.ok(argument >= 48 && argument < 8240);
    if (kind === KIND.version) assert.ok(argument !== 2 && argument >= 0 && argument <= 255);
    if (kind === KIND.packet_number) assert.ok(argument >= 128 && argument < 2 ** 32);
    if (kind === KIND.bunch_id) assert.ok(argument > 0);
  }
  assert.deepEqual([...kinds].sort(), [
    KIND.plain,
    KIND.truncated,
    KIND.version,
    KIND.packet_number,
    KIND.bunch_id,
  ]);
});

Deno.test("planFaults() gives a GigaFRoST's corrupt and foreign packets what its receiver must refuse", () => {
  const faults = { corrupt: 0.2, foreign: 0.2 };
  const plan = createSimulation(gigafrostConfig(), { images: 200, faults });
  const kinds = new Set<number>();
  for (const { kind, argument, packet } of schedules(plan, 5).flatMap((s) => s.datagrams)) {
    kinds.add(kind);
    if (kind === KIND.truncated) {
      assert.ok(argument >= 32 && argument < (packet === 3 ? 4568 : 6494));
    }
    if (kind === KIND.version) assert.ok(argument !== 21 && argument >= 0 && argument <= 255);
    if (kind === KIND.packet_number) assert.ok(argument >= 63 && argument < 2 ** 16);
    if (kind === KIND.detector_type) assert.notEqual(argument, 0xcb);
    if (kind === KIND.identity) assert.ok(argument !== 5 && argument >= 0 && argument < 8);
  }
  assert.equal(kinds.size, 6);
});

Deno.test("planFaults() keeps a stalled module silent and the frame after it whole", () => {
  const stalls = [{ module: 1, from: 5, count: 3 }];
  const options = { images: 12, faults: { drop: 0.5 }, stalls };
  const plan = schedules(createSimulation(eigerConfig(), options), 1);
  assert.deepEqual(plan.map(({ stalled }) => stalled), [0, 0, 0, 0, 0, 64, 64, 64, 0, 0, 0, 0]);
  assert.equal(plan[6]!.datagrams.length, 0);
  assert.equal(plan[8]!.datagrams.length, 64);
});

Deno.test("FaultPlan.heldBack says how many packets an interrupted run leaves unsent", () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.integer({ min: 1, max: 30 }), (seed, frames) => {
      const faults = { late: 0.1, reorder: 0.2 };
      const plan = planFaults(
        createSimulation(eigerConfig(), { images: 40, faults, seed, pattern: "flat" }),
        0,
      );
      const sent = new Map<number, number>();
      for (let i = 0; i < frames; i++) {
        for (const { frame } of plan.next()!.datagrams) sent.set(frame, (sent.get(frame) ?? 0) + 1);
      }
      let missing = 0;
      for (let frame = 0; frame < frames; frame++) missing += 64 - (sent.get(frame) ?? 0);
      assert.ok(missing <= plan.heldBack, `${missing} missing, ${plan.heldBack} held back`);
    }),
  );
});

Deno.test("expectedOutcome() accounts for every packet that is generated", () => {
  const rate = fc.double({ min: 0, max: 1 / 6, noNaN: true });
  const faults = fc.record({
    drop: rate,
    duplicate: rate,
    reorder: rate,
    late: rate,
    corrupt: rate,
    foreign: rate,
  });
  fc.assert(
    fc.property(faults, fc.nat(10_000), fc.integer({ min: 1, max: 6 }), (faults, seed, window) => {
      const config = eigerConfig({ frame_window: window, bit_depth: 8 });
      const plan = createSimulation(config, { images: 20, faults, seed, pattern: "flat" });
      const outcome = expectedOutcome(plan);
      const { sent, accepted, duplicate, late, malformed, foreign, lost } = outcome;
      assert.equal(sent, accepted + duplicate + late + malformed + foreign + lost);
      assert.equal(outcome.images, outcome.imagesGood + outcome.imagesIncomplete);
      const missing = [...outcome.missingPacketsPerImage.values()].reduce((a, b) => a + b, 0);
      assert.equal(outcome.images * 2 * 32 - missing, accepted);
      assert.ok(outcome.missingPacketsPerImage.size === outcome.imagesIncomplete);
    }),
    { numRuns: 60 },
  );
});

Deno.test("expectedOutcome() of few faults has each as often as it was planned", () => {
  const plan = createSimulation(jungfrauConfig(), { images: 100, faults: FEW, pattern: "flat" });
  const outcome = expectedOutcome(plan);
  const about = (value: number): void =>
    assert.ok(value > 25_600 * 0.015 && value < 25_600 * 0.025, `${value} of 25600 packets`);
  about(outcome.lost);
  about(outcome.duplicate);
  about(outcome.late);
  about(outcome.malformed);
  about(outcome.foreign);
  assert.equal(outcome.damaged, outcome.malformed);
});

Deno.test("expectedOutcome() of a fault-free run is the same as of its schedules", () => {
  const options = { images: 7, startId: 3, modules: [1] };
  const clean = expectedOutcome(createSimulation(eigerConfig(), options));
  // A stall after the end makes the simulation go packet by packet.
  const stalls = [{ module: 0, from: 100, count: 1 }];
  const scheduled = expectedOutcome(createSimulation(eigerConfig(), { ...options, stalls }));
  assert.deepEqual(clean, scheduled);
  assert.deepEqual([...clean.missingPacketsPerImage.keys()], [3n, 4n, 5n, 6n, 7n, 8n, 9n]);
});

Deno.test("expectedOutcome() refuses an endless simulation", () => {
  assert.throws(
    () => expectedOutcome(createSimulation(eigerConfig())),
    /endless.*number of images/,
  );
});
