/**
 * Row: the kernels that cost little or run seldom, against plain loops in C, on one core and on two.
 *
 * @module
 */
import assert from "node:assert/strict";
import { File, unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { compare, type Figure } from "./_figure.ts";
import { benchName } from "./_names.ts";
import { OTHER_BYTES, type OtherKernel } from "./_others.ts";
import { native, type Program, script } from "./_run.ts";
import { takeTurnsInAll, twoCores } from "./_two_cores.ts";

const RUN_MS = 60;

const NAMES: Readonly<Record<OtherKernel | "packetise", string>> = {
  mirror8: "assemble mirrored, u8",
  mirror16: "assemble mirrored, u16",
  mirror32: "assemble mirrored, u32",
  shareSigned16: "share double pixels, i16",
  shareSigned32: "share double pixels, i32",
  shareFloats: "share double pixels, f32",
  setPixels: "mask double pixels, u16",
  blank: "blank a module, u16",
  fill: "fill a module, f32",
  isZero: "is a packet missing, u16",
  countGains: "count gains",
  finishPedestal: "finish a pedestal",
  packetise: "simulate packets",
};

/** Measures; `rounds` runs of each side in turn. */
export async function others(rounds: number): Promise<Figure[]> {
  const paths = [dataPath(benchName("others-0")), dataPath(benchName("others-1"))] as const;
  try {
    for (const path of paths) {
      using file = File.open(path, { write: true, create: "exclusive" });
      file.truncate(OTHER_BYTES);
      file.allocate(0, OTHER_BYTES);
    }
    const [first, second] = paths;
    const own = (path: string): Program => script("others_ours.ts", path, RUN_MS);
    const yardstick = (path: string): Program => native("others", path, RUN_MS);
    const { ours, theirs } = await takeTurnsInAll({
      theirs: [yardstick(first), yardstick(second)],
      ours: [own(first), own(second)],
    }, rounds);
    return Object.entries(NAMES).flatMap(([kernel, name]) => {
      const sums = [ours, theirs].map((runs) => runs.get(`${kernel} sum`)?.one[0]);
      const isPackets = kernel === "packetise"; // of a vector that stays in the cache
      assert.equal(sums[0], sums[1], `${name}: the two sides did not write the same`);
      return ["cold", "hot"].flatMap((mode): Figure[] => {
        const own = ours.get(`${kernel} ${mode}`), their = theirs.get(`${kernel} ${mode}`);
        if (own === undefined || their === undefined) return []; // always hot
        const title = `${name}, ${mode}`;
        return [
          {
            row: "others",
            name: title,
            unit: isPackets ? "M packets/s" : "GB/s",
            ...compare(own.one, their.one),
          },
          ...(isPackets ? [] : [twoCores("others", title, own, their)]),
        ];
      });
    });
  } finally {
    for (const path of paths) unlink(path);
  }
}
