import assert from "node:assert/strict";
import { SMALL, TestFolder, writeTestFile } from "./_testing.ts";
import { buildInMemory } from "./_h5wasm.ts";
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
