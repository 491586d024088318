import assert from "node:assert/strict";
import fc from "fast-check";
import { instantiateKernels, unpackGigafrost } from "./mod.ts";

const memory = new WebAssembly.Memory({ initial: 128, maximum: 128, shared: true });
const on = { kernels: instantiateKernels(memory), memory };
const u8 = new Uint8Array(memory.buffer);
const u16 = new Uint16Array(memory.buffer);

/** Where the image lies in the tests; packed rows are before it, or at the memory's end. */
const IMAGE = 2 ** 20;
const CANARY = 0xa5a5;

/** Rows of a link and their place. */
interface Shape {
  rows: number;
  columns: number;
  /** Pixels of an image's row beside the link's, in all. */
  besides: number;
  /** Rows of the image from one row of the link to the next. */
  step: number;
  reversed: boolean;
  seed: number;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  rows: fc.integer({ min: 1, max: 9 }),
  columns: fc.integer({ min: 6, max: 120 }).map((pairs) => 2 * pairs),
  besides: fc.integer({ min: 0, max: 20 }),
  step: fc.integer({ min: 1, max: 3 }),
  reversed: fc.boolean(),
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
});

/** The pixels of `count` packed ones, by the format's description alone: a bit after the other. */
function unpackedBits(bytes: Uint8Array, count: number): number[] {
  return Array.from({ length: count }, (_, pixel) => {
    let value = 0;
    for (let bit = 0; bit < 12; bit++) {
      const place = pixel * 12 + bit;
      value |= (bytes[place >> 3]! >> (place & 7) & 1) << bit;
    }
    return value;
  });
}

function fillRandom(at: number, bytes: number, seed: number): void {
  let x = seed;
  for (let i = 0; i < bytes; i++) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    u8[at + i] = x >>> 16;
  }
}

/** Unpacks random rows that lie at `from` into an image of canaries, and compares all of it. */
function check(s: Shape, from: number): void {
  const { rows, columns, besides, step, reversed, seed } = s;
  const width = columns + besides;
  const size = width * ((rows - 1) * step + 1);
  const packedBytes = rows * columns * 3 / 2;
  fillRandom(from, packedBytes, seed);
  const begin = IMAGE / 2 + 64;
  const around = [begin - 64, begin + size + 64] as const;
  u16.fill(CANARY, ...around);
  const first = reversed ? (rows - 1) * step * width : 0;
  const stride = (reversed ? -1 : 1) * step * width;
  unpackGigafrost(on, { from, to: 2 * (begin + first), rows, columns, stride: 2 * stride });

  const expected = new Uint16Array(size + 128).fill(CANARY);
  const pixels = unpackedBits(u8.slice(from, from + packedBytes), rows * columns);
  pixels.forEach((value, i) => {
    const row = Math.floor(i / columns);
    expected[64 + first + row * stride + i % columns] = value;
  });
  assert.deepEqual(u16.slice(...around), expected);
}

Deno.test("unpackGigafrost() unpacks every pixel to its place, and writes nothing beside its rows", () => {
  fc.assert(fc.property(shape, (s) => check(s, 65536)), { numRuns: 400 });
});

Deno.test("unpackGigafrost() reads nothing after its rows: they may end where the memory ends", () => {
  fc.assert(
    fc.property(shape, (s) => check(s, memory.buffer.byteLength - s.rows * s.columns * 3 / 2)),
    { numRuns: 200 },
  );
});

for (const [columns, rows] of [[1008, 504], [252, 63], [12, 1], [14, 3], [240, 32], [264, 70]]) {
  Deno.test(`unpackGigafrost() unpacks a link of ${columns} × ${rows} px either way up`, () => {
    for (const reversed of [false, true]) {
      const s = { rows: rows!, columns: columns!, besides: columns!, step: 2, reversed, seed: 7 };
      check(s, memory.buffer.byteLength - 2 ** 20);
    }
  });
}

Deno.test("unpackGigafrost() refuses shapes that the kernel cannot do, and what lies outside", () => {
  const good = { from: 65536, to: IMAGE, rows: 2, columns: 24, stride: 96 };
  const end = memory.buffer.byteLength;
  unpackGigafrost(on, good);
  for (
    const wrong of [
      { rows: 0 },
      { rows: 1.5 },
      { columns: 10 },
      { columns: 13 },
      { from: -1 },
      { from: end - 71 },
      { to: end - 96 - 47 },
      { to: 95, stride: -96 },
      { stride: NaN },
      { stride: 0 },
      { stride: -46 },
    ]
  ) {
    assert.throws(() => unpackGigafrost(on, { ...good, ...wrong }), RangeError);
  }
});
