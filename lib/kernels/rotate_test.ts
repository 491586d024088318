import fc from "fast-check";
import { randomBytes, Sandbox } from "./_sandbox.ts";

const sandbox = new Sandbox();

interface Shape {
  pixel: number;
  rows: number;
  columns: number;
  /** Pixels beside the module in the image. */
  besides: number;
  /** The module's rows from last to first, the image's rows from last to first. */
  fromReversed: boolean;
  toReversed: boolean;
  skew: number;
  seed: number;
}

function check(s: Shape): void {
  const { pixel, rows, columns } = s;
  const input = randomBytes(rows * columns * pixel, s.seed);
  const width = rows + s.besides;
  const expected = new Array<number | undefined>(columns * width * pixel).fill(undefined);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const x = s.fromReversed ? rows - 1 - row : row;
      const y = s.toReversed ? columns - 1 - column : column;
      for (let b = 0; b < pixel; b++) {
        expected[(y * width + x) * pixel + b] = input[(row * columns + column) * pixel + b];
      }
    }
  }
  const fromRow = columns * pixel, toRow = width * pixel;
  sandbox.check(input, expected, (from, to) =>
    sandbox.kernels.transposeModule(
      s.toReversed ? to + (columns - 1) * toRow : to,
      s.toReversed ? -toRow : toRow,
      s.fromReversed ? from + (rows - 1) * fromRow : from,
      s.fromReversed ? -fromRow : fromRow,
      rows,
      columns,
      pixel,
    ), { skew: s.skew });
}

Deno.test("transposeModule() turns rows into columns, any size, and writes nothing besides", () => {
  fc.assert(
    fc.property(
      fc.record({
        pixel: fc.constantFrom(1, 2, 4),
        rows: fc.integer({ min: 1, max: 40 }),
        columns: fc.integer({ min: 1, max: 40 }),
        besides: fc.integer({ min: 0, max: 9 }),
        fromReversed: fc.boolean(),
        toReversed: fc.boolean(),
        skew: fc.integer({ min: 0, max: 15 }),
        seed: fc.nat(),
      }),
      check,
    ),
    { numRuns: 400 },
  );
});

for (const pixel of [1, 2, 4]) {
  Deno.test(`transposeModule() lays modules of ${pixel}-byte pixels on their side, all four ways`, () => {
    for (
      const [fromReversed, toReversed] of [[false, false], [false, true], [true, false], [
        true,
        true,
      ]]
    ) {
      const flips = { fromReversed: fromReversed!, toReversed: toReversed! };
      check({ pixel, rows: 128, columns: 256, besides: 6, skew: 0, seed: pixel, ...flips });
    }
  });
}
