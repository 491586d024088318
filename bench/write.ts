/**
 * Row 4: images from the ring into a file, against nothing but pwrite, the HDF5 library and the kernel.
 *
 * @module
 */
import { unlink } from "../lib/os/mod.ts";
import { imageRingName } from "../lib/protocol/mod.ts";
import { dataPath, indexPath, removeRings } from "../lib/ring/mod.ts";
import { compare, type Figure, type Floor, median } from "./_figure.ts";
import { IMAGE_BYTES, IMAGES, WIDTH, writeImages } from "./_images.ts";
import { benchFolder, benchName } from "./_names.ts";
import { fillRing, makeRing } from "./_write_ring.ts";
import { Pipeline } from "./_pipeline.ts";
import {
  freePort,
  hasNative,
  MEASURED_CPU,
  native,
  type Program,
  readyLine,
  type Running,
  script,
  scriptWith,
  start,
} from "./_run.ts";

const MIB = 2 ** 20;
const SHM = "/dev/shm";
/** Bytes of a file: long enough for several publications, short enough to take many turns. */
const FILE_BYTES = 256 * MIB;
/** What is written in a turn, in shared memory: what the kernel takes for a page changes all the time. */
const PART_BYTES = 32 * MIB;
/** Longest file is 10 to the power of this. */
const LONGEST = 6;
/**
 * V8's for {@link long}: garbage is collected when the program asks for it, too, and the room for new
 * objects has its full size from the start, which otherwise grows by some 17 MB once in millions of images.
 */
const LONG_FLAGS = "--v8-flags=--expose-gc,--min-semi-space-size=16,--max-semi-space-size=16";
/** Images of a second, and of a measurement, of the latency. */
const LATENCY_RATE = 100;

/** What compressed images are measured in, see `write_compressed_ours.ts`. */
const CASES = ["kernel", "writer 1", "writer 2", "ring 1", "ring 2", "through"] as const;
type Case = typeof CASES[number];
/** What is compressed already takes a few hundredths of a second: turns of it and its yardstick in a round. */
const THROUGH_TURNS = 8;

const atLeast = (limit: number): Floor => ({ of: "ratio", sense: "at least", limit });

/** Measures; so many files of each side in turn. */
export async function write(rounds: number, quick: boolean): Promise<Figure[]> {
  const figures: Figure[] = [];
  const disk = await benchFolder();
  try {
    for (const mib of [1, 8]) {
      figures.push(...await plain(20 * rounds, SHM, mib), ...await beside(3 * rounds, mib));
    }
    for (const mib of [1, 8]) figures.push(...await plain(4 * rounds, disk, mib));
    for (const mib of [1, 8]) figures.push(...await waysToDisk(rounds, disk, mib));
    const images = `${disk}/images`;
    writeImages(images, "uint16");
    figures.push(...await compressed(rounds, images));
    figures.push(...await latency(quick ? 200 : 1000, images, disk));
    figures.push(...await long(quick ? LONGEST - 1 : LONGEST));
  } finally {
    await Deno.remove(disk, { recursive: true });
  }
  return figures;
}

/** A program that writes images, and what it said at the end of each file. */
interface Side {
  running: Running;
  said: Answer[];
}

type Answer = Record<string, number>;
type Yardstick = "write" | "h5write";

/** Which files are written, and how. */
interface PlainFiles {
  /** Files of each side. */
  rounds: number;
  folder: string;
  /** Size of an image, MiB. */
  mib: number;
  /** The sides take turns, each writing so many parts of its file; 1: to its end. */
  parts: number;
  /** Further arguments of all sides. */
  how: readonly ("sync" | "beside")[];
}

/** Images as they are, against pwrite and against the HDF5 library. */
async function plain(rounds: number, folder: string, mib: number): Promise<Figure[]> {
  const onDisk = folder !== SHM;
  const yardsticks = (["write", "h5write"] as const).filter(hasNative);
  const said = await writeInTurns(yardsticks, {
    ...{ rounds, folder, mib },
    parts: onDisk ? 1 : FILE_BYTES / PART_BYTES,
    how: onDisk ? ["sync"] : [],
  });
  const of = (side: Yardstick | "ours", what: string): number[] =>
    said.get(side)!.map((answer) => answer[what]!);
  const where = onDisk ? "disk, fdatasync" : SHM;
  return yardsticks.map((yardstick) => ({
    row: "write",
    name: `write ${mib} MiB images to ${where}` +
      (yardstick === "write" ? "" : ", against the HDF5 library"),
    unit: "GB/s",
    ...compare(of("ours", "gb_per_s"), of(yardstick, "gb_per_s")),
    floor: atLeast(yardstick === "write" ? 0.95 : 1),
    ...(yardstick === "write" && {
      note: `creating the file ${median(of("ours", "create_ms")).toFixed(1)} ms`,
    }),
  }));
}

/** What writing costs besides the kernel's work, which is the same for all and swings by a tenth. */
async function beside(rounds: number, mib: number): Promise<Figure[]> {
  if (!hasNative("h5write")) return [];
  const parts = FILE_BYTES / PART_BYTES;
  const how = ["beside"] as const;
  const said = await writeInTurns(["h5write"], { rounds, folder: SHM, mib, parts, how });
  const of = (side: Yardstick | "ours"): number[] =>
    said.get(side)!.map(({ beside_ms }) => beside_ms! * 1e3 * mib * MIB / FILE_BYTES);
  return [{
    row: "write",
    name: `… of ${mib} MiB, CPU per image beside the kernel's writing, against the library`,
    unit: "µs",
    ...compare(of("ours"), of("h5write")),
    floor: { of: "ratio", sense: "at most", limit: 1 },
  }];
}

/** Has all sides write files; what they said of each of them. */
async function writeInTurns(
  yardsticks: readonly Yardstick[],
  { rounds, folder, mib, parts, how }: PlainFiles,
): Promise<ReadonlyMap<Yardstick | "ours", Answer[]>> {
  const name = benchName("write");
  const slots = 64 / mib, bytes = mib * MIB, images = FILE_BYTES / bytes;
  const outputs = new Map(yardsticks.map((each) => [each, `${folder}/${name}-${each}`]));
  try {
    const rows = bytes / 2 / WIDTH;
    await using programs = new AsyncDisposableStack();
    const sides = new Map<Yardstick | "ours", Side>();
    const begin = async (side: Yardstick | "ours", program: Program): Promise<void> => {
      const running = programs.use(start(program, { cpu: MEASURED_CPU }));
      await readyLine(running);
      sides.set(side, { running, said: [] });
    };
    await begin("ours", script("write_ours.ts", name, rows, slots, images, folder, ...how));
    for (const [yardstick, output] of outputs) {
      await begin(yardstick, native(yardstick, dataPath(name), bytes, slots, output, ...how));
    }
    // In any order: what the one before left behind in the kernel and in the caches tells. Two rounds more than
    // counted: the first ones pay for what is cold.
    for (let i = -2; i < rounds; i++) {
      const end = async ({ running, said }: Side): Promise<void> => {
        const answer = await ask(running, "end");
        if (i >= 0) said.push(answer);
      };
      for (let part = 1; part <= parts; part++) {
        for (const side of shuffled([...sides.values()])) {
          await ask(side.running, `${images / parts}`);
          if (parts === 1) await end(side);
        }
      }
      if (parts === 1) continue;
      for (const side of shuffled([...sides.values()])) await end(side);
    }
    for (const { running } of sides.values()) await running.end();
    return new Map([...sides].map(([side, { said }]) => [side, said]));
  } finally {
    for (
      const path of [dataPath(name), indexPath(name), ...outputs.values(), `${folder}/${name}.h5`]
    ) unlink(path);
  }
}

/** The same in another order, any of which is as likely. */
function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0]!);
}

/** Ways to write so many images to a disk, of which decision 0028 has taken one: flags of the yardstick. */
const waysOf = (images: number): Record<string, (string | number)[]> => ({
  "pwrite": [],
  "blocks reserved": ["reserve", images],
  "O_DIRECT": ["direct"],
  "O_DIRECT, blocks reserved": ["direct", "reserve", images],
});

/** What reserving blocks and O_DIRECT are worth on this disk, without anything of ours. */
async function waysToDisk(rounds: number, folder: string, mib: number): Promise<Figure[]> {
  const name = benchName("write");
  const slots = 64 / mib, bytes = mib * MIB, images = FILE_BYTES / bytes;
  const output = `${folder}/${name}.bin`;
  const ways = Object.entries(waysOf(images));
  const speed = ways.map((): number[] => []), cpu = ways.map((): number[] => []);
  try {
    using ring = makeRing(name, bytes / 2 / WIDTH, slots);
    fillRing(ring);
    for (let i = 0; i < rounds; i++) {
      for (let turn = 0; turn < ways.length; turn++) {
        const way = (turn + i) % ways.length;
        const args = [dataPath(name), bytes, slots, output, "sync", ...ways[way]![1]];
        const { gb_per_s, cpu_s_per_gb } = await writeFile(native("write", ...args), images);
        speed[way]!.push(gb_per_s!);
        cpu[way]!.push(cpu_s_per_gb!);
      }
    }
  } finally {
    unlink(output);
    removeRings([name]);
  }
  const cpuOf = (way: number): string => median(cpu[way]!).toFixed(2);
  return ways.slice(1).map(([way], i) => ({
    row: "write",
    name: `${mib} MiB images to disk in C, ${way}, against pwrite`,
    unit: "GB/s",
    ...compare(speed[i + 1]!, speed[0]!),
    note: `CPU time ${cpuOf(i + 1)} s/GB, pwrite ${cpuOf(0)}`,
  }));
}

/** Images that are compressed, by the writer or by std_data_compress, and chunks written through. */
async function compressed(rounds: number, imagesPath: string): Promise<Figure[]> {
  const name = benchName("write");
  const images = 5 * IMAGES;
  const speed = new Map<Case, number[]>(CASES.map((each) => [each, []]));
  const perCpu = new Map<Case, number[]>(CASES.map((each) => [each, []]));
  const pwrite: number[] = [];
  let stored = 0;
  const output = `${SHM}/${name}.bin`;
  try {
    const program = start(script("write_compressed_ours.ts", name, imagesPath, images, SHM));
    await using writer = program;
    await readyLine(writer);
    for (let i = -1; i < rounds; i++) {
      const measure = async (each: Case): Promise<void> => {
        const result = await ask(writer, each);
        stored = result.stored!;
        if (i < 0) return;
        speed.get(each)!.push(result.gb_per_s!);
        perCpu.get(each)!.push(result.gb_per_cpu_s!);
      };
      for (const each of CASES) if (each !== "through") await measure(each);
      for (let turn = 0; turn < THROUGH_TURNS; turn++) {
        await measure("through");
        // As many bytes as are in the file, in pieces of the same size.
        const chunk = Math.round(stored * IMAGE_BYTES);
        const yardstick = native("write", dataPath(name), chunk, IMAGES, output);
        const { gb_per_s } = await writeFile(yardstick, images);
        if (i >= 0) pwrite.push(gb_per_s! / stored);
      }
    }
    await writer.end();
  } finally {
    for (const ring of [name, `${name}-z`]) unlink(dataPath(ring)), unlink(indexPath(ring));
    for (const path of [output, `${SHM}/${name}.h5`]) unlink(path);
  }
  const of = (each: Case): number[] => speed.get(each)!;
  const cpu = (each: Case): number[] => perCpu.get(each)!;
  const figure = (text: string, ours: number[], theirs: number[], floor?: Floor): Figure => ({
    ...{ row: "write", name: text, unit: "GB/s", ...compare(ours, theirs) },
    ...(floor && { floor }),
  });
  const note = `GB/s of pixels; ${(100 * stored).toFixed(1)} % of them in the file`;
  const inCpu = (each: Case): Pick<Figure, "note"> => {
    const { ours, ratio } = compare(cpu(each), cpu("kernel"));
    return { note: `by CPU time of all threads ${ours.toFixed(2)} GB/s, ${ratio.toFixed(2)} ×` };
  };
  const against = (each: Case, other: Case): [number[], number[]] => [of(each), of(other)];
  return [
    { ...figure("bitshuffle + LZ4 kernel by itself", of("kernel"), of("kernel")), note },
    {
      ...figure("write compressed, 1 Worker", ...against("writer 1", "kernel"), atLeast(0.8)),
      ...inCpu("writer 1"),
    },
    {
      ...figure("write compressed, 2 Workers, against 1", ...against("writer 2", "writer 1")),
      ...inCpu("writer 2"),
    },
    {
      ...figure("std_data_compress, 1 Worker", ...against("ring 1", "kernel"), atLeast(0.9)),
      ...inCpu("ring 1"),
    },
    {
      ...figure(
        "std_data_compress, 2 Workers, against 1",
        ...against("ring 2", "ring 1"),
        atLeast(1.6),
      ),
      ...inCpu("ring 2"),
    },
    figure("write compressed ring through, against pwrite", of("through"), pwrite, atLeast(0.95)),
  ];
}

/** From the index to the file, by a writer that runs. */
async function latency(images: number, imagesPath: string, disk: string): Promise<Figure[]> {
  const slots = 32;
  await using pipeline = await Pipeline.make({
    ...{ type: "jungfrau-raw", modules: 1, port: freePort(), slots },
  });
  const { config, folder } = pipeline;
  const { detector_name: detector, image_pixel_height: rows } = config;
  const driver = script(
    ...["write_latency_ours.ts", detector, folder, rows, slots] as const,
    ...[imagesPath, LATENCY_RATE, images],
  );
  const figures: Figure[] = [];
  try {
    await using assembler = start(driver);
    await readyLine(assembler);
    await pipeline.start("std_h5_writer", ["0", "--data-root", SHM, disk]);
    for (
      const [where, what, how] of [
        [SHM, "/dev/shm", "none"],
        [disk, "disk", "none"],
        [SHM, "/dev/shm, compressed", "bitshuffle-lz4"],
      ] as const
    ) {
      const path = `${where}/${detector}.h5`;
      const { p50, p99 } = await ask(assembler, `${path} ${how}`);
      unlink(path);
      for (const [share, micros] of [[50, p50], [99, p99]] as const) {
        figures.push({
          row: "write",
          name: `image ready → on file, ${what}, p${share}`,
          unit: "µs",
          ours: micros!,
          note: `${images} images of 1 MiB at ${LATENCY_RATE}/s`,
        });
      }
    }
    await assembler.end();
  } finally {
    unlink(`${SHM}/${detector}.h5`);
    removeRings([imageRingName(detector)]);
  }
  return figures;
}

/** The end of files of any length, and the memory that they take. */
async function long(longest: number): Promise<Figure[]> {
  const name = benchName("write");
  const counts = Array.from({ length: longest - 1 }, (_, i) => 10 ** (i + 2));
  const files: Record<string, number>[] = [];
  try {
    await using writer = start(scriptWith([LONG_FLAGS], "write_long_ours.ts", name, SHM));
    for (const images of counts) files.push(await ask(writer, String(images)));
    await writer.end();
  } finally {
    for (const path of [dataPath(name), indexPath(name), `${SHM}/${name}.h5`]) unlink(path);
  }
  const last = files.at(-1)!;
  return [
    {
      row: "write",
      name: `close a file, slowest of 10^2 … 10^${longest} images`,
      unit: "ms",
      ours: Math.max(...files.map(({ close_ms }) => close_ms!)),
      floor: { of: "value", sense: "at most", limit: 100 },
      note: files.map(({ close_ms }) => close_ms!.toFixed(1)).join(", "),
    },
    {
      row: "write",
      name: `memory of the writer over 10^${longest} images, growth`,
      unit: "MB",
      ours: last.growth_mb!,
      floor: { of: "value", sense: "at most", limit: 4 },
      note: `from half of them on; ${last.us_per_image!.toFixed(1)} µs per image of 2 KiB`,
    },
    {
      row: "write",
      name: `memory in use by the writer over 10^${longest} images, growth`,
      unit: "MB",
      ours: last.live_growth_mb!,
      floor: { of: "value", sense: "at most", limit: 1 },
      note: "after a collection of garbage, from a quarter of them on",
    },
  ];
}

/** Has a yardstick write one file. */
async function writeFile(yardstick: Program, images: number): Promise<Record<string, number>> {
  await using running = start(yardstick, { cpu: MEASURED_CPU });
  await readyLine(running);
  await ask(running, `${images}`);
  const result = await ask(running, "end");
  await running.end();
  return result;
}

/** What a program answers to a line. */
async function ask(program: Running, line: string): Promise<Record<string, number>> {
  await program.say(line);
  const answer = await program.line();
  if (answer === undefined) return await program.result(); // throws with what it complained about
  return JSON.parse(answer);
}
