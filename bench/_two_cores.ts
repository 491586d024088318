/**
 * Measurements of programs that say their speeds, as `gb_per_s` or by name: in turns, on one core and on two at once.
 *
 * @module
 */
import { type Figure, type Floor, median, type RowName } from "./_figure.ts";
import { MEASURED_CPU, type Program, run, SENDER_CPU } from "./_run.ts";

/** Speeds of all rounds, GB/s of CPU time: on one core, and the sum of two at once. */
export interface Speeds {
  one: number[];
  two: number[];
  /** What the last run alone says its results add up to, if it does. */
  sum?: number;
}

/** A program for the measured core, and one like it, with a memory of its own, for the other core. */
export type Pair = readonly [measured: Program, other?: Program];

/** Runs every side in each of `rounds` rounds: alone, and where there is a pair, with the other core at work. */
export async function takeTurns<Side extends string>(
  sides: Readonly<Record<Side, Pair>>,
  rounds: number,
): Promise<Record<Side, Speeds>> {
  const runs = await takeTurnsInAll(sides, rounds);
  const all = Object.entries<Map<string, Speeds>>(runs).map(([side, speeds]) => {
    const sum = speeds.get("sum")?.one.at(-1);
    return [side, { ...speeds.get("gb_per_s"), ...(sum === undefined ? {} : { sum }) }];
  });
  return Object.fromEntries(all) as Record<Side, Speeds>;
}

/** The same with programs that measure several things in a run: speeds by the names they give them. */
export async function takeTurnsInAll<Side extends string>(
  sides: Readonly<Record<Side, Pair>>,
  rounds: number,
): Promise<Record<Side, Map<string, Speeds>>> {
  const all = Object.entries<Pair>(sides).map(([side, pair]) => {
    const speeds = new Map<string, Speeds>();
    return { side, pair, speeds };
  });
  for (let i = 0; i < rounds; i++) {
    for (const { pair: [measured, other], speeds } of all) {
      for (const [name, value] of Object.entries(await run(measured, MEASURED_CPU))) {
        const { one } = speeds.get(name) ?? speeds.set(name, { one: [], two: [] }).get(name)!;
        one.push(value);
      }
      if (other === undefined) continue;
      const both = [run(other, SENDER_CPU), run(measured, MEASURED_CPU)];
      const [first, second] = await Promise.all(both);
      for (const [name, { two }] of speeds) two.push(first![name]! + second![name]!);
    }
  }
  const runs = all.map(({ side, speeds }) => [side, speeds]);
  return Object.fromEntries(runs) as Record<Side, Map<string, Speeds>>;
}

/** What is asked of two cores: so much more than one of them does. */
const TWO_CORES: Floor = { of: "value", sense: "at least", limit: 1.7 };

/**
 * What two cores do together, by what one did in the same round. Nothing is asked where the yardstick
 * gets no further: it is the memory.
 */
export function twoCores(row: RowName, name: string, ours: Speeds, theirs: Speeds): Figure {
  const gain = ({ one, two }: Speeds): number => median(two.map((sum, i) => sum / one[i]!));
  const bound = gain(theirs);
  return {
    row,
    name: `${name}, two cores`,
    unit: "× one",
    ours: gain(ours),
    theirs: bound,
    note: `${median(ours.two).toFixed(1)} GB/s, C ${median(theirs.two).toFixed(1)}`,
    ...(bound < TWO_CORES.limit ? {} : { floor: TWO_CORES }),
  };
}
