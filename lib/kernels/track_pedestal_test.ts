import assert from "node:assert/strict";
import fc from "fast-check";
import { TestMemory } from "./_testing.ts";
import {
  bytesOf,
  jungfrauMapBytes,
  kernelMemory,
  packTrackingLimits,
  type Region,
  type TrackedModule,
  trackingLimitBytes,
  trackPedestal,
} from "./mod.ts";

const on = kernelMemory(new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true }));

function floats({ at, bytes }: Region): Float32Array {
  return new Float32Array(on.memory.buffer, at, bytes / 4);
}

/** Place of a pixel's G0 pedestal in the packed map, in floats. */
function pedestalAt(columns: number, y: number, x: number): number {
  return 16 * (y * Math.ceil(columns / 8) + Math.floor(x / 8)) + 8 + x % 8;
}

const pedestals = fc.oneof(
  { weight: 8, arbitrary: fc.float({ min: 2000, max: 3000, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, 0, -5, 1e30) },
  // Where the distance may be the limit, and where raw pixels of G1 would be near.
  { weight: 2, arbitrary: fc.integer({ min: 2000, max: 2004 }) },
  { weight: 2, arbitrary: fc.constantFrom(16_380, 16_383) },
);
const raws = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1990, max: 3010 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 0xffff }) },
  { weight: 2, arbitrary: fc.integer({ min: 1995, max: 2009 }) },
  { weight: 2, arbitrary: fc.constantFrom(0x3fff, 0x4000, 0x4003) },
);
const noises = fc.oneof(
  { weight: 8, arbitrary: fc.float({ min: 0, max: 300, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, 0) },
  { weight: 4, arbitrary: fc.constantFrom(1, 2, 5) },
);

const cases = fc.record({
  rows: fc.integer({ min: 1, max: 5 }),
  columns: fc.integer({ min: 1, max: 40 }),
  skew: fc.integer({ min: 0, max: 3 }),
  weight: fc.constantFrom(1, 0.5, 0.01, 1 / 1024, 1e-7),
  times: fc.constantFrom(1, 3, 5),
}).chain((shape) => {
  const pixels = { minLength: shape.rows * shape.columns, maxLength: shape.rows * shape.columns };
  return fc.record({
    shape: fc.constant(shape),
    raw: fc.array(raws, pixels),
    pedestal: fc.array(pedestals, pixels),
    noise: fc.array(noises, pixels),
  });
});

Deno.test("trackPedestal() follows the pixels without photons to the last bit, and writes nothing else", () => {
  const places = new TestMemory(on);
  const { fround } = Math;
  fc.assert(
    fc.property(cases, ({ shape, raw, pedestal, noise }) => {
      const { rows, columns, skew, weight, times } = shape;
      places.reset();
      const from = places.put(new Uint8Array(Uint16Array.from(raw).buffer), 2 * skew);
      const limits = places.room(trackingLimitBytes(rows, columns), 4 * skew);
      packTrackingLimits(Float32Array.from(noise), rows, columns, times, floats(limits));
      const g0 = places.room(jungfrauMapBytes(rows, columns).g0, 4 * skew);
      const expected = floats(g0); // canaries in the scales and the filled up pixels, to be kept
      for (let y = 0; y < rows; y++) {
        for (let x = 0; x < columns; x++) {
          expected[pedestalAt(columns, y, x)] = pedestal[y * columns + x]!;
        }
      }
      const map = expected.slice();
      for (let y = 0; y < rows; y++) {
        for (let x = 0; x < columns; x++) {
          const i = y * columns + x, at = pedestalAt(columns, y, x);
          const distance = fround(raw[i]! - map[at]!);
          const limit = fround(times * fround(noise[i]!));
          const dark = Number.isFinite(limit) && Math.abs(distance) < limit;
          if (raw[i]! < 0x4000 && dark) {
            map[at] = fround(map[at]! + fround(distance * fround(weight)));
          }
        }
      }
      const module = { from: from.at, rows, columns, g0: g0.at, limits: limits.at, weight };
      trackPedestal(on, module);
      assert.deepEqual(bytesOf(on, g0), new Uint8Array(map.buffer));
      places.checkCanaries();
    }),
    { numRuns: 300 },
  );
});

Deno.test("trackPedestal() finds a pedestal that has moved, photons or not", () => {
  const rows = 1, columns = 8, weight = 1 / 64;
  const places = new TestMemory(on);
  const from = places.room(2 * columns), g0 = places.room(jungfrauMapBytes(rows, columns).g0);
  const limits = places.room(trackingLimitBytes(rows, columns));
  packTrackingLimits(new Float32Array(8).fill(4), rows, columns, 5, floats(limits));
  floats(g0).fill(2800);
  const raw = new Uint16Array(on.memory.buffer, from.at, columns);
  for (let frame = 0; frame < 1000; frame++) {
    // 6 ADU above, noise of 3 ADU; every third frame a photon of 500 ADU, every fifth in G1.
    raw.fill(2806 + (frame % 7) - 3 + (frame % 3 === 0 ? 500 : 0) + (frame % 5 === 0 ? 0x4000 : 0));
    trackPedestal(on, { from: from.at, rows, columns, g0: g0.at, limits: limits.at, weight });
  }
  for (const pedestal of floats(g0).subarray(8)) {
    assert.ok(Math.abs(pedestal - 2806) < 0.5, `pedestal ${pedestal}`);
  }
});

for (
  const [what, change, message] of [
    ["no weight", { weight: 0 }, /weight of a frame 0; give above 0, up to 1/],
    ["a weight above 1", { weight: 1.5 }, /weight of a frame 1\.5/],
    ["no rows", { rows: 0 }, /rows is 0; give 1 or more/],
    ["a frame past the memory", { from: 16 * 65536 - 2 }, /raw pixels .* outside the memory/],
    ["limits within the map", { limits: 4096 + 8 }, /map of G0 .* overlaps the limits/],
  ] as [string, Partial<TrackedModule>, RegExp][]
) {
  Deno.test(`trackPedestal() refuses ${what}`, () => {
    const module = { from: 1024, rows: 1, columns: 8, g0: 4096, limits: 8192, weight: 0.1 };
    assert.throws(() => trackPedestal(on, { ...module, ...change }), (error) => {
      assert.ok(error instanceof RangeError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("packTrackingLimits() refuses noises of another module", () => {
  const target = new Float32Array(trackingLimitBytes(2, 8) / 4);
  assert.throws(() => packTrackingLimits(new Float32Array(15), 2, 8, 5, target), /15 noises/);
  assert.throws(() => packTrackingLimits(new Float32Array(24), 3, 8, 5, target), /96 are needed/);
});
