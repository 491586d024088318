/**
 * Row: pedestal sums of dark frames and pedestal tracking, against C.
 *
 * @module
 */
import { unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { writeDarkFrames } from "./_dark.ts";
import { compare, type Figure, type Floor } from "./_figure.ts";
import { benchName } from "./_names.ts";
import { MEASURED_CPU, native, type Program, run, script } from "./_run.ts";

const RUN_MS = 250;
const ASKED: Floor = { of: "ratio", sense: "at least", limit: 1.1 };

/** What is measured, by the modes of both sides. */
const CASES = [
  { ours: "batch", theirs: "frame", name: "pedestal, %, against C frame by frame" },
  { ours: "batch", theirs: "batch", name: "pedestal, %, against C 16 frames at a time" },
  { ours: "track", theirs: "track", name: "pedestal tracking, %" },
] as const;

/** Measures; `rounds` runs of each side in turn. */
export async function pedestal(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const path = dataPath(benchName("pedestal"));
  try {
    writeDarkFrames(path);
    const one = async (program: Program): Promise<number> =>
      (await run(program, MEASURED_CPU)).gb_per_s!;
    for (const cache of ["cold", "hot"]) {
      for (const { ours: own, theirs: other, name } of CASES) {
        const ours: number[] = [], theirs: number[] = [];
        for (let i = 0; i < rounds; i++) {
          theirs.push(await one(native("pedestal", path, other, cache, RUN_MS)));
          ours.push(await one(script("pedestal_ours.ts", path, own, cache, RUN_MS)));
        }
        figures.push({
          row: "pedestal",
          name: name.replace("%", cache),
          unit: "GB/s",
          ...compare(ours, theirs),
          ...(own === "track" ? {} : { floor: ASKED }),
        });
      }
    }
  } finally {
    unlink(path);
  }
  return figures;
}
