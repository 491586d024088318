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
import { native, type Program, script } from "./_run.ts";
import { takeTurns, twoCores } from "./_two_cores.ts";

const RUN_MS = 250;

/** Twice what a plain loop does, where the kernel and not the memory is what takes the time. */
const ASKED: Floor = { of: "ratio", sense: "at least", limit: 2 };

/** Measures; `rounds` runs of each side in turn. */
export async function gigafrost(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const paths = [dataPath(benchName("gigafrost-0")), dataPath(benchName("gigafrost-1"))] as const;
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
  paths: readonly [string, string],
  mode: "cold" | "hot",
  rounds: number,
): Promise<Figure[]> {
  const [first, second] = paths;
  const own = (path: string): Program => script("gigafrost_ours.ts", path, mode, RUN_MS);
  const loop = (path: string, kind: "plain" | "vectorised" | "traffic"): Program =>
    native("gigafrost", path, kind, mode, RUN_MS);
  const { plain, traffic, ours, vectorised } = await takeTurns({
    plain: [loop(first, "plain")],
    traffic: [loop(first, "traffic")],
    ours: [own(first), own(second)],
    vectorised: [loop(first, "vectorised"), loop(second, "vectorised")],
  }, rounds);
  const row = "gigafrost";
  const unpack = `unpack GigaFRoST, ${mode}`;
  return [
    {
      row,
      name: `${unpack}, against a plain loop`,
      unit: "GB/s",
      ...compare(ours.one, plain.one),
      ...(mode === "hot"
        ? { floor: ASKED }
        : { note: "limited by the memory: see the line after the next" }),
    },
    {
      row,
      name: `${unpack}, against a loop that gcc vectorises`,
      unit: "GB/s",
      ...compare(ours.one, vectorised.one),
    },
    {
      row,
      name: `${unpack}, against memcpy of as many bytes`,
      unit: "GB/s",
      ...compare(ours.one, traffic.one),
      ...(mode === "cold"
        ? { note: `the memory's bandwidth: ${bothWays(median(traffic.one))} GB/s read and written` }
        : {}),
    },
    twoCores(row, unpack, ours, vectorised),
  ];
}

/** Three bytes are read where four are written. */
function bothWays(packed: number): string {
  return (packed * 7 / 3).toFixed(1);
}

function writeNoise(path: string, bytes: number): void {
  using file = File.open(path, { write: true, create: "exclusive" });
  const noise = new Uint8Array(2 ** 20);
  for (let i = 0; i < noise.length; i++) noise[i] = Math.imul(i, 0x9e3779b1) >>> 24;
  for (let at = 0; at < bytes; at += noise.length) {
    file.writeAt(noise.subarray(0, Math.min(noise.length, bytes - at)), at);
  }
}
