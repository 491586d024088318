/**
 * Row: the kernels between socket and image. Reassembly, against C without prediction and with it; module
 * assembly, against row-wise memcpy in C, on one core and on two.
 *
 * @module
 */
import { File, unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { assemblyPlan } from "./_assembly.ts";
import { compare, type Figure, type Floor, median } from "./_figure.ts";
import { benchName } from "./_names.ts";
import { MEASURED_CPU, native, type Program, run, script } from "./_run.ts";
import { takeTurns, twoCores } from "./_two_cores.ts";

const CASES: readonly { pixel: number; name: string; floor?: Floor }[] = [
  { pixel: 1, name: "u8", floor: { of: "ratio", sense: "at least", limit: 0.75 } },
  { pixel: 2, name: "u16", floor: { of: "ratio", sense: "at least", limit: 0.8 } },
  { pixel: 4, name: "u32", floor: { of: "ratio", sense: "at least", limit: 0.95 } },
];

/** 0.95 of the yardstick's speed; times are compared. */
const REASSEMBLY: Floor = { of: "ratio", sense: "at most", limit: 1.05 };
const RUN_MS = 250;

/** Measures; `rounds` runs of each side in turn. */
export async function kernels(rounds: number): Promise<Figure[]> {
  const figures = await reassembly(rounds);
  const first = dataPath(benchName("assemble-0")), second = dataPath(benchName("assemble-1"));
  for (const { pixel, name, floor } of CASES) {
    const { bytes } = assemblyPlan(pixel, "cold"); // more than a ring needs
    try {
      for (const path of [first, second]) {
        using file = File.open(path, { write: true, create: "exclusive" });
        file.truncate(bytes);
        file.allocate(0, bytes);
      }
      for (const mode of ["cold", "ring", "hot"] as const) {
        const assemble = `assemble Eiger ${name}, ${mode === "ring" ? "ring of 8 images" : mode}`;
        const own = (path: string): Program =>
          script("assemble_ours.ts", path, pixel, mode, RUN_MS);
        const yardstick = (path: string): Program => native("assemble", path, pixel, mode, RUN_MS);
        const { ours, theirs } = await takeTurns({
          theirs: [yardstick(first), yardstick(second)],
          ours: [own(first), own(second)],
        }, rounds);
        figures.push({
          row: "kernels",
          name: assemble,
          unit: "GB/s",
          ...compare(ours.one, theirs.one),
          ...(floor === undefined ? {} : { floor }),
          ...(mode === "hot" ? { note: "one frame, in the cache: not what the rings do" } : {}),
        }, twoCores("kernels", assemble, ours, theirs));
      }
    } finally {
      for (const path of [first, second]) unlink(path);
    }
  }
  return figures;
}

/** CPU time per packet of what is done between recvmmsg and the ring. */
async function reassembly(rounds: number): Promise<Figure[]> {
  const nanoseconds = async (program: Program): Promise<number> =>
    (await run(program, MEASURED_CPU)).ns!;
  const figures: Figure[] = [];
  for (const order of ["order", "reverse"]) {
    const ours: number[] = [], copy: number[] = [], place: number[] = [];
    for (let i = 0; i < rounds; i++) {
      const name = benchName(`reassemble-${i}`);
      copy.push(await nanoseconds(native("reassemble", "copy", order, RUN_MS)));
      ours.push(await nanoseconds(script("reassemble_ours.ts", name, order, RUN_MS)));
      place.push(await nanoseconds(native("reassemble", "place", order, RUN_MS)));
    }
    const inPlace = compare(ours, place);
    figures.push({
      row: "kernels",
      name: order === "order"
        ? "reassemble Jungfrau, per packet"
        : "reassemble Jungfrau, every frame in reverse",
      unit: "ns",
      ...compare(ours, copy),
      ...(order === "order" ? { floor: REASSEMBLY } : {}),
      note: `C copies each packet to its frame; C that predicts places, too: ${
        median(place).toFixed(0)
      } ns, ratio ${inPlace.ratio.toFixed(2)}`,
    });
  }
  return figures;
}
