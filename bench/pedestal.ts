/**
 * Row: pedestal sums of dark frames and pedestal tracking, against C.
 *
 * @module
 */
import { unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { writeDarkFrames } from "./_dark.ts";
import { compare, type Figure, type Floor, median } from "./_figure.ts";
import { benchName } from "./_names.ts";
import { MEASURED_CPU, native, type Program, run, script, SENDER_CPU } from "./_run.ts";

const RUN_MS = 250;
const TWO_CORES: Floor = { of: "value", sense: "at least", limit: 1.7 };
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
        figures.push(
          ...await measure(
            name.replace("%", cache),
            script("pedestal_ours.ts", path, ours, cache, RUN_MS),
            native("pedestal", path, theirs, cache, RUN_MS),
            {
              ...(ours === "track" ? {} : { one: ASKED }),
              ...(cache === "hot" ? { two: TWO_CORES } : {}), // cold, it is up to the memory
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
  theirProgram: Program,
  floors: { one?: Floor; two?: Floor },
  rounds: number,
): Promise<Figure[]> {
  const ours: Speeds = { one: [], two: [] }, theirs: Speeds = { one: [], two: [] };
  for (let i = 0; i < rounds; i++) {
    for (const [speeds, program] of [[theirs, theirProgram], [ours, ourProgram]] as const) {
      speeds.one.push(await gigabytes(program, MEASURED_CPU));
      const both = [gigabytes(program, SENDER_CPU), gigabytes(program, MEASURED_CPU)];
      speeds.two.push((await Promise.all(both)).reduce((a, b) => a + b));
    }
  }
  const gain = ({ one, two }: Speeds): number => median(two.map((both, i) => both / one[i]!));
  return [
    {
      row: "pedestal",
      name,
      unit: "GB/s",
      ...compare(ours.one, theirs.one),
      ...(floors.one === undefined ? {} : { floor: floors.one }),
    },
    {
      row: "pedestal",
      name: `${name}, two cores`,
      unit: "× one",
      ours: gain(ours),
      theirs: gain(theirs),
      note: `${median(ours.two).toFixed(1)} GB/s, C ${median(theirs.two).toFixed(1)}`,
      ...(floors.two === undefined ? {} : { floor: floors.two }),
    },
  ];
}

/** Speeds of all runs, GB/s: on one core, and the sum of two at once. */
interface Speeds {
  one: number[];
  two: number[];
}

async function gigabytes(program: Program, cpu: number): Promise<number> {
  return (await run(program, cpu)).gb_per_s!;
}
