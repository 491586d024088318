import assert from "node:assert/strict";
import fc from "fast-check";
import { fileParts, isSplit, lastPart, partCount, partPath, writerShare } from "./file_split.ts";

Deno.test("partPath() puts the number behind the prefix, and a _ between two digits", () => {
  assert.equal(partPath("/data/run.h5", 0), "/data/run0.h5");
  assert.equal(partPath("/data/run_1.hdf5", 12), "/data/run_1_12.hdf5");
  assert.equal(partPath("/data.d/run.a.h5", 3), "/data.d/run.a3.h5");
});

Deno.test("a run is split by several writers or a limit of images per file", () => {
  assert.equal(isSplit({ writers: 1, imagesPerFile: 0 }), false);
  assert.equal(isSplit({ writers: 2, imagesPerFile: 0 }), true);
  assert.equal(isSplit({ writers: 1, imagesPerFile: 5 }), true);
});

Deno.test("fileParts() has one file for each writer without a limit, as the original has", () => {
  assert.deepEqual(fileParts(100, { writers: 3, imagesPerFile: 0 }), [
    { number: 0, writer: 0, firstImage: 0 },
    { number: 1, writer: 1, firstImage: 1 },
    { number: 2, writer: 2, firstImage: 2 },
  ]);
});

Deno.test("fileParts() puts every image of a run into exactly one file, in its writer's order", () => {
  fc.assert(fc.property(
    fc.record({
      nImages: fc.integer({ min: 1, max: 200 }),
      writers: fc.integer({ min: 1, max: 7 }),
      imagesPerFile: fc.integer({ min: 1, max: 20 }),
    }),
    ({ nImages, ...split }) => {
      const { writers, imagesPerFile } = split;
      const parts = fileParts(nImages, split);
      assert.equal(parts.length, partCount(nImages, split));
      const seen = new Set<number>();
      for (const { number, writer, firstImage } of parts) {
        assert.equal(number % writers, writer);
        for (let i = 0; i < imagesPerFile; i++) {
          const image = firstImage + i * writers;
          assert.equal(image % writers, writer);
          assert.ok(!seen.has(image));
          if (image < nImages) seen.add(image);
        }
      }
      assert.equal(seen.size, nImages);
      const shares = Array.from({ length: writers }, (_, i) => writerShare(nImages, writers, i));
      assert.equal(shares.reduce((sum, share) => sum + share, 0), nImages);
    },
  ));
});

Deno.test("lastPart() leaves every writer the same number of files, at least one", () => {
  assert.equal(lastPart({ writers: 1 }), 9999);
  assert.equal(lastPart({ writers: 3 }), 3332);
  assert.equal(lastPart({ writers: 3 }, 2), 0);
});
