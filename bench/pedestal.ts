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
import { native, script } from "./_run.ts";
import { takeTurns, twoCores } from "./_two_cores.ts";

const RUN_MS = 250;
const ASKED: Floor = { of: "ratio", sense: "at least", limit: 1.1 };

/** What is measured, by the modes of both sides. */
const CASES = [
  { ours: "batch", theirs: "frame", name: "pedestal, %, against C frame by frame" },
  { ours: "batch", theirs: "batch", name: "pedestal, %, against C 16 frames at a time" },
  { ours: "track", theirs: "track", name: "pedestal tracking, %" },
] as const;

/** Measures; `rounds` runs of each side in turn, on one core and on two at once. */
export async function pedestal(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const path = dataPath(benchName("pedestal"));
  try {
    writeDarkFrames(path);
    for (const cache of ["cold", "hot"]) {
      for (const { ours, theirs, name } of CASES) {
        const own = script("pedestal_ours.ts", path, ours, cache, RUN_MS);
        const yardstick = native("pedestal", path, theirs, cache, RUN_MS);
        const speeds = await takeTurns({
          theirs: [yardstick, yardstick], // only frames are shared
          ours: [own, own],
        }, rounds);
        const title = name.replace("%", cache);
        figures.push({
          row: "pedestal",
          name: title,
          unit: "GB/s",
          ...compare(speeds.ours.one, speeds.theirs.one),
          ...(ours === "track" ? {} : { floor: ASKED }),
        }, twoCores("pedestal", title, speeds.ours, speeds.theirs));
      }
    }
  } finally {
    unlink(path);
  }
  return figures;
}
