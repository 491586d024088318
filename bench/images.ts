/**
 * Row: the image kernels, against plain loops in C and against bitshuffle and LZ4 libraries.
 *
 * @module
 */
import { unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { compare, type Figure, type Floor, median } from "./_figure.ts";
import {
  COMPRESSION,
  IMAGE_BYTES,
  IMAGES,
  LOOPS,
  OTHER_PIXELS,
  type Pixel,
  PIXELS,
  WIDTH,
  writeImages,
} from "./_images.ts";
import { benchName } from "./_names.ts";
import { MEASURED_CPU, native, type Program, run, script, SENDER_CPU } from "./_run.ts";

const RUN_MS = 100;

/** Of other pixels than those of 16 bit: all kernels of a type in one run, one after the other. */
const SHORT_RUN_MS = 40;

/** What is measured. */
type Case = typeof LOOPS[number] | typeof COMPRESSION[number];

const NAMES: Readonly<Record<Case, string>> = {
  mask: "mask %",
  bin2: "bin %, sum of 2 × 2",
  bin8: "bin %, mean of 8 × 8",
  statistics: "statistics %",
  histogram: "histogram %",
  crop: "region of interest %",
  xxh3: "XXH3",
  shuffle: "bitshuffle %",
  compress: "bitshuffle + LZ4 %",
  decompress: "bitshuffle + LZ4 %, back",
};

const SHORT: Readonly<Record<Pixel, string>> = {
  uint8: "u8",
  uint16: "u16",
  uint32: "u32",
  float32: "f32",
  uint64: "u64",
};

const FLOORS: Partial<Record<Case, number>> = { mask: 2, compress: 1 };

/** Yardsticks of bitshuffle and LZ4: written for the bench, and the package of Debian. */
const AVX2 = "AVX2 and liblz4", PACKAGE = "Debian's package";

/** Speeds of one run, GB/s. */
interface Speeds {
  hot: number;
  cold: number;
}

/** Measures; `rounds` runs of each side in turn, on one core and on two at once. */
export async function images(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const pixel of ["uint16", "uint8", "uint32", "float32", "uint64"] as const) {
    const path = dataPath(benchName("images"));
    try {
      writeImages(path, pixel);
      if (pixel !== "uint16") {
        figures.push(...await measureOther(pixel, path, Math.min(rounds, 3)));
        continue;
      }
      for (const what of [...LOOPS, ...COMPRESSION]) {
        figures.push(...await measure(what, path, rounds));
      }
    } finally {
      unlink(path);
    }
  }
  return figures;
}

/** All kernels for pixels of another type, on one core. */
async function measureOther(
  pixel: Exclude<Pixel, "uint16">,
  path: string,
  rounds: number,
): Promise<Figure[]> {
  const isLoop = (what: string): boolean => LOOPS.some((name) => name === what);
  const cases = [...LOOPS, ...COMPRESSION].filter((what) => OTHER_PIXELS[pixel].includes(what));
  const loops = cases.filter(isLoop).join(), packed = cases.filter((what) => !isLoop(what)).join();
  const ours: Record<string, number>[] = [], theirs: Record<string, number>[] = [];
  for (let round = 0; round < rounds; round++) {
    theirs.push({
      ...(loops === "" ? {} : await run(yardstick(path, pixel, loops, SHORT_RUN_MS), MEASURED_CPU)),
      ...(packed === ""
        ? {}
        : await run(compressor(path, pixel, packed, "avx2", SHORT_RUN_MS), MEASURED_CPU)),
    });
    ours.push(await run(own(path, pixel, cases.join(), SHORT_RUN_MS), MEASURED_CPU));
  }
  const figures: Figure[] = [];
  for (const cache of ["cold", "hot"]) {
    for (const what of cases) {
      const speed = (runs: Record<string, number>[]): number[] =>
        runs.map((speeds) => speeds[`${what} ${cache}`]!);
      if (theirs[0]![`${what} ${cache}`] === undefined) continue; // no such library here
      // The compiler has instructions of AVX2 that write chosen pixels of 32 bit, and needs no kernel.
      const limit = what === "mask" && PIXELS[pixel] === 4 ? undefined : FLOORS[what];
      const [own, their] = [ours[0]!["share"], theirs[0]!["share"]];
      figures.push({
        row: "images",
        name: `${nameOf(what, pixel)}, ${cache}${isLoop(what) ? "" : `, against ${AVX2}`}`,
        unit: "GB/s",
        ...compare(speed(ours), speed(theirs)),
        ...(limit === undefined ? {} : { floor: atLeast("ratio", limit) }),
        ...(what === "compress"
          ? { note: `left of the images: ours ${percent(own!)}, theirs ${percent(their!)}` }
          : {}),
      });
    }
  }
  return figures;
}

function nameOf(what: Case, pixel: Pixel): string {
  return NAMES[what].replace("%", SHORT[pixel]);
}

function own(path: string, pixel: Pixel, cases: string, ms: number): Program {
  return script("images_ours.ts", path, pixel, cases, ms);
}

function yardstick(path: string, pixel: Pixel, cases: string, ms: number): Program {
  return native("images", path, pixel, IMAGE_BYTES, IMAGES, WIDTH, cases, ms);
}

function compressor(
  path: string,
  pixel: Pixel,
  cases: string,
  by: "avx2" | "package",
  ms: number,
): Program {
  return native("bitshuffle", path, PIXELS[pixel], IMAGE_BYTES, IMAGES, cases, by, ms);
}

async function measure(what: Case, path: string, rounds: number): Promise<Figure[]> {
  const loop = LOOPS.some((name) => name === what);
  const ours = own(path, "uint16", what, RUN_MS);
  const yardsticks = loop ? { "": yardstick(path, "uint16", what, RUN_MS) } : {
    [AVX2]: compressor(path, "uint16", what, "avx2", RUN_MS),
    [PACKAGE]: compressor(path, "uint16", what, "package", RUN_MS),
  };
  const one: Speeds[] = [], two: Speeds[] = [];
  const notes = new Map<string, string>();
  const theirs = new Map<string, { one: Speeds[]; two: Speeds[] }>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, program] of Object.entries(yardsticks)) {
      const alone = await run(program, MEASURED_CPU);
      if (alone[`${what} hot`] === undefined) continue; // no such library here
      const runs = theirs.get(name) ?? { one: [], two: [] };
      theirs.set(name, runs);
      runs.one.push(speeds(alone, what));
      runs.two.push(await onTwo(program, what));
      const share = alone.share ? ` ${percent(alone.share)}` : "";
      notes.set(name, share + (name === AVX2 ? "" : alone.package_avx2 ? ", AVX2" : ", SSE2"));
    }
    const alone = await run(ours, MEASURED_CPU);
    one.push(speeds(alone, what));
    two.push(await onTwo(ours, what));
    if (alone.share) notes.set("ours", ` ${percent(alone.share)}`);
  }
  const figures: Figure[] = [];
  for (const cache of ["cold", "hot"] as const) {
    for (const [name, runs] of theirs) {
      const against = name === "" ? "" : `, against ${name}`;
      const own = compare(one.map((s) => s[cache]), runs.one.map((s) => s[cache]));
      const note = notes.get("ours") !== undefined && what === "compress"
        ? { note: `left of the images: ours${notes.get("ours")}, theirs${notes.get(name)}` }
        : name === PACKAGE
        ? { note: `theirs:${notes.get(name)!.replace(/^,/, "")}` }
        : {};
      const limit = FLOORS[what];
      figures.push({
        row: "images",
        name: `${nameOf(what, "uint16")}, ${cache}${against}`,
        unit: "GB/s",
        ...own,
        ...(limit === undefined ? {} : { floor: atLeast("ratio", limit) }),
        ...note,
      });
    }
    const first = [...theirs.values()][0];
    if (first === undefined) continue;
    const scaling = (runs: { one: Speeds[]; two: Speeds[] }): number =>
      median(runs.two.map((s, i) => s[cache] / runs.one[i]![cache]));
    const c = scaling(first);
    figures.push({
      row: "images",
      name: `${nameOf(what, "uint16")}, ${cache}, two cores`,
      unit: "× one",
      ours: scaling({ one, two }),
      theirs: c,
      note: `${median(two.map((s) => s[cache])).toFixed(1)} GB/s, C ${
        median(first.two.map((s) => s[cache])).toFixed(1)
      }`,
      // Where C does not get there either, it is the memory.
      ...(c < 1.7 ? {} : { floor: atLeast("value", 1.7) }),
    });
  }
  return figures;
}

function atLeast(of: Floor["of"], limit: number): Floor {
  return { of, sense: "at least", limit };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function speeds(result: Record<string, number>, what: Case): Speeds {
  return { hot: result[`${what} hot`]!, cold: result[`${what} cold`]! };
}

/** Both at once, each on its core: the sum. */
async function onTwo(program: Program, what: Case): Promise<Speeds> {
  const both = await Promise.all([run(program, SENDER_CPU), run(program, MEASURED_CPU)]);
  const [a, b] = both.map((result) => speeds(result, what));
  return { hot: a!.hot + b!.hot, cold: a!.cold + b!.cold };
}
