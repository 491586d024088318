/**
 * The files of a run by the system calls that make them: after each of these, as after a kill there, a name
 * has no file, the former file, or a valid one.
 */
import assert from "node:assert/strict";
import { imageShape, pixelType } from "../config/mod.ts";
import { TestFolder } from "../hdf5/_testing.ts";
import { readImageFile, readRunOfFile } from "../hdf5/mod.ts";
import { NexusLayouts } from "../nexus/mod.ts";
import { smallConfig } from "../nexus/_testing.ts";
import { addressOf, File, NewFile } from "../os/mod.ts";
import type { CreateFileAction } from "../protocol/mod.ts";
import { DataRoots } from "./data_roots.ts";
import { RunFiles } from "./run_files.ts";

const CONFIG = smallConfig();
const [HEIGHT, WIDTH] = imageShape(CONFIG);
const COUNTERS = { images_written: 0n, images_good: 0n };

/** How the files of a run are made. */
interface Making {
  folder: string;
  /** Images of a file; 0: no limit, and one file. */
  imagesPerFile?: number;
  /** Writers that share the run, of which this is the first; default 1. */
  writers?: number;
  nImages?: number;
  /** Most files of the run. */
  mostFiles?: number;
  runId?: bigint;
  format?: "std-daq" | "nexus" | "both";
  overwrite?: boolean;
}

function makeFiles(making: Making): RunFiles {
  const { folder, imagesPerFile = 0, nImages = 0, runId = 1n, overwrite = false } = making;
  const { format = "std-daq", writers = 1 } = making;
  const outputFile = `${folder}/run.h5`;
  const action: CreateFileAction = {
    ...{ action: "create_file", writerId: 0, nImages, acknowledgeImages: false, runId },
    ...{ request: "", path: imagesPerFile === 0 ? outputFile : `${folder}/run0.h5` },
    ...(imagesPerFile > 0 && { split: { outputFile, writers, imagesPerFile } }),
  };
  const layout = format === "std-daq"
    ? undefined
    : new NexusLayouts(CONFIG, "test").of({ format, runId, startTime: 1, images: nImages });
  return new RunFiles({
    action,
    output: new DataRoots([folder]),
    newFile: { overwrite },
    fsync: "none",
    common: {
      ...{ detector: CONFIG.detector_name, height: HEIGHT, width: WIDTH },
      ...{ pixelType: pixelType(CONFIG), attributes: { run_id: runId } },
      info: { missing_packets: "uint32" },
    },
    layout,
    fileCounters: ["images_written"],
    runCounters: ["images_good"],
    ...(making.mostFiles !== undefined && { mostFiles: making.mostFiles }),
  });
}

/** Appends images from `first` on, which are full of their ids, and begins files as they are full. */
function append(files: RunFiles, first: number, count: number): void {
  const pixels = new Uint16Array(HEIGHT * WIDTH);
  for (let id = first; id < first + count; id++) {
    if (files.imagesLeft === 0) files.beginNext({ counters: COUNTERS, fileAttributes: {} });
    pixels.fill(id);
    const imageId = BigInt(id), bytes = pixels.byteLength;
    const [written] = files.writeImages([{ imageId, address: addressOf(pixels), bytes }]);
    files.addImage({ imageId, status: 1, info: [0] }, written!);
  }
}

/** A whole run. */
function writeRun(making: Making & { images: number; firstId: number }): void {
  const files = makeFiles(making);
  files.begin();
  append(files, making.firstId, making.images);
  files.publish(COUNTERS);
  files.close({ counters: COUNTERS, fileAttributes: {}, attributes: { end_time: 2 } });
}

/** Names of the files that do not hide. */
function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => !name.startsWith(".")).sort();
}

/** Reads a file and checks its pixels. */
function look(path: string): { runId: bigint; ids: number[] } {
  using file = readImageFile(path);
  const ids = [...file.imageIds()].slice(0, file.shape[0]).map(Number);
  ids.forEach((id, row) => {
    assert.ok([...file.image(row)].every((pixel) => pixel === id), `pixels of ${path}, ${row}`);
  });
  return { runId: BigInt(file.attributes()["run_id"] ?? 0), ids };
}

/** Calls `after` behind each call that changes a file, or the names in a folder: with its path. */
function watch(after: (path: string) => void): Disposable {
  const { writeAt, writeFrom, allocate, truncate } = File.prototype;
  const { place } = NewFile.prototype;
  const { removeBeneath, createIn } = File;
  File.prototype.writeAt = function (...args): void {
    writeAt.apply(this, args);
    after(this.path);
  };
  File.prototype.writeFrom = function (...args): void {
    writeFrom.apply(this, args);
    after(this.path);
  };
  File.prototype.allocate = function (...args): void {
    allocate.apply(this, args);
    after(this.path);
  };
  File.prototype.truncate = function (...args): void {
    truncate.apply(this, args);
    after(this.path);
  };
  NewFile.prototype.place = function (...args): void {
    place.apply(this, args);
    after(this.file.path);
  };
  File.removeBeneath = (root, path): void => {
    removeBeneath(root, path);
    after(`${root}/${path}`);
  };
  File.createIn = (...args): File => {
    const file = createIn(...args);
    after(file.path);
    return file;
  };
  return {
    [Symbol.dispose](): void {
      Object.assign(File.prototype, { writeAt, writeFrom, allocate, truncate });
      Object.assign(File, { removeBeneath, createIn });
      NewFile.prototype.place = place;
    },
  };
}

for (
  const [what, imagesPerFile] of [["one file", 0], ["files and their master file", 1]] as const
) {
  Deno.test(`a kill at any call leaves no file, the former one or a valid one: ${what}`, () => {
    using folder = new TestFolder();
    const making = { folder: folder.path, format: "both", imagesPerFile } as const;
    /** Images that were seen, by file and run. */
    const seen = new Map<string, number>();
    const problems: string[] = [];
    let former: string[] = [], calls = 0, before = "";
    const checkFile = (name: string): void => {
      const { runId, ids } = look(folder.file(name));
      const key = `${name} of run ${runId}`;
      // The former master file's images go with their files.
      if (ids.length < (seen.get(key) ?? 0) && (runId > 1n || former.length === 0)) {
        problems.push(`${key} loses images`);
      }
      if (runId > 1n && ids.some((id) => id < 10)) problems.push(`${key} has another's images`);
      seen.set(key, ids.length);
    };
    const check = (changed: string): void => {
      calls++;
      const there = names(folder.path);
      for (const name of former) if (!there.includes(name)) problems.push(`${name} is gone`);
      const name = changed.slice(folder.path.length + 1);
      if (there.includes(name)) checkFile(name);
      // A master file changes with the files that there are.
      if (there.join() !== before && name !== "run.h5" && there.includes("run.h5")) {
        checkFile("run.h5");
      }
      before = there.join();
    };
    {
      using _watching = watch(check);
      writeRun({ ...making, runId: 1n, images: 3, firstId: 1 });
    }
    assert.deepEqual(problems, []);
    assert.deepEqual(look(folder.file("run.h5")), { runId: 1n, ids: [1, 2, 3] });
    former = names(folder.path).filter((name) => name === "run.h5" || name === "run0.h5");
    {
      using _watching = watch(check);
      writeRun({ ...making, runId: 2n, images: 2, firstId: 11, overwrite: true });
    }
    assert.deepEqual(problems, []);
    assert.deepEqual(look(folder.file("run.h5")), { runId: 2n, ids: [11, 12] });
    assert.ok(calls > 30);
    const left = [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
    assert.deepEqual(left, imagesPerFile === 0 ? ["run.h5"] : ["run.h5", "run0.h5", "run1.h5"]);
  });
}

Deno.test("files of a longer run that is overwritten go when the new ones stand, and no one else's", () => {
  using folder = new TestFolder();
  writeRun({ folder: folder.path, imagesPerFile: 2, images: 9, firstId: 1 });
  // Another run's, which has taken the name of a part; and what is called like one, but is none.
  Deno.removeSync(folder.file("run3.h5"));
  using other = new TestFolder();
  writeRun({ folder: other.path, runId: 9n, images: 1, firstId: 5 });
  Deno.copyFileSync(other.file("run.h5"), folder.file("run3.h5"));
  Deno.writeTextFileSync(folder.file("run7.h5"), "somebody's");
  const files = makeFiles({ folder: folder.path, runId: 2n, overwrite: true });
  files.begin();
  assert.deepEqual(names(folder.path), ["run.h5", "run3.h5", "run7.h5"]);
  files.close({ counters: COUNTERS, fileAttributes: {} });
  assert.deepEqual(look(folder.file("run.h5")), { runId: 2n, ids: [] });
});

Deno.test("files that are to be overwritten stay if the run does not begin, and nothing of it is left", () => {
  for (const imagesPerFile of [0, 2]) {
    using folder = new TestFolder();
    writeRun({ folder: folder.path, imagesPerFile: 2, images: 5, firstId: 1 });
    const all = (): string[] => [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
    const before = all();
    const files = makeFiles({ folder: folder.path, imagesPerFile, runId: 2n, overwrite: true });
    files.publish(COUNTERS); // a second went by
    assert.deepEqual(look(folder.file("run.h5")), { runId: 1n, ids: [1, 2, 3, 4, 5] });
    files.close({ counters: COUNTERS, fileAttributes: {} });
    assert.deepEqual(look(folder.file("run.h5")), { runId: 1n, ids: [1, 2, 3, 4, 5] });
    assert.deepEqual(all(), before);
  }
});

Deno.test("a file of the former run that somebody has removed meanwhile is no obstacle", () => {
  using folder = new TestFolder();
  writeRun({ folder: folder.path, imagesPerFile: 2, images: 5, firstId: 1 });
  const files = makeFiles({ folder: folder.path, runId: 2n, overwrite: true });
  Deno.removeSync(folder.file("run1.h5"));
  files.begin();
  files.close({ counters: COUNTERS, fileAttributes: {} });
  assert.deepEqual(names(folder.path), ["run.h5"]);
});

Deno.test("what cannot be put in its place leaves the former files, and nothing of its own", () => {
  using folder = new TestFolder();
  writeRun({ folder: folder.path, imagesPerFile: 2, images: 4, firstId: 1 });
  const before = names(folder.path);
  const make = (): unknown => makeFiles({ folder: folder.path, imagesPerFile: 2 });
  assert.throws(make, { code: "EEXIST" });
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(), before);
  // One that comes into being while ours is made is not replaced, either.
  Deno.removeSync(folder.file("run0.h5"));
  {
    using _watching = watch(() => Deno.writeTextFileSync(folder.file("run0.h5"), "theirs"));
    assert.throws(
      () => makeFiles({ folder: folder.path, imagesPerFile: 2, overwrite: false }),
      { code: "EEXIST" },
    );
  }
  assert.equal(Deno.readTextFileSync(folder.file("run0.h5")), "theirs");
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(), before);
});

Deno.test("a run without a known end begins files as it needs them, all of them shown", () => {
  using folder = new TestFolder();
  const files = makeFiles({ folder: folder.path, imagesPerFile: 1 });
  const count = 40; // more than are shown at first, twice
  for (let id = 1; id <= count; id++) {
    append(files, id, 1);
    files.publish(COUNTERS);
  }
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  assert.deepEqual(look(folder.file("run.h5")).ids, ids);
  files.close({ counters: COUNTERS, fileAttributes: {} });
  assert.deepEqual(look(folder.file("run.h5")).ids, ids);
  assert.equal(names(folder.path).length, 1 + count);
});

Deno.test("a run removes what a killed writer left in its folder, once", () => {
  using folder = new TestFolder();
  const leave = (): string => {
    const { file } = NewFile.beneath(folder.path, "left.h5", 0o644);
    file.close(); // the lock goes, as with its process
    const left = [...Deno.readDirSync(folder.path)].find(({ name }) => name.endsWith(".part"));
    const path = folder.file(left!.name);
    Deno.utimeSync(path, 1e9, 1e9);
    return path;
  };
  const first = leave();
  const files = makeFiles({ folder: folder.path, imagesPerFile: 1 });
  assert.ok(!File.isThere(first));
  // A folder may have many files: it is not listed for each.
  const second = leave();
  append(files, 1, 2);
  assert.ok(File.isThere(second));
  files.close({ counters: COUNTERS, fileAttributes: {} });
});

Deno.test("a master file shows no more files than the run has, where that is known", () => {
  using folder = new TestFolder();
  // 5 images of two writers, 2 a file: the first one has 3 in two files, the other one a file.
  const making = { folder: folder.path, imagesPerFile: 2, writers: 2, nImages: 5 };
  const files = makeFiles(making);
  append(files, 1, 3);
  files.close({ counters: COUNTERS, fileAttributes: {} });
  const { parts } = readRunOfFile(folder.file("run.h5"))!;
  assert.deepEqual(parts, ["run0.h5", "run1.h5", "run2.h5"]);
});

Deno.test("a run that has all files it may have goes on in the last one, all images shown", () => {
  for (const nImages of [0, 11]) {
    using folder = new TestFolder();
    // 4 files of 2 writers are 2 rounds: whoever comes to 5 files has one of them in vain.
    const files = makeFiles({
      folder: folder.path,
      imagesPerFile: 2,
      writers: 2,
      nImages,
      mostFiles: 5,
    });
    append(files, 1, 2);
    assert.equal(files.isLast, false);
    append(files, 3, 4);
    assert.equal(files.isLast, true);
    files.close({ counters: COUNTERS, fileAttributes: {} });
    assert.deepEqual(names(folder.path), ["run.h5", "run0.h5", "run2.h5"]);
    assert.deepEqual(look(folder.file("run2.h5")).ids, [3, 4, 5, 6]);
    using master = readImageFile(folder.file("run.h5"));
    const ids = [...master.imageIds()].slice(0, master.shape[0]).map(Number);
    // Every second place is the other writer's.
    assert.deepEqual(ids.filter((id) => id > 0), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(readRunOfFile(folder.file("run.h5"))!.parts.at(-1), "run3.h5");
  }
});
