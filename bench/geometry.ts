/**
 * Row: what geometry asks for besides copying, against plain loops in C, on one core and on two.
 *
 * @module
 */
import { File, unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { compare, type Figure } from "./_figure.ts";
import { type GeometryKernel, geometryPlan } from "./_geometry.ts";
import { benchName } from "./_names.ts";
import { native, type Program, script } from "./_run.ts";
import { takeTurns, twoCores } from "./_two_cores.ts";

/** Floors are for what a ring does: `hot`, one frame to one place, is only asked where it can be reached. */
const CASES: readonly { kernel: GeometryKernel; name: string; cold: number; hot?: number }[] = [
  { kernel: "unpack", name: "unpack Eiger 4 bit", cold: 0.75 },
  { kernel: "rotate8", name: "lay on the side, u8", cold: 2, hot: 4 },
  { kernel: "rotate16", name: "lay on the side, u16", cold: 1.5, hot: 3 },
  { kernel: "rotate32", name: "lay on the side, u32", cold: 1.2, hot: 2 },
  { kernel: "share", name: "share double pixels, u16", cold: 0.8 },
];
const RUN_MS = 250;

/** Measures; `rounds` runs of each side in turn. */
export async function geometry(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const first = dataPath(benchName("geometry-0")), second = dataPath(benchName("geometry-1"));
  for (const { kernel, name, ...floors } of CASES) {
    try {
      const { from, to, count } = geometryPlan(kernel, "cold");
      for (const path of [first, second]) {
        using file = File.open(path, { write: true, create: "exclusive" });
        file.truncate(count * (from + to));
        file.allocate(0, count * (from + to));
      }
      for (const mode of ["cold", "hot"] as const) {
        const limit = floors[mode];
        const own = (path: string): Program =>
          script("geometry_ours.ts", path, kernel, mode, RUN_MS);
        const yardstick = (path: string): Program => native("geometry", path, kernel, mode, RUN_MS);
        const { ours, theirs } = await takeTurns({
          theirs: [yardstick(first), yardstick(second)],
          ours: [own(first), own(second)],
        }, rounds);
        figures.push({
          row: "geometry",
          name: `${name}, ${mode}`,
          unit: "GB/s",
          ...compare(ours.one, theirs.one),
          ...(limit === undefined ? {} : { floor: { of: "ratio", sense: "at least", limit } }),
          ...(mode === "hot" ? { note: "one frame, in the cache: not what the rings do" } : {}),
        }, twoCores("geometry", `${name}, ${mode}`, ours, theirs));
      }
    } finally {
      for (const path of [first, second]) unlink(path);
    }
  }
  return figures;
}
