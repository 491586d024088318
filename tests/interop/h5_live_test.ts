/**
 * Image files while they are written: killed hundreds of times, and followed by a reader.
 */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { TestProcess } from "../harness/mod.ts";
import { appendTestImages, appendTestImagesTogether } from "../../lib/hdf5/_testing.ts";
import { ImageFile, type ImageFileOptions, MasterFile } from "../../lib/hdf5/mod.ts";
import { imageShape } from "../../lib/config/mod.ts";
import { type NexusLayout, NexusLayouts } from "../../lib/nexus/mod.ts";
import { smallConfig } from "../../lib/nexus/_testing.ts";
import { addressOf, copyFrom, File, NewFile } from "../../lib/os/mod.ts";
import { DataRoots, RunFiles } from "../../lib/writer/mod.ts";

const PYTHON = "/usr/bin/python3";
const here = (name: string): string => new URL(name, import.meta.url).pathname;
const KILLS_PER_ROUND = 80;
/** Those that h5_kill.c spreads over the time in which the file has its name. */
const NAMED_PER_ROUND = KILLS_PER_ROUND * 7 / 8;
const TURNS = 40;
const IMAGES_PER_TURN = 15;
/** Those of them that are written with one call. */
const IMAGES_TOGETHER = 5;
const TURNS_PER_PUBLICATION = 3;

const OPTIONS: ImageFileOptions = {
  detector: "DET",
  height: 16,
  width: 129, // an image and its place cross pages
  pixelType: "uint16",
  expectedImages: 0,
  attributes: { start: "now" },
  counters: ["good"],
  alignBytes: 8,
};

const INFO = { missing_packets: "uint32", complete_ns: "uint64" } as const;

function run(command: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  const text = new TextDecoder();
  assert.ok(success, `${command} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** What h5_verify.py says of a file. */
interface Verified {
  error?: string;
  images: number;
}

/** Checks files with h5py; fails if one is wrong. */
function verify(paths: readonly string[]): Verified[] {
  const lines = run(PYTHON, here("h5_verify.py"), ...paths).trim().split("\n");
  const results = lines.map((line): Verified => JSON.parse(line));
  assert.deepEqual(results.flatMap(({ error }) => error ?? []), []);
  assert.equal(results.length, paths.length);
  return results;
}

/** Paths of the files in a folder that have their names. */
function filesIn(folder: string): string[] {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  return names.filter((name) => !name.startsWith(".")).map((name) => `${folder}/${name}`);
}

/**
 * Writes down all system calls that change files, in the format that h5_kill.c plays, until it is
 * disposed of.
 */
class Tape implements Disposable {
  /** Paths of the files that the steps are about. */
  readonly paths: string[] = [];
  readonly #parts: Uint8Array[] = [];
  /** Numbers of the files, by their paths. */
  readonly #files = new Map<string, number>();
  readonly #stopped = new DisposableStack();

  constructor() {
    const { writeAt, writeFrom, writeAllFrom, truncate, allocate } = File.prototype;
    const { place } = NewFile.prototype;
    this.#stopped.defer(() => {
      Object.assign(File.prototype, { writeAt, writeFrom, writeAllFrom, truncate, allocate });
      NewFile.prototype.place = place;
    });
    const add = this.#add.bind(this);
    File.prototype.writeAt = function (bytes, at): void {
      add(0, this, at, bytes.byteLength, bytes.slice());
      writeAt.call(this, bytes, at);
    };
    File.prototype.writeFrom = function (address, length, at): void {
      add(0, this, at, length, bytesAt(address, length));
      writeFrom.call(this, address, length, at);
    };
    File.prototype.writeAllFrom = function (pieces, at): void {
      const lengths = [...pieces].filter((_, i) => i % 2 === 1).map(Number);
      const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
      let end = 0;
      lengths.forEach((length, i) => {
        bytes.set(bytesAt(pieces[2 * i]!, length), end);
        end += length;
      });
      add(0, this, at, end, bytes);
      writeAllFrom.call(this, pieces, at);
    };
    File.prototype.truncate = function (bytes): void {
      add(1, this, bytes, 0);
      truncate.call(this, bytes);
    };
    File.prototype.allocate = function (from, bytes, keepSize = false): void {
      if (!keepSize) add(2, this, from, bytes);
      allocate.call(this, from, bytes, keepSize);
    };
    NewFile.prototype.place = function (replace): void {
      const name = new TextEncoder().encode(basename(this.file.path));
      add(3, this.file, 0, name.byteLength, name);
      place.call(this, replace);
    };
  }

  get steps(): number {
    return this.paths.length;
  }

  /** Writes the tape into a file. */
  save(path: string): void {
    Deno.writeFileSync(path, new Uint8Array());
    for (const part of this.#parts) Deno.writeFileSync(path, part, { append: true });
  }

  [Symbol.dispose](): void {
    this.#stopped.dispose();
  }

  #add(kind: number, file: File, at: number, bytes: number, content?: Uint8Array): void {
    this.paths.push(file.path);
    const number = this.#files.get(file.path) ?? this.#files.size;
    this.#files.set(file.path, number);
    const step = BigInt(number) << 32n | BigInt(kind);
    const head = BigUint64Array.of(step, BigInt(at), BigInt(bytes));
    this.#parts.push(new Uint8Array(head.buffer));
    if (content !== undefined) this.#parts.push(content);
  }
}

function bytesAt(address: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  copyFrom(address, bytes);
  return bytes;
}

const NEXUS_CONFIG = smallConfig({ detector_name: OPTIONS.detector });
const [NEXUS_HEIGHT, NEXUS_WIDTH] = imageShape(NEXUS_CONFIG);
const NEXUS_SHAPE = { height: NEXUS_HEIGHT, width: NEXUS_WIDTH };

/** What a NeXus file has beside the images, by its name; in both formats they are under their old path, too. */
function nexus(format: "nexus" | "both"): (fileName: string) => NexusLayout {
  return new NexusLayouts(NEXUS_CONFIG, "test").of({ format, runId: 7n, startTime: 1, images: 0 });
}

const KILLED: [what: string, rounds: number, options: Partial<ImageFileOptions>][] = [
  ["std-daq's format", 2, { compression: "none" }],
  ["compressed, with image_info", 2, { compression: "bitshuffle-lz4", info: INFO }],
  ["NeXus, with image_info", 2, {
    ...{ ...NEXUS_SHAPE, compression: "none", info: INFO },
    ...nexus("nexus")("images.h5"),
  }],
  ["both formats, compressed, with image_info", 2, {
    ...{ ...NEXUS_SHAPE, compression: "bitshuffle-lz4", info: INFO },
    ...nexus("both")("images.h5"),
  }],
];
for (const [what, rounds, changes] of KILLED) {
  const kills = rounds * KILLS_PER_ROUND;
  Deno.test(`a file (${what}) whose writer is killed ${kills} times at random opens in h5py each time, or is not there`, () => {
    const folder = Deno.makeTempDirSync({ prefix: `std_daq_kill_${Deno.pid}_` });
    try {
      const player = `${folder}/player`;
      run("gcc", "-O2", "-Wall", "-Werror", "-o", player, here("h5_kill.c"));
      const published: number[] = [];
      {
        using tape = new Tape();
        using made = NewFile.beneath(folder, "images.h5", 0o600);
        using file = made.file;
        const publishEvery = 2 * TURNS_PER_PUBLICATION * IMAGES_PER_TURN; // never by itself
        const options = { ...OPTIONS, ...changes, preallocate: false, publishEvery };
        const images = ImageFile.create(file, options);
        made.place();
        let fewestSteps = Infinity, begun = 0;
        for (let i = 0; i < TURNS; i++) {
          const from = images.appendedImages, to = from + IMAGES_PER_TURN;
          appendTestImages(images, options, from, to - IMAGES_TOGETHER);
          const together = appendTestImagesTogether(images, options, to - IMAGES_TOGETHER, to);
          assert.equal(together, IMAGES_TOGETHER);
          images.setCounters({ good: BigInt(images.appendedImages) });
          if (i % TURNS_PER_PUBLICATION !== 0) continue;
          if (i > 0) fewestSteps = Math.min(fewestSteps, tape.steps - begun);
          images.publish();
          begun = tape.steps;
          published.push(images.publishedImages);
        }
        images.close({ attributes: { end: "then" } });
        // From one publication to the next it is at least three of the stretches that h5_kill.c gives to its
        // writers, one of which is whole and of one that kills itself.
        const stretch = Math.ceil(tape.steps / NAMED_PER_ROUND);
        assert.ok(3 * stretch <= fewestSteps, `${fewestSteps} of ${tape.steps} steps`);
        tape.save(`${folder}/tape`);
      }
      const seen = new Set<number>();
      for (let round = 0; round < rounds; round++) {
        const own = `${folder}/${round}`;
        Deno.mkdirSync(own);
        run(player, `${folder}/tape`, own, `${KILLS_PER_ROUND}`); // fails unless it has killed so many
        const files = [...Deno.readDirSync(own)].flatMap(({ name }) => filesIn(`${own}/${name}`));
        for (const { images } of verify(files)) seen.add(images);
        Deno.removeSync(own, { recursive: true });
      }
      // Whatever the speed of the machine: some ended behind each publication and before the next, and
      // none has images that were not published. Only whether one ended before the first is up to chance.
      seen.delete(0);
      assert.deepEqual([...seen].sort((a, b) => a - b), published);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

const WRITERS = 2;
const KILLS_PER_WRITER = 32;
const IMAGES_PER_FILE = 4;
/** More rounds of files than a master file shows from the start. */
const ROUNDS_OF_FILES = 18;

/**
 * The system calls of one of the writers of a run of many files, the first of which has the master file; and
 * those among them that have the master file show more files.
 */
function recordRun(folder: string, writerId: number): { tape: Tape; extension: number[] } {
  using stack = new DisposableStack();
  const tape = stack.use(new Tape());
  const outputFile = `${folder}/run.h5`, runId = 7n, compression = "bitshuffle-lz4";
  const { counters: runCounters = [], expectedImages: _, ...common } = OPTIONS;
  const options = { ...OPTIONS, ...NEXUS_SHAPE, compression, info: INFO } as const;
  const files = new RunFiles({
    action: {
      ...{ action: "create_file", writerId, nImages: 0, acknowledgeImages: false, runId },
      ...{ request: "", path: `${folder}/run${writerId}.h5` },
      split: { outputFile, writers: WRITERS, imagesPerFile: IMAGES_PER_FILE },
    },
    output: new DataRoots([folder]),
    newFile: {},
    fsync: "none",
    common: { ...common, ...NEXUS_SHAPE, compression, info: INFO, preallocate: false },
    layout: nexus("nexus"),
    fileCounters: [],
    runCounters,
  });
  const last = { counters: { good: 1n }, fileAttributes: { full: 1n } };
  const append = (count: number): void => {
    const from = files.appendedImages * WRITERS + writerId, to = from + count * WRITERS;
    assert.equal(appendTestImagesTogether(files, options, from, to, WRITERS), count);
  };
  const extension: number[] = [];
  for (let i = 0; i < ROUNDS_OF_FILES; i++) {
    const begun = tape.steps;
    if (i > 0) files.beginNext(last);
    for (let step = begun; i > 0 && step < tape.steps; step++) {
      if (tape.paths[step] === outputFile) extension.push(step);
    }
    append(IMAGES_PER_FILE - 2);
    files.publish({ good: BigInt(files.appendedImages) });
    append(1);
    append(1);
  }
  files.close({ ...last, attributes: { end: "then" } });
  stack.move();
  tape[Symbol.dispose]();
  return { tape, extension };
}

Deno.test(`a master file whose ${WRITERS} writers are killed ${KILLS_PER_WRITER} times each shows the images of its parts, where they belong`, () => {
  const folder = Deno.makeTempDirSync({ prefix: `std_daq_kill_${Deno.pid}_` });
  try {
    const player = `${folder}/player`;
    run("gcc", "-O2", "-Wall", "-Werror", "-o", player, here("h5_kill.c"));
    const play = (tape: Tape, into: string, ...which: number[]): void => {
      tape.save(`${folder}/tape`);
      Deno.mkdirSync(`${folder}/${into}`, { recursive: true });
      run(player, `${folder}/tape`, `${folder}/${into}`, ...which.map(String));
    };
    const mastersIn = (runs: string): string[] =>
      [...Deno.readDirSync(`${folder}/${runs}`)]
        .flatMap(({ name }) => filesIn(`${folder}/${runs}/${name}`))
        .filter((path) => basename(path) === "run.h5");
    const [first, second] = [0, 1].map((writer) => recordRun(folder, writer));
    for (const { tape } of [first!, second!]) play(tape, "anywhere", KILLS_PER_WRITER);
    const masters = mastersIn("anywhere");
    const shown = verify(masters).map(({ images }) => images);
    const all = WRITERS * IMAGES_PER_FILE * ROUNDS_OF_FILES;
    assert.equal(
      shown[masters.indexOf(`${folder}/anywhere/0/run.h5`)],
      all,
      "none was killed there",
    );
    // The others are killed all over the run.
    assert.ok(new Set(shown).size > KILLS_PER_WRITER / 2, `${shown}`);

    // And at each step of the moment at which the master file begins to show more files.
    const { tape, extension } = first!;
    const from = extension[0]!, to = extension.at(-1)! + 2;
    play(tape, "extension", 2 * (to - from), from, to);
    verify(mastersIn("extension"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

for (const compression of ["none", "bitshuffle-lz4"] as const) {
  Deno.test(`h5py follows a growing file (compression ${compression}) that it has opened once`, async () => {
    const folder = Deno.makeTempDirSync({ prefix: `std_daq_live_${Deno.pid}_` });
    try {
      const path = `${folder}/live.h5`;
      using file = File.open(path, { write: true, create: "exclusive" });
      const options = { ...OPTIONS, height: 2, width: 5, compression, info: INFO };
      const images = ImageFile.create(file, options);
      await using reader = new TestProcess("follower", PYTHON, [here("h5_follow.py"), path]);
      const reports = (text: string): Promise<true> =>
        reader.line(text, (line) => line === text || undefined);
      await reports("0"); // it has opened the empty file
      // Past the first image, and new levels of the index (64 and 4096 images).
      for (const count of [1, 3, 61, 100, 7, 4000, 90, 32, 33]) {
        const from = images.appendedImages;
        appendTestImages(images, options, from, from + count);
        images.publish();
        await reports(`${images.publishedImages}`);
      }
      images.close({ attributes: { end: "then" } });
      Deno.writeTextFileSync(`${path}.done`, "");
      await reports(`all ${images.publishedImages}`);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

Deno.test("the how-to's lines follow a master file from before its first image to its end, in order", async () => {
  const folder = Deno.makeTempDirSync({ prefix: `std_daq_live_${Deno.pid}_` });
  try {
    const page = Deno.readTextFileSync(here("../../docs/how-to/follow-a-file.md"));
    const [, lines] = page.matchAll(/^```python\n([\s\S]*?)^```$/gm);
    Deno.writeTextFileSync(`${folder}/follow.py`, lines![1]!);
    using made = new DisposableStack();
    const create = (name: string): File => {
      const file = File.open(`${folder}/${name}`, { write: true, create: "exclusive" });
      made.adopt(file, (file) => file.close());
      return file;
    };
    const shape = { detector: "DET", height: 2, width: 5, pixelType: "uint16" } as const;
    // Two writers, two images per file; more files are told of later.
    const parts = [0, 1, 4, 5].map((firstImage, i) => ({
      ...{ file: `run${i}.h5`, firstImage, step: 2 },
    }));
    const run = { ...shape, parts: parts.slice(0, 2), attributes: {} };
    const master = MasterFile.create(create("run.h5"), run);
    await using reader = new TestProcess("follower", PYTHON, [
      ...[`${folder}/follow.py`, `${folder}/run.h5`],
    ]);
    const files = parts.map(({ file }) => (): ImageFile =>
      ImageFile.create(create(file), { ...OPTIONS, ...shape })
    );
    const write = (images: ImageFile, imageId: number): void => {
      const pixels = new Uint16Array(10).fill(imageId), bytes = pixels.byteLength;
      const image = { imageId: BigInt(imageId), address: addressOf(pixels), bytes };
      images.appendImage({ ...image, status: 1 });
      images.publish();
    };
    const shown = (line: string): Promise<true> =>
      reader.line(line, (each) => each === line || undefined);
    const first = files[0]!(), second = files[1]!();
    write(first, 100);
    write(first, 102);
    await shown("100 1 100.0"); // and not 102: 101 is to come
    assert.equal(reader.out.length, 1);
    second.skipImage({ imageId: 101n, status: 0 });
    write(second, 103);
    await shown("103 1 103.0");
    first.close();
    second.close();
    master.extend(parts);
    write(files[2]!(), 104);
    files[3]!();
    await shown("104 1 104.0");
    master.close({ attributes: { end_time: 1 } });
    assert.ok((await reader.end()).success, reader.tail());
    assert.deepEqual(reader.out, [
      ...["100 1 100.0", "101 0 0.0", "102 1 102.0", "103 1 103.0", "104 1 104.0"],
    ]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
