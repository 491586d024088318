/**
 * Row: the image kernels, against plain loops in C and against bitshuffle and LZ4 libraries.
 *
 * @module
 */
import { unlink } from "../lib/os/mod.ts";
import { dataPath } from "../lib/ring/mod.ts";
import { compare, type Figure, type Floor } from "./_figure.ts";
import {
  COMPRESSION,
  IMAGE_BYTES,
  IMAGES,
  LOOPS,
  OTHER_PIXELS,
  PARTS,
  type Pixel,
  PIXELS,
  WIDTH,
  writeImages,
} from "./_images.ts";
import { benchName } from "./_names.ts";
import { native, type Program, script } from "./_run.ts";
import { takeShortTurns, type Turns } from "./_turns.ts";
import { twoCores } from "./_two_cores.ts";

/** Turns of each side per start, and their length, ms; all images once take longer. */
const TURNS = 7, TURN_MS = 5;
/** Starts in which two cores are measured, too. */
const TWO_CORE_STARTS = 2;

/** What is measured. */
type Case = typeof LOOPS[number] | typeof COMPRESSION[number] | typeof PARTS[number];

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
  unshuffle: "bitshuffle %, back",
  lz4: "LZ4 of shuffled %",
  unlz4: "LZ4 of shuffled %, back",
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

/** Measures; programs are started up to `rounds` times: 16 bit on one core and on two at once, others on one. */
export async function images(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const pixel of ["uint16", "uint8", "uint32", "float32", "uint64"] as const) {
    const path = dataPath(benchName("images"));
    try {
      writeImages(path, pixel);
      const starts = Math.min(rounds, pixel === "uint16" ? 3 : 2);
      figures.push(...await measure(path, pixel, starts));
    } finally {
      unlink(path);
    }
  }
  return figures;
}

/** All cases of a pixel's type. */
async function measure(path: string, pixel: Pixel, starts: number): Promise<Figure[]> {
  const asked: readonly string[] = pixel === "uint16"
    ? [...LOOPS, ...COMPRESSION, ...PARTS]
    : OTHER_PIXELS[pixel];
  const twoCoreStarts = pixel === "uint16" ? TWO_CORE_STARTS : 0;
  const options = { starts, turns: TURNS, milliseconds: TURN_MS, twoCoreStarts };
  const ours = script("images_ours.ts", path, pixel);
  const loops = LOOPS.filter((what) => asked.includes(what));
  const packed = [...COMPRESSION, ...PARTS].filter((what) => asked.includes(what));
  const figures: Figure[] = [];
  if (loops.length > 0) {
    const theirs = native("images", path, pixel, IMAGE_BYTES, IMAGES, WIDTH);
    const turns = await takeShortTurns({ ours, theirs }, modes(loops), options);
    for (const [name, { ours, theirs }] of turns) {
      figures.push(...compareTurns(name, pixel, ours, { "": theirs }));
    }
  }
  if (packed.length > 0) {
    const yardstick = (by: "avx2" | "package"): Program =>
      native("bitshuffle", path, PIXELS[pixel], IMAGE_BYTES, IMAGES, by);
    const sides: Record<string, Program> = {
      ours,
      [AVX2]: yardstick("avx2"),
      ...(pixel === "uint16" ? { [PACKAGE]: yardstick("package") } : {}),
    };
    const turns = await takeShortTurns(sides, modes(packed), options);
    for (const [name, { ours, ...theirs }] of turns) {
      figures.push(...compareTurns(name, pixel, ours!, theirs));
    }
  }
  return figures;
}

function modes(cases: readonly Case[]): string[] {
  return cases.flatMap((what) => [`${what} cold`, `${what} hot`]);
}

/** A line per yardstick, and one for two cores where they were measured. */
function compareTurns(
  asked: string,
  pixel: Pixel,
  ours: Turns,
  yardsticks: Readonly<Record<string, Turns>>,
): Figure[] {
  const [what, cache] = asked.split(" ") as [Case, "cold" | "hot"];
  const name = `${NAMES[what].replace("%", SHORT[pixel])}, ${cache}`;
  // The compiler has instructions of AVX2 that write chosen pixels of 32 bit, and needs no kernel.
  const limit = what === "mask" && PIXELS[pixel] === 4 ? undefined : FLOORS[what];
  const figures: Figure[] = [];
  const there = Object.entries(yardsticks).filter(([, { one }]) => one.length > 0); // not everywhere is there such a library
  for (const [against, theirs] of there) {
    const note = noteOn(asked, against, ours, theirs);
    figures.push({
      row: "images",
      name: against === "" ? name : `${name}, against ${against}`,
      unit: "GB/s",
      ...compare(ours.one, theirs.one),
      ...(limit === undefined ? {} : { floor: atLeast("ratio", limit) }),
      ...(note === undefined ? {} : { note }),
    });
  }
  const [first] = there;
  if (first !== undefined && ours.two.length > 0) {
    figures.push(twoCores("images", name, ours, first[1]));
  }
  return figures;
}

function noteOn(
  asked: string,
  against: string,
  ours: Turns,
  theirs: Turns,
): string | undefined {
  const notes = asked === "compress cold"
    ? [`left of the images: ours ${percent(ours.said.share)}, theirs ${percent(theirs.said.share)}`]
    : [];
  if (against === PACKAGE) notes.push(theirs.said.package_avx2 ? "theirs: AVX2" : "theirs: SSE2");
  return notes.length === 0 ? undefined : notes.join("; ");
}

function atLeast(of: Floor["of"], limit: number): Floor {
  return { of, sense: "at least", limit };
}

function percent(share: number | undefined): string {
  return `${(100 * share!).toFixed(1)} %`;
}
