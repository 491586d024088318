import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type BorderPixels,
  type PackedModule,
  shareBorder,
  transposeModule,
  type Transposition,
  unpackNibbles,
} from "./mod.ts";
import { kernelMemory } from "./kernel_memory.ts";

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
const on = kernelMemory(memory);
const SIZE = memory.buffer.byteLength;

/** Numbers that are about anything. */
const any = fc.oneof(
  fc.integer({ min: -SIZE, max: 2 * SIZE }),
  fc.integer({ min: 0, max: 64 }),
  fc.constantFrom(NaN, 0.5, Infinity, -1, 2 ** 31, 2 ** 32),
);

/** Calls with any numbers: nothing but a RangeError may come of it, least of all a trap. */
function neverTraps<T>(shape: fc.Arbitrary<T>, call: (value: T) => void): void {
  let done = 0;
  fc.assert(
    fc.property(shape, (value) => {
      try {
        call(value);
        done++;
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
        assert.ok(!(error instanceof WebAssembly.RuntimeError));
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(done > 0, "some calls are allowed");
}

const fits = fc.integer({ min: 0, max: 4096 });

Deno.test("unpackNibbles(), transposeModule() and shareBorder() refuse what lies outside the memory", () => {
  const small = fc.integer({ min: 0, max: 8 });
  neverTraps<PackedModule>(
    fc.record({
      from: fc.oneof(fits, any),
      to: fc.oneof(fits.map((n) => n + 8192), any),
      rows: fc.oneof(small, any),
      chips: fc.oneof(small, any),
      run: fc.oneof(small, any),
      gap: fc.oneof(small, any),
      stride: fc.oneof(fc.integer({ min: 32, max: 128 }), any),
    }),
    (module) => unpackNibbles(on, module),
  );
  neverTraps<Transposition>(
    fc.record({
      from: fc.oneof(fits, any),
      fromStride: fc.oneof(fc.integer({ min: 0, max: 64 }), any),
      to: fc.oneof(fits.map((n) => n + 8192), any),
      toStride: fc.oneof(fc.integer({ min: 0, max: 64 }), any),
      rows: fc.oneof(small, any),
      columns: fc.oneof(small, any),
      pixel: fc.constantFrom(1, 2, 4),
    }),
    (transposition) => transposeModule(on, transposition),
  );
  neverTraps<BorderPixels>(
    fc.record({
      at: fc.oneof(fits, any),
      count: fc.oneof(small, any),
      stride: fc.oneof(small, any),
      step: fc.oneof(small, any),
    }),
    (border) => {
      shareBorder(on, border, { pixel: "uint8", limit: 255 });
      shareBorder(on, border, { pixel: "int32", limit: -1 });
      shareBorder(on, border, { pixel: "float32" });
    },
  );
});

Deno.test("unpackNibbles() refuses an odd run and a result that overlaps its input", () => {
  const good = { from: 0, to: 1024, rows: 2, chips: 2, run: 32, gap: 2, stride: 66 };
  unpackNibbles(on, good);
  assert.throws(() => unpackNibbles(on, { ...good, run: 31 }), /run of 31 pixels; give an even/);
  assert.throws(() => unpackNibbles(on, { ...good, to: 32 }), /overlaps/);
  assert.throws(() => unpackNibbles(on, { ...good, to: SIZE - 131 }), /outside the memory/);
  unpackNibbles(on, { ...good, to: SIZE - 132 });
  assert.throws(() => unpackNibbles(on, { ...good, to: 65, stride: -66 }), /from 0 on/);
});

Deno.test("shareBorder() refuses pixels that lie over each other", () => {
  const good = { at: 64, count: 4, stride: 2, step: 128 };
  shareBorder(on, good, { pixel: "uint16", limit: 65_535 });
  assert.throws(() => shareBorder(on, { ...good, stride: 1 }, { pixel: "float32" }), /over each/);
  const counts = { pixel: "uint16", limit: 65_535 } as const;
  for (const step of [0, 1, -1, 2, 5, 6, -6]) {
    assert.throws(() => shareBorder(on, { ...good, step }, counts), /lie over them/);
  }
  for (const step of [8, -8]) shareBorder(on, { ...good, step }, counts);
  const column = { at: 640, count: 4, stride: 64, step: 2 };
  for (const step of [2, -2, 62, 66, 256]) shareBorder(on, { ...column, step }, counts);
  for (const step of [1, 64, -128, 191]) {
    assert.throws(() => shareBorder(on, { ...column, step }, counts), /lie over them/);
  }
  for (const [pixel, limit] of [["uint8", 256], ["int16", 0x8000], ["uint32", NaN]] as const) {
    assert.throws(() => shareBorder(on, { ...good, stride: 4 }, { pixel, limit }), /No u?int/);
  }
});

Deno.test("transposeModule() refuses pixels of 3 bytes and rows past the memory's end", () => {
  const good = {
    from: 0,
    fromStride: 16,
    to: 4096,
    toStride: 8,
    rows: 4,
    columns: 8,
    pixel: 2,
  } as const;
  transposeModule(on, good);
  assert.throws(() => transposeModule(on, { ...good, pixel: 3 as 2 }), /pixel of 3 bytes/);
  assert.throws(() => transposeModule(on, { ...good, to: SIZE - 63 }), /outside the memory/);
  transposeModule(on, { ...good, to: SIZE - 64 });
  assert.throws(() => transposeModule(on, { ...good, from: 47, fromStride: -16 }), /from 0 on/);
});
