/**
 * Row: what geometry asks for besides copying, against plain loops in C.
 *
 * @module
 */
import { File, unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { compare, type Figure } from "./_figure.ts";
import { type GeometryKernel, geometryPlan } from "./_geometry.ts";
import { benchName } from "./_names.ts";
import { MEASURED_CPU, native, type Program, run, script } from "./_run.ts";

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
  const one = async (program: Program): Promise<number> =>
    (await run(program, MEASURED_CPU)).gb_per_s!;
  for (const { kernel, name, ...floors } of CASES) {
    const path = dataPath(benchName("geometry"));
    try {
      const { from, to, count } = geometryPlan(kernel, "cold");
      using file = File.open(path, { write: true, create: "exclusive" });
      file.truncate(count * (from + to));
      file.allocate(0, count * (from + to));
      for (const mode of ["cold", "hot"] as const) {
        const limit = floors[mode];
        const ours: number[] = [], theirs: number[] = [];
        for (let i = 0; i < rounds; i++) {
          theirs.push(await one(native("geometry", path, kernel, mode, RUN_MS)));
          ours.push(await one(script("geometry_ours.ts", path, kernel, mode, RUN_MS)));
        }
        figures.push({
          row: "geometry",
          name: `${name}, ${mode}`,
          unit: "GB/s",
          ...compare(ours, theirs),
          ...(limit === undefined ? {} : { floor: { of: "ratio", sense: "at least", limit } }),
          ...(mode === "hot" ? { note: "one frame, in the cache: not what the rings do" } : {}),
        });
      }
    } finally {
      unlink(path);
    }
  }
  return figures;
}
