/**
 * Image files while they are written: killed hundreds of times, and followed by a reader.
 */
import assert from "node:assert/strict";
import { TestProcess } from "../harness/mod.ts";
import { compressed } from "../../lib/hdf5/_testing.ts";
import { ImageFile, type ImageFileOptions, MasterFile } from "../../lib/hdf5/mod.ts";
import { imageShape } from "../../lib/config/mod.ts";
import { NexusLayouts } from "../../lib/nexus/mod.ts";
import { smallConfig } from "../../lib/nexus/_testing.ts";
import { addressOf, copyFrom, File } from "../../lib/os/mod.ts";

const PYTHON = "/usr/bin/python3";
const here = (name: string): string => new URL(name, import.meta.url).pathname;
const ROUNDS = 5;
const KILLS_PER_ROUND = 80;
/** Those that h5_kill.c spreads over the time in which the file has its name. */
const NAMED_PER_ROUND = KILLS_PER_ROUND * 7 / 8;
const IMAGES_PER_TURN = 15;
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

function run(command: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  const text = new TextDecoder();
  assert.ok(success, `${command} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** Appends images of the pattern that h5_verify.py and h5_follow.py know. */
function append(images: ImageFile, count: number, how: ImageFileOptions): void {
  const pixels = new Uint16Array(how.height * how.width);
  for (let i = 0; i < count; i++) {
    const id = images.appendedImages;
    pixels.forEach((_, i) => pixels[i] = id * 31 + i * 7 + 1);
    const bytes = how.compression === "none" ? new Uint8Array(pixels.buffer) : compressed(pixels);
    images.appendImage({
      imageId: BigInt(id),
      status: 1 + id % 3,
      address: addressOf(bytes),
      bytes: bytes.byteLength,
      ...(how.info && { info: [0] }),
    });
  }
}

/** Writes down a file's system calls, in the format that h5_kill.c plays. */
class Tape {
  steps = 0;
  readonly #parts: Uint8Array[] = [];

  constructor(file: File) {
    const { writeAt, writeFrom, truncate, allocate } = file;
    file.writeAt = (bytes, at): void => {
      this.#add(0, at, bytes.byteLength, bytes.slice());
      writeAt.call(file, bytes, at);
    };
    file.writeFrom = (address, length, at): void => {
      const bytes = new Uint8Array(length);
      copyFrom(address, bytes);
      this.#add(0, at, length, bytes);
      writeFrom.call(file, address, length, at);
    };
    file.truncate = (bytes): void => {
      this.#add(1, bytes, 0);
      truncate.call(file, bytes);
    };
    file.allocate = (from, bytes, keepSize = false): void => {
      if (!keepSize) this.#add(2, from, bytes);
      allocate.call(file, from, bytes, keepSize);
    };
  }

  /** The file gets its name. */
  place(): void {
    this.#add(3, 0, 0);
  }

  save(path: string): void {
    Deno.writeFileSync(path, new Uint8Array());
    for (const part of this.#parts) Deno.writeFileSync(path, part, { append: true });
  }

  #add(kind: number, at: number, bytes: number, content?: Uint8Array): void {
    this.steps++;
    const head = BigUint64Array.of(BigInt(kind), BigInt(at), BigInt(bytes));
    this.#parts.push(new Uint8Array(head.buffer));
    if (content !== undefined) this.#parts.push(content);
  }
}

/** What a NeXus file has beside the images, in the format that has them under their old path, too. */
const NEXUS_CONFIG = smallConfig({ detector_name: OPTIONS.detector });
const [NEXUS_HEIGHT, NEXUS_WIDTH] = imageShape(NEXUS_CONFIG);
const NEXUS: Partial<ImageFileOptions> = {
  ...{ height: NEXUS_HEIGHT, width: NEXUS_WIDTH },
  ...new NexusLayouts(NEXUS_CONFIG, "test").of({
    ...{ format: "both", runId: 7n, startTime: 1, images: 0 },
  })("0.h5"),
};

const KILLED: [what: string, rounds: number, options: Partial<ImageFileOptions>][] = [
  ["compression none", ROUNDS, { compression: "none" }],
  ["compression bitshuffle-lz4", ROUNDS, { compression: "bitshuffle-lz4" }],
  ["NeXus", 2, { compression: "none", ...NEXUS }],
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
        using file = File.open(`${folder}/whole.h5`, { write: true, create: "exclusive" });
        const tape = new Tape(file);
        const publishEvery = 2 * TURNS_PER_PUBLICATION * IMAGES_PER_TURN; // never by itself
        const options = { ...OPTIONS, ...changes, preallocate: false, publishEvery };
        const images = ImageFile.create(file, options);
        tape.place();
        for (let i = 0; i < 40; i++) {
          append(images, IMAGES_PER_TURN, options);
          images.setCounters({ good: BigInt(images.appendedImages) });
          if (i % TURNS_PER_PUBLICATION !== 0) continue;
          images.publish();
          published.push(images.publishedImages);
        }
        images.close({ attributes: { end: "then" } });
        // Each image is a step at least. So from one publication to the next it is at least three of the
        // stretches that h5_kill.c gives to its writers, one of which is whole and of one that kills itself.
        const stretch = Math.ceil(tape.steps / NAMED_PER_ROUND);
        assert.ok(3 * stretch <= TURNS_PER_PUBLICATION * IMAGES_PER_TURN, `${tape.steps} steps`);
        tape.save(`${folder}/tape`);
      }
      const seen = new Set<number>();
      for (let round = 0; round < rounds; round++) {
        const own = `${folder}/${round}`;
        Deno.mkdirSync(own);
        const [tape, number] = [`${folder}/tape`, `${KILLS_PER_ROUND}`];
        run(player, tape, own, number); // fails unless it has killed so many
        const files = [...Deno.readDirSync(own)].map(({ name }) => name)
          .filter((name) => !name.startsWith(".")).map((name) => `${own}/${name}`);
        for (const line of run(PYTHON, here("h5_verify.py"), ...files).trim().split("\n")) {
          const { images, error } = JSON.parse(line);
          assert.equal(error, undefined);
          seen.add(images);
        }
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

for (const compression of ["none", "bitshuffle-lz4"] as const) {
  Deno.test(`h5py follows a growing file (compression ${compression}) that it has opened once`, async () => {
    const folder = Deno.makeTempDirSync({ prefix: `std_daq_live_${Deno.pid}_` });
    try {
      const path = `${folder}/live.h5`;
      using file = File.open(path, { write: true, create: "exclusive" });
      const info = { missing_packets: "uint32" } as const;
      const options = { ...OPTIONS, height: 2, width: 5, compression, info };
      const images = ImageFile.create(file, options);
      await using reader = new TestProcess("follower", PYTHON, [here("h5_follow.py"), path]);
      const reports = (text: string): Promise<true> =>
        reader.line(text, (line) => line === text || undefined);
      await reports("0"); // it has opened the empty file
      // Past the first image, and new levels of the index (64 and 4096 images).
      for (const count of [1, 3, 61, 100, 7, 4000, 90, 32, 33]) {
        append(images, count, options);
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
