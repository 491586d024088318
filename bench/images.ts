/**
 * Row: the image kernels, against plain loops in C and against bitshuffle and LZ4 libraries.
 *
 * @module
 */
import { unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { compare, type Figure, type Floor, median } from "./_figure.ts";
import { COMPRESSION, IMAGE_BYTES, IMAGES, LOOPS, WIDTH, writeImages } from "./_images.ts";
import { benchName } from "./_names.ts";
import { MEASURED_CPU, native, type Program, run, script, SENDER_CPU } from "./_run.ts";

const RUN_MS = 100;

/** What is measured. */
type Case = typeof LOOPS[number] | typeof COMPRESSION[number];

const NAMES: Readonly<Record<Case, string>> = {
  mask: "mask u16",
  bin2: "bin u16, sum of 2 × 2",
  bin8: "bin u16, mean of 8 × 8",
  statistics: "statistics u16",
  histogram: "histogram u16",
  crop: "region of interest u16",
  xxh3: "XXH3",
  shuffle: "bitshuffle u16",
  compress: "bitshuffle + LZ4 u16",
  decompress: "bitshuffle + LZ4 u16, back",
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
  const path = dataPath(benchName("images"));
  const figures: Figure[] = [];
  try {
    writeImages(path);
    for (const what of [...LOOPS, ...COMPRESSION]) {
      figures.push(...await measure(what, path, rounds));
    }
  } finally {
    unlink(path);
  }
  return figures;
}

async function measure(what: Case, path: string, rounds: number): Promise<Figure[]> {
  const loop = LOOPS.some((name) => name === what);
  const ours = script("images_ours.ts", path, what, RUN_MS);
  const yardsticks = loop
    ? { "": native("images", path, IMAGE_BYTES, IMAGES, WIDTH, what, RUN_MS) }
    : {
      [AVX2]: native("bitshuffle", path, IMAGE_BYTES, IMAGES, what, "avx2", RUN_MS),
      [PACKAGE]: native("bitshuffle", path, IMAGE_BYTES, IMAGES, what, "package", RUN_MS),
    };
  const one: Speeds[] = [], two: Speeds[] = [];
  const notes = new Map<string, string>();
  const theirs = new Map<string, { one: Speeds[]; two: Speeds[] }>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, program] of Object.entries(yardsticks)) {
      const alone = await run(program, MEASURED_CPU);
      if (alone.hot === undefined) continue; // no such library here
      const runs = theirs.get(name) ?? { one: [], two: [] };
      theirs.set(name, runs);
      runs.one.push(speeds(alone));
      runs.two.push(await onTwo(program));
      const share = alone.share ? ` ${percent(alone.share)}` : "";
      notes.set(name, share + (name === AVX2 ? "" : alone.package_avx2 ? ", AVX2" : ", SSE2"));
    }
    const alone = await run(ours, MEASURED_CPU);
    one.push(speeds(alone));
    two.push(await onTwo(ours));
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
        name: `${NAMES[what]}, ${cache}${against}`,
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
      name: `${NAMES[what]}, ${cache}, two cores`,
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

function speeds({ hot, cold }: Record<string, number>): Speeds {
  return { hot: hot!, cold: cold! };
}

/** Both at once, each on its core: the sum. */
async function onTwo(program: Program): Promise<Speeds> {
  const [a, b] = await Promise.all([run(program, SENDER_CPU), run(program, MEASURED_CPU)]);
  return { hot: a.hot! + b.hot!, cold: a.cold! + b.cold! };
}
