import assert from "node:assert/strict";
import { lookup3 } from "./_lookup3.ts";
import { createFile, SMALL, TestFolder, testImage, writeTestFile } from "./_testing.ts";
import { ImageFileError } from "./image_file.ts";
import { MasterFile, type MasterFileOptions, type MasterPart } from "./master_file.ts";
import { NotAnImageFileError, readImageFile } from "./read_image_file.ts";

/** Parts of two writers with three images per file. */
const PARTS: MasterPart[] = [0, 1, 6, 7].map((firstImage, i) => ({
  file: `run${i}.h5`,
  firstImage,
  step: 2,
}));

const { detector, height, width, pixelType } = SMALL;
const OPTIONS: MasterFileOptions = {
  ...{ detector, height, width, pixelType },
  parts: PARTS,
  attributes: { run_id: 7n },
  counters: ["packets_lost"],
};

/** Ids of the images that the master file shows; their pixels are checked. */
function shownIds(path: string): number[] {
  using reader = readImageFile(path);
  const ids = [...reader.imageIds()].map(Number);
  assert.deepEqual(reader.shape, [ids.length, height, width]);
  const statuses = reader.statuses();
  ids.forEach((id, i) => {
    const there = statuses[i] !== 0n;
    const expected = there ? testImage(id, height * width) : new Uint16Array(height * width);
    assert.deepEqual(reader.image(i), expected, `image ${i}`);
  });
  return ids;
}

Deno.test("a master file shows its parts' images in order, as many as there are", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file("run.h5"));
  const master = MasterFile.create(file, OPTIONS);
  assert.deepEqual(shownIds(folder.file("run.h5")), [], "no part is there yet");
  writeTestFile(folder.file("run0.h5"), SMALL, 3);
  writeTestFile(folder.file("run1.h5"), SMALL, 3);
  assert.deepEqual(shownIds(folder.file("run.h5")), [0, 0, 1, 1, 2, 2]);
  writeTestFile(folder.file("run2.h5"), SMALL, 2);
  writeTestFile(folder.file("run3.h5"), SMALL, 1);
  assert.deepEqual(shownIds(folder.file("run.h5")), [0, 0, 1, 1, 2, 2, 0, 0, 1]);
  master.close();
  assert.deepEqual(shownIds(folder.file("run.h5")), [0, 0, 1, 1, 2, 2, 0, 0, 1]);
});

Deno.test("a master file shows 0 in the place of images whose part ended early", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file("run.h5"));
  MasterFile.create(file, OPTIONS).close();
  writeTestFile(folder.file("run1.h5"), SMALL, 3);
  using reader = readImageFile(folder.file("run.h5"));
  assert.deepEqual([...reader.statuses()], [0n, 1n, 0n, 2n, 0n, 3n]);
  assert.deepEqual([...reader.imageIds()], [0n, 0n, 0n, 1n, 0n, 2n]);
  assert.deepEqual(reader.image(4), new Uint16Array(height * width));
});

Deno.test("a master file has the attributes of its run", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file("run.h5"));
  const master = MasterFile.create(file, OPTIONS);
  master.setCounters({ packets_lost: 3n });
  master.close({ attributes: { end_time: 1.5 } });
  using reader = readImageFile(folder.file("run.h5"));
  assert.deepEqual(reader.attributes(), { run_id: 7n, packets_lost: 3n, end_time: 1.5 });
  assert.throws(() => master.setCounters({}), ImageFileError);
  assert.throws(() => master.close(), ImageFileError);
});

Deno.test("a master file of a thousand parts is made at once", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file("run.h5"));
  const parts = Array.from({ length: 1000 }, (_, i) => ({
    ...{ file: `run${i}.h5`, firstImage: 2 * i, step: 1 },
  }));
  MasterFile.create(file, { ...OPTIONS, parts }).close();
  writeTestFile(folder.file("run0.h5"), SMALL, 2);
  writeTestFile(folder.file("run1.h5"), SMALL, 1);
  assert.deepEqual(shownIds(folder.file("run.h5")), [0, 1, 0]);
});

Deno.test("MasterFile.create() names the option that is out of range, and keeps what is there", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file("run.h5"));
  const part = PARTS[0]!;
  const wrong: [Partial<MasterFileOptions>, RegExp][] = [
    [{ detector: "a/b" }, /name a group/],
    [{ height: 0 }, /height is 0/],
    [{ parts: [] }, /number of parts is 0/],
    [{ parts: [{ ...part, file: "../run0.h5" }] }, /cannot name a part/],
    [{ parts: [{ ...part, step: 0 }] }, /step of run0.h5 is 0/],
    [{ counters: ["a", "a"] }, /used twice/],
  ];
  for (const [change, message] of wrong) {
    assert.throws(() => MasterFile.create(file, { ...OPTIONS, ...change }), message);
  }
  file.writeAt(new Uint8Array([1]), 0);
  assert.throws(() => MasterFile.create(file, OPTIONS), /already holds 1 bytes/);
});

/** Has a master file of one part show another one, as only another writer would make it. */
function showAnother(path: string, part: string, name: string): void {
  assert.equal(name.length, part.length);
  const bytes = Deno.readFileSync(path);
  const view = new DataView(bytes.buffer);
  const text = new TextDecoder("latin1").decode(bytes);
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) {
    // Version and number of mappings are before the name; the block's size is before those.
    const start = at - 9, end = start + view.getUint32(start - 8, true) - 4;
    bytes.set(new TextEncoder().encode(name), at);
    view.setUint32(end, lookup3(bytes.subarray(start, end)), true);
  }
  Deno.writeFileSync(path, bytes);
}

Deno.test("readImageFile() opens no file of another folder for a master file", () => {
  using folder = new TestFolder();
  Deno.mkdirSync(folder.file("own"));
  writeTestFile(folder.file("run0.h5"), SMALL, 3);
  for (const name of ["../run0.h5", `${folder.path}/run0.h5`]) {
    const path = folder.file("own/run.h5");
    {
      using file = createFile(path);
      const part = { ...PARTS[0]!, file: "x".repeat(name.length) };
      MasterFile.create(file, { ...OPTIONS, parts: [part] }).close();
      showAnother(path, part.file, name);
    }
    assert.throws(() => readImageFile(path), (error) => {
      assert.ok(error instanceof NotAnImageFileError);
      assert.match(error.message, /expected names of files in its own folder/);
      assert.ok(error.message.includes(JSON.stringify(name)), error.message);
      return true;
    });
    Deno.removeSync(path);
  }
});

Deno.test("readImageFile() refuses a master file that shows itself or another one", () => {
  using folder = new TestFolder();
  for (
    const [name, shown] of [["a.h5", "b.h5"], ["b.h5", "a.h5"], ["self.h5", "self.h5"]] as const
  ) {
    using file = createFile(folder.file(name));
    MasterFile.create(file, { ...OPTIONS, parts: [{ ...PARTS[0]!, file: shown }] }).close();
  }
  for (const name of ["a.h5", "self.h5"]) {
    assert.throws(() => readImageFile(folder.file(name)), /is a master file, shown by another one/);
  }
});
