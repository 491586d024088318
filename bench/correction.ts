/**
 * Row: Jungfrau's correction, against loops in C.
 *
 * @module
 */
import assert from "node:assert/strict";
import { File, unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { correctionPlan } from "./_correction.ts";
import { compare, type Figure, type Floor, median } from "./_figure.ts";
import { benchName } from "./_names.ts";
import { MEASURED_CPU, native, type Program, run, script, SENDER_CPU } from "./_run.ts";

const RUN_MS = 250;
const TWO_CORES: Floor = { of: "value", sense: "at least", limit: 1.7 };

/** What is measured: the type of the image's pixels, and how many of 100 pixels have switched. */
const CASES: readonly { type: "float32" | "int16"; switched: number; least: number }[] = [
  { type: "float32", switched: 0, least: 1.5 },
  { type: "float32", switched: 3, least: 1.5 },
  { type: "float32", switched: 66, least: 0.85 },
  { type: "int16", switched: 3, least: 2 },
];

/** Measures; `rounds` runs of each side in turn, on one core and on two at once. */
export async function correction(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const path = dataPath(benchName("correct"));
  const { bytes } = correctionPlan("float32", "cold");
  try {
    using file = File.open(path, { write: true, create: "exclusive" });
    file.truncate(bytes);
    file.allocate(0, bytes);
    for (const mode of ["cold", "hot"] as const) {
      for (const { type, switched, least } of CASES) {
        const args = [type, switched, mode, RUN_MS];
        const mix = switched === 66 ? "any mix" : `${switched} % switched`;
        figures.push(
          ...await measure(
            `Jungfrau to ${type}, ${mix}, ${mode}`,
            script("correction_ours.ts", path, ...args),
            native("correct", path, "plain", ...args),
            native("correct", path, "vector", ...args),
            {
              one: { of: "ratio", sense: "at least", limit: least },
              ...(mode === "hot" ? { two: TWO_CORES } : {}), // cold, it is up to the memory
            },
            rounds,
          ),
        );
      }
    }
  } finally {
    unlink(path);
  }
  return figures;
}

async function measure(
  name: string,
  ourProgram: Program,
  plainProgram: Program,
  vectorProgram: Program,
  floors: { one: Floor; two?: Floor },
  rounds: number,
): Promise<Figure[]> {
  const ours: number[] = [], both: number[] = [], plain: number[] = [], vector: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const theirs = await run(plainProgram, MEASURED_CPU);
    plain.push(theirs.gb_per_s!);
    vector.push((await run(vectorProgram, MEASURED_CPU)).gb_per_s!);
    const own = await run(ourProgram, MEASURED_CPU);
    ours.push(own.gb_per_s!);
    // Both add up the same pixels; the scales of C are rounded once more.
    assert.ok(Math.abs(own.sum! / theirs.sum! - 1) < 1e-3, `${name}: ${own.sum} ${theirs.sum}`);
    const two = [run(ourProgram, SENDER_CPU), run(ourProgram, MEASURED_CPU)];
    both.push((await Promise.all(two)).reduce((sum, { gb_per_s }) => sum + gb_per_s!, 0));
  }
  const shaped = compare(ours, vector);
  return [
    {
      row: "correction",
      name,
      unit: "GB/s",
      ...compare(ours, plain),
      floor: floors.one,
      note: `${shaped.ratio.toFixed(2)} × a loop shaped for the compiler's vectors, ` +
        `${shaped.theirs.toFixed(2)} GB/s`,
    },
    {
      row: "correction",
      name: `${name}, two cores`,
      unit: "× one",
      ours: median(both.map((sum, i) => sum / ours[i]!)),
      note: `${median(both).toFixed(1)} GB/s`,
      ...(floors.two === undefined ? {} : { floor: floors.two }),
    },
  ];
}
