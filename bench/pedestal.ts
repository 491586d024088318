/**
 * Row: pedestal sums of dark frames, against C.
 *
 * @module
 */
import { unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { writeDarkFrames } from "./_dark.ts";
import { compare, type Figure } from "./_figure.ts";
import { benchName } from "./_names.ts";
import { MEASURED_CPU, native, type Program, run, script } from "./_run.ts";

const RUN_MS = 250;

const YARDSTICKS = [
  { mode: "frame", name: "frame by frame" },
  { mode: "batch", name: "16 frames at a time" },
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
      const ours: number[] = [];
      const theirs: Record<typeof YARDSTICKS[number]["mode"], number[]> = { frame: [], batch: [] };
      for (let i = 0; i < rounds; i++) {
        for (const { mode } of YARDSTICKS) {
          theirs[mode].push(await one(native("pedestal", path, mode, cache, RUN_MS)));
        }
        ours.push(await one(script("pedestal_ours.ts", path, cache, RUN_MS)));
      }
      for (const { mode, name } of YARDSTICKS) {
        figures.push({
          row: "pedestal",
          name: `pedestal, ${cache}, against C ${name}`,
          unit: "GB/s",
          ...compare(ours, theirs[mode]),
          floor: { of: "ratio", sense: "at least", limit: 1.1 },
        });
      }
    }
  } finally {
    unlink(path);
  }
  return figures;
}
