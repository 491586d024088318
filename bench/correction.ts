/**
 * Row: Jungfrau's correction, against loops in C.
 *
 * @module
 */
import assert from "node:assert/strict";
import { File, unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { correctionPlan, type PIXEL_BYTES } from "./_correction.ts";
import { compare, type Figure } from "./_figure.ts";
import { benchName } from "./_names.ts";
import { native, type Program, script } from "./_run.ts";
import { takeTurns, twoCores } from "./_two_cores.ts";

const RUN_MS = 250;

/** What is measured: the type of the image's pixels, and how many of 100 pixels have switched. */
const CASES: readonly { type: keyof typeof PIXEL_BYTES; switched: number; least?: number }[] = [
  { type: "float32", switched: 0, least: 1.5 },
  { type: "float32", switched: 3, least: 1.5 },
  { type: "float32", switched: 66, least: 0.85 },
  { type: "int16", switched: 3, least: 2 },
  { type: "uint16", switched: 3 },
  { type: "int32", switched: 3 },
];

/** Measures; `rounds` runs of each side in turn, on one core and on two at once. */
export async function correction(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const paths = [dataPath(benchName("correct-0")), dataPath(benchName("correct-1"))] as const;
  const { bytes } = correctionPlan("float32", "cold");
  try {
    for (const path of paths) {
      using file = File.open(path, { write: true, create: "exclusive" });
      file.truncate(bytes);
      file.allocate(0, bytes);
    }
    for (const mode of ["cold", "hot"] as const) {
      for (const { type, switched, least } of CASES) {
        const mix = switched === 66 ? "any mix" : `${switched} % switched`;
        figures.push(
          ...await measure(
            `Jungfrau to ${type}, ${mix}, ${mode}`,
            paths,
            [type, switched, mode, RUN_MS],
            least,
            rounds,
          ),
        );
      }
    }
  } finally {
    for (const path of paths) unlink(path);
  }
  return figures;
}

async function measure(
  name: string,
  [first, second]: readonly [string, string],
  args: (string | number)[],
  least: number | undefined,
  rounds: number,
): Promise<Figure[]> {
  const own = (path: string): Program => script("correction_ours.ts", path, ...args);
  const loop = (path: string, kind: "plain" | "vector"): Program =>
    native("correct", path, kind, ...args);
  const { plain, vector, ours } = await takeTurns({
    plain: [loop(first, "plain")],
    vector: [loop(first, "vector"), loop(second, "vector")],
    ours: [own(first), own(second)],
  }, rounds);
  // Both add up the same pixels; the scales of C are rounded once more.
  assert.ok(Math.abs(ours.sum! / plain.sum! - 1) < 1e-3, `${name}: ${ours.sum} ${plain.sum}`);
  const shaped = compare(ours.one, vector.one);
  return [
    {
      row: "correction",
      name,
      unit: "GB/s",
      ...compare(ours.one, plain.one),
      ...(least === undefined ? {} : { floor: { of: "ratio", sense: "at least", limit: least } }),
      note: `${shaped.ratio.toFixed(2)} × a loop shaped for the compiler's vectors, ` +
        `${shaped.theirs.toFixed(2)} GB/s`,
    },
    twoCores("correction", name, ours, vector),
  ];
}
