import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { DetectorConfig } from "../config/mod.ts";
import { moduleConfig } from "../detector/_testing.ts";
import { eigerConfig, gigafrostConfig, jungfrauConfig } from "./_testing.ts";
import { type Received, receiveSimulation } from "./_receiving.ts";
import { simulateImage } from "./simulate_image.ts";
import type { FaultRates, SimulationOptions } from "./simulation.ts";

/** The receiver's counters and the model's must be the same, one by one. */
function assertAsExpected({ counts, missing, expected }: Received): void {
  const { accepted, duplicate, late, malformed, foreign, damaged } = counts;
  assert.deepEqual(
    {
      accepted,
      duplicate,
      late,
      malformed,
      foreign,
      damaged,
      framesGood: counts.frames_good,
      framesIncomplete: counts.frames_incomplete,
      missing: [...missing],
      restarts: counts.restarts,
    },
    {
      accepted: BigInt(expected.accepted),
      duplicate: BigInt(expected.duplicate),
      late: BigInt(expected.late),
      malformed: BigInt(expected.malformed),
      foreign: BigInt(expected.foreign),
      damaged: BigInt(expected.damaged),
      framesGood: BigInt(expected.framesGood),
      framesIncomplete: BigInt(expected.framesIncomplete),
      // An image without any frame is published by no receiver.
      missing: [...expected.missingPacketsPerImage],
      restarts: 0n,
    },
  );
}

const rates = (sum: number): fc.Arbitrary<FaultRates> =>
  fc.tuple(...Array.from({ length: 6 }, () => fc.integer({ min: 0, max: 100 }))).map((weights) => {
    const total = Math.max(1, weights.reduce((a, b) => a + b));
    const [drop, duplicate, reorder, late, corrupt, foreign] = weights.map((w) => sum * w / total);
    return {
      drop: drop!,
      duplicate: duplicate!,
      reorder: reorder!,
      late: late!,
      corrupt: corrupt!,
      foreign: foreign!,
    };
  });

Deno.test("the receiver counts what the model expects for any mix of faults", () => {
  const mixes = fc.constantFrom(0.02, 0.2, 0.9).chain(rates);
  fc.assert(
    fc.property(
      mixes,
      fc.nat(1_000_000),
      fc.constantFrom(1, 2, 4, 8),
      fc.constantFrom(8, 16),
      (faults, seed, window, depth) => {
        const options: SimulationOptions = { images: 25, seed, faults, pattern: "flat" };
        assertAsExpected(receiveSimulation(
          (port) =>
            eigerConfig({
              n_modules: 1,
              bit_depth: depth,
              start_udp_port: port,
              frame_window: window,
            }),
          options,
        ));
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("the receiver counts what the model expects for any mix of faults of a jungfrau", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0.05, 0.3, 0.9).chain(rates),
      fc.nat(1_000_000),
      fc.constantFrom(1, 2, 4, 8),
      (faults, seed, frame_window) => {
        assertAsExpected(receiveSimulation(
          (start_udp_port) => jungfrauConfig({ n_modules: 1, start_udp_port, frame_window }),
          { images: 12, seed, faults, bunchOffset: 5_000, pattern: "flat" },
        ));
      },
    ),
    { numRuns: 20 },
  );
});

for (const type of ["moench", "mythen3", "gotthard2"] as const) {
  Deno.test(`the receiver counts what the model expects for any mix of faults of a ${type}`, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0.05, 0.3).chain(rates),
        fc.nat(1_000_000),
        fc.constantFrom(1, 2, 4, 8),
        (faults, seed, frame_window) => {
          const options: SimulationOptions = { images: 40, seed, faults, pattern: "flat" };
          assertAsExpected(receiveSimulation(
            (start_udp_port) => moduleConfig(type, { start_udp_port, frame_window }),
            options,
          ));
        },
      ),
      { numRuns: 20 },
    );
  });
}

for (
  const [width, height, packetsPerFrame] of [
    [48, 8, 1],
    [504, 252, 4], // the last one is shorter
    [504, 204, 3], // padded, all of one length
    [2016, 2016, 126],
  ] as const
) {
  Deno.test(`the receiver counts what the model expects of a GigaFRoST of ${width} × ${height} px`, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0.05, 0.3).chain(rates),
        fc.nat(1_000_000),
        fc.constantFrom(1, 2, 4, 8),
        (faults, seed, frame_window) => {
          const options = { images: width > 1000 ? 10 : 40, seed, faults, modules: [0] };
          const received = receiveSimulation(
            (start_udp_port) =>
              gigafrostConfig({
                image_pixel_width: width,
                image_pixel_height: height,
                start_udp_port,
                frame_window,
              }),
            { ...options, pattern: "flat" },
          );
          assertAsExpected(ofOneModule(received, packetsPerFrame));
        },
      ),
      { numRuns: 12 },
    );
  });
}

/** What is expected, without the packets of the seven modules that send nothing. */
function ofOneModule({ expected, ...received }: Received, packetsPerFrame: number): Received {
  const own = [...expected.missingPacketsPerImage]
    .map(([id, n]): [bigint, number] => [id, n - 7 * packetsPerFrame])
    .filter(([, n]) => n > 0);
  return { ...received, expected: { ...expected, missingPacketsPerImage: new Map(own) } };
}

Deno.test("the receiver counts what the model expects when a module stalls", () => {
  fc.assert(
    fc.property(rates(0.1), fc.nat(1000), fc.nat(12), fc.integer({ min: 1, max: 15 }), (
      faults,
      seed,
      from,
      count,
    ) => {
      const stalls = [{ module: 0, from, count }];
      assertAsExpected(receiveSimulation(
        (port) => eigerConfig({ n_modules: 1, start_udp_port: port }),
        { images: 30, seed, faults, stalls, pattern: "flat" },
      ));
    }),
    { numRuns: 15 },
  );
});

Deno.test("frames of a simulated GigaFRoST arrive packed, without padding, whatever the order", () => {
  const config = (start_udp_port: number): DetectorConfig => gigafrostConfig({ start_udp_port });
  const faults = { drop: 0.02, reorder: 0.3, duplicate: 0.1, corrupt: 0.02, foreign: 0.02 };
  const options = { images: 30, pattern: "ramp", sourceImages: 3, faults, modules: [0] } as const;
  let good = 0;
  receiveSimulation(config, options, (imageId, missing, bytes) => {
    if (missing > 0) return;
    good++;
    // Module 0: the lower left quadrant's even rows.
    const image = simulateImage(config(50_000), options, imageId);
    for (let row = 0; row < 63; row++) {
      for (let column = 0; column < 252; column += 2) {
        const at = (row * 252 + column) * 3 / 2;
        const both = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16;
        const first = (126 + 2 * row) * 504 + column;
        assert.equal(both, image[first]! | image[first + 1]! << 12, `row ${row}, column ${column}`);
      }
    }
  });
  assert.ok(good > 5 && good < 30, `${good} of 30 frames are complete`);
});

Deno.test("frames of a simulated Jungfrau arrive with the pixels that simulateImage() says", () => {
  const options: SimulationOptions = {
    images: 12,
    startId: 100,
    bunchOffset: 5_000,
    pattern: "gain",
    sourceImages: 3,
    faults: { drop: 0.002, reorder: 0.02, duplicate: 0.02, foreign: 0.01 },
  };
  const makeConfig = (port: number): DetectorConfig =>
    jungfrauConfig({ n_modules: 1, start_udp_port: port });
  const seen: bigint[] = [];
  let good = 0;
  const received = receiveSimulation(makeConfig, options, (imageId, missing, bytes) => {
    seen.push(imageId);
    if (missing > 0) return;
    good++;
    const image = simulateImage(makeConfig(50_000), options, imageId);
    assert.ok(Buffer.compare(bytes, new Uint8Array(image.buffer)) === 0, `image ${imageId}`);
  });
  assertAsExpected(received);
  assert.deepEqual(seen, Array.from({ length: 12 }, (_, i) => 5_100n + BigInt(i)));
  assert.ok(good > 0 && good < 12, `${good} of 12 images are complete`);
});
