/**
 * Row 3: module assembly, against row-wise memcpy in C.
 *
 * @module
 */
import { File, unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { assemblyPlan } from "./_assembly.ts";
import { compare, type Figure, type Floor } from "./_figure.ts";
import { benchName } from "./_names.ts";
import { MEASURED_CPU, native, type Program, run, script } from "./_run.ts";

const CASES: readonly { pixel: number; name: string; floor?: Floor }[] = [
  { pixel: 1, name: "u8" },
  { pixel: 2, name: "u16", floor: { of: "ratio", sense: "at least", limit: 0.8 } },
  { pixel: 4, name: "u32", floor: { of: "ratio", sense: "at least", limit: 0.95 } },
];
const RUN_MS = 250;

/** Measures; `rounds` runs of each side in turn. */
export async function kernels(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { pixel, name, floor } of CASES) {
    const path = dataPath(benchName("assemble"));
    const { bytes } = assemblyPlan(pixel);
    try {
      using file = File.open(path, { write: true, create: "exclusive" });
      file.truncate(bytes);
      file.allocate(0, bytes);
      for (const mode of ["cold", "hot"]) {
        const ours: number[] = [], theirs: number[] = [];
        const one = async (program: Program): Promise<number> =>
          (await run(program, MEASURED_CPU)).gb_per_s!;
        for (let i = 0; i < rounds; i++) {
          theirs.push(await one(native("assemble", path, pixel, mode, RUN_MS)));
          ours.push(await one(script("assemble_ours.ts", path, pixel, mode, RUN_MS)));
        }
        figures.push({
          row: "kernels",
          name: `assemble Eiger ${name}, ${mode}`,
          unit: "GB/s",
          ...compare(ours, theirs),
          ...(floor === undefined ? {} : { floor }),
          ...(mode === "hot" ? { note: "one frame, in the cache: not what the rings do" } : {}),
        });
      }
    } finally {
      unlink(path);
    }
  }
  return figures;
}
