import assert from "node:assert/strict";
import * as h5wasm from "h5wasm";
import { createFile, SMALL, TestFolder, writeTestFile } from "./_testing.ts";
import { buildInMemory } from "./_h5wasm.ts";
import { MasterFile } from "./master_file.ts";
import { NotAnImageFileError, readImageFile } from "./read_image_file.ts";

Deno.test("readImageFile() lists datasets, shape, type and detector", () => {
  using folder = new TestFolder();
  writeTestFile(folder.file(), { ...SMALL, pixelType: "float32" }, 2);
  using reader = readImageFile(folder.file());
  assert.deepEqual([...reader.datasets].sort(), ["DET/data", "DET/metadata"]);
  assert.deepEqual(reader.shape, [2, 3, 5]);
  assert.equal(reader.pixelType, "float32");
  assert.equal(reader.detector, "DET");
});

Deno.test("readImageFile() refuses a missing file, other formats and other HDF5 files", () => {
  using folder = new TestFolder();
  assert.throws(() => readImageFile(folder.file("none.h5")), { code: "ENOENT" });
  Deno.writeTextFileSync(folder.file("text.h5"), "not HDF5 at all".repeat(1000));
  assert.throws(() => readImageFile(folder.file("text.h5")), NotAnImageFileError);
  Deno.writeFileSync(folder.file("empty.h5"), new Uint8Array());
  assert.throws(() => readImageFile(folder.file("empty.h5")), NotAnImageFileError);
  const { bytes } = buildInMemory((file) => file.create_group("other"));
  Deno.writeFileSync(folder.file("other.h5"), bytes);
  assert.throws(() => readImageFile(folder.file("other.h5")), /no \/<detector>\/data/);
});

Deno.test("image() refuses an index outside the file", () => {
  using folder = new TestFolder();
  writeTestFile(folder.file(), SMALL, 2);
  using reader = readImageFile(folder.file());
  for (const index of [-1, 2, 0.5, NaN]) {
    assert.throws(() => reader.image(index), RangeError);
  }
});

Deno.test("imageInfo() reads some records at a time, also of a master file, whose parts may end early", () => {
  using folder = new TestFolder();
  const options = { ...SMALL, height: 1, width: 1, info: { a: "uint32", b: "uint32" } } as const;
  const rows = [6000, 5000]; // more than are read at a time, together
  rows.forEach((n, i) => writeTestFile(folder.file(`run${i}.h5`), options, n));
  using file = createFile(folder.file("run.h5"));
  const parts = rows.map((_, i) => ({ file: `run${i}.h5`, firstImage: i, step: 2 }));
  MasterFile.create(file, { ...options, parts }).close();
  const { slice } = h5wasm.Dataset.prototype;
  let most = 0;
  h5wasm.Dataset.prototype.slice = function (ranges): ReturnType<typeof slice> {
    const [from, to] = ranges[0]!;
    most = Math.max(most, to! - from!);
    return slice.call(this, ranges);
  };
  try {
    using reader = readImageFile(folder.file("run.h5"));
    let row = 0;
    for (const record of reader.imageInfo()) {
      const part = row % 2, id = (row - part) / 2;
      const expected = id < rows[part]! ? { a: 100 * id, b: 100 * id + 1 } : { a: 0, b: 0 };
      assert.deepEqual(record, expected, `row ${row}`);
      row++;
    }
    assert.equal(row, 11_999);
    assert.equal(most, 4096);
  } finally {
    h5wasm.Dataset.prototype.slice = slice;
  }
});
