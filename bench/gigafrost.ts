/**
 * Row: unpacking GigaFRoST's 12-bit pixels, against loops in C, on one core and on two.
 *
 * @module
 */
import { File, unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { compare, type Figure, type Floor, median } from "./_figure.ts";
import { gigafrostPlan } from "./_gigafrost.ts";
import { benchName } from "./_names.ts";
import { MEASURED_CPU, native, type Program, run, script, SENDER_CPU } from "./_run.ts";

const RUN_MS = 250;

/** Twice what a plain loop does, where the kernel and not the memory is what takes the time. */
const ASKED: Floor = { of: "ratio", sense: "at least", limit: 2 };

/** What two cores shall do of one; not asked where C does not get there either: it is the memory. */
const TWO_CORES: Floor = { of: "value", sense: "at least", limit: 1.7 };

/** Measures; `rounds` runs of each side in turn. */
export async function gigafrost(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const paths = [dataPath(benchName("gigafrost-0")), dataPath(benchName("gigafrost-1"))];
  try {
    for (const path of paths) writeNoise(path, gigafrostPlan("cold").bytes);
    for (const mode of ["cold", "hot"] as const) {
      figures.push(...await measure(paths, mode, rounds));
    }
  } finally {
    for (const path of paths) unlink(path);
  }
  return figures;
}

async function measure(
  paths: readonly string[],
  mode: "cold" | "hot",
  rounds: number,
): Promise<Figure[]> {
  const programs = {
    ours: (path: string) => script("gigafrost_ours.ts", path, mode, RUN_MS),
    plain: (path: string) => native("gigafrost", path, "plain", mode, RUN_MS),
    vectorised: (path: string) => native("gigafrost", path, "vectorised", mode, RUN_MS),
  };
  const one = { ours: [] as number[], plain: [] as number[], vectorised: [] as number[] };
  const two = { ours: [] as number[], vectorised: [] as number[] };
  for (let i = 0; i < rounds; i++) {
    for (const side of ["plain", "ours", "vectorised"] as const) {
      one[side].push(await speed(programs[side](paths[0]!), MEASURED_CPU));
    }
    for (const side of ["ours", "vectorised"] as const) {
      const both = await Promise.all([
        speed(programs[side](paths[0]!), MEASURED_CPU),
        speed(programs[side](paths[1]!), SENDER_CPU),
      ]);
      two[side].push(both[0] + both[1]);
    }
  }
  const scaling = (side: "ours" | "vectorised"): number =>
    median(two[side].map((sum, i) => sum / one[side][i]!));
  const row = "gigafrost";
  const unpack = `unpack GigaFRoST, ${mode}`;
  const memoryBound = scaling("vectorised") < TWO_CORES.limit;
  return [
    {
      row,
      name: `${unpack}, against a plain loop`,
      unit: "GB/s",
      ...compare(one.ours, one.plain),
      ...(mode === "hot" ? { floor: ASKED } : { note: "limited by the memory, on both sides" }),
    },
    {
      row,
      name: `${unpack}, against a loop that gcc vectorises`,
      unit: "GB/s",
      ...compare(one.ours, one.vectorised),
    },
    {
      row,
      name: `${unpack}, two cores`,
      unit: "× one",
      ours: scaling("ours"),
      theirs: scaling("vectorised"),
      note: `${median(two.ours).toFixed(1)} GB/s, C ${median(two.vectorised).toFixed(1)}`,
      ...(memoryBound ? {} : { floor: TWO_CORES }),
    },
  ];
}

/** Packed bytes per second of CPU time, GB/s. */
async function speed(program: Program, cpu: number): Promise<number> {
  return (await run(program, cpu)).gb_per_s!;
}

function writeNoise(path: string, bytes: number): void {
  using file = File.open(path, { write: true, create: "exclusive" });
  const noise = new Uint8Array(2 ** 20);
  for (let i = 0; i < noise.length; i++) noise[i] = Math.imul(i, 0x9e3779b1) >>> 24;
  for (let at = 0; at < bytes; at += noise.length) {
    file.writeAt(noise.subarray(0, Math.min(noise.length, bytes - at)), at);
  }
}
