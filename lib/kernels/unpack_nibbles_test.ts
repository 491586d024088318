import fc from "fast-check";
import { randomBytes, Sandbox } from "./_sandbox.ts";

const sandbox = new Sandbox();

/** Pixel `i` of packed ones: the low half of a byte comes first. */
function nibble(packed: Uint8Array, i: number): number {
  const byte = packed[i >> 1]!;
  return i % 2 === 0 ? byte & 0x0f : byte >> 4;
}

interface Shape {
  rows: number;
  chips: number;
  run: number;
  gap: number;
  besides: number;
  reversed: boolean;
  skew: number;
  seed: number;
}

function check(s: Shape): void {
  const packed = randomBytes(s.rows * s.chips * s.run / 2, s.seed);
  const width = s.chips * (s.run + s.gap) - s.gap + s.besides;
  const expected = new Array<number | undefined>(s.rows * width).fill(undefined);
  let i = 0;
  for (let row = 0; row < s.rows; row++) {
    const y = s.reversed ? s.rows - 1 - row : row;
    for (let chip = 0; chip < s.chips; chip++) {
      for (let x = 0; x < s.run; x++) {
        expected[y * width + chip * (s.run + s.gap) + x] = nibble(packed, i++);
      }
    }
  }
  sandbox.check(packed, expected, (from, to) => {
    const first = s.reversed ? (s.rows - 1) * width : 0;
    const stride = s.reversed ? -width : width;
    sandbox.kernels.unpackNibbles(to + first, from, s.rows, s.chips, s.run, s.gap, stride);
  }, { skew: s.skew });
}

Deno.test("unpackNibbles() puts every pixel of 4 bit into a byte, and writes nothing besides", () => {
  fc.assert(
    fc.property(
      fc.record({
        rows: fc.integer({ min: 1, max: 6 }),
        chips: fc.integer({ min: 1, max: 4 }),
        run: fc.integer({ min: 0, max: 150 }).map((n) => 2 * n),
        gap: fc.integer({ min: 0, max: 5 }),
        besides: fc.integer({ min: 0, max: 20 }),
        reversed: fc.boolean(),
        skew: fc.integer({ min: 0, max: 15 }),
        seed: fc.nat(),
      }),
      check,
    ),
    { numRuns: 300 },
  );
});

Deno.test("unpackNibbles() places a half module of Eiger either way up", () => {
  const shape = { rows: 256, chips: 2, run: 256, gap: 2, besides: 516, skew: 0, seed: 4 };
  check({ ...shape, reversed: false });
  check({ ...shape, reversed: true });
});
