import assert from "node:assert/strict";
import { addressOf, OsError } from "../os/mod.ts";
import {
  appendTestImages,
  appendTestImagesTogether,
  assertOldFormat,
  compressed,
  createFile,
  SMALL,
  TestFolder,
  testImage,
  writeTestFile,
} from "./_testing.ts";
import { ImageFile, ImageFileError, type ImageFileOptions } from "./image_file.ts";
import type { PixelType } from "./pixel_type.ts";
import { readImageFile } from "./read_image_file.ts";

const TYPES: PixelType[] = ["uint8", "uint16", "uint32", "int16", "int32", "float32"];

function assertTestImages(path: string, options: ImageFileOptions, n: number): void {
  using reader = readImageFile(path);
  const { height, width, pixelType } = options;
  assert.deepEqual(reader.shape, [n, height, width]);
  assert.equal(reader.pixelType, pixelType);
  assert.deepEqual(reader.imageIds(), BigUint64Array.from({ length: n }, (_, i) => BigInt(i)));
  assert.deepEqual(
    reader.statuses(),
    BigUint64Array.from({ length: n }, (_, i) => BigInt(1 + i % 3)),
  );
  for (let i = 0; i < n; i++) {
    assert.deepEqual(reader.image(i), testImage(i, height * width, pixelType), `image ${i}`);
  }
}

for (const pixelType of TYPES) {
  Deno.test(`appendImage() stores ${pixelType} pixels unchanged`, () => {
    using folder = new TestFolder();
    const options = { ...SMALL, pixelType, height: 7, width: 13 };
    writeTestFile(folder.file(), options, 70);
    assertTestImages(folder.file(), options, 70);
  });
}

Deno.test("close() leaves nothing in a file that HDF5 1.8 does not know", () => {
  using folder = new TestFolder();
  for (const compression of ["none", "bitshuffle-lz4"] as const) {
    const options = {
      ...{
        ...SMALL,
        compression,
        info: { missing_packets: "uint32", exposure: "float64" } as const,
      },
      attributes: { config: "{}", run_id: 7n },
    };
    const path = folder.file(`${compression}.h5`);
    using file = createFile(path);
    const images = ImageFile.create(file, options);
    appendTestImages(images, options, 0, 200);
    assert.throws(() => assertOldFormat(path), /version of the superblock/);
    images.close({ attributes: { outcome: "Completed." } });
    assert.equal(assertOldFormat(path), 5); // two groups and three datasets
  }
});

Deno.test("appendImage() stores images of one pixel and of a prime number of rows", () => {
  using folder = new TestFolder();
  for (const [height, width] of [[1, 1], [1009, 1], [1, 1009], [257, 513]] as const) {
    const options = { ...SMALL, height, width };
    const path = folder.file(`${height}x${width}.h5`);
    writeTestFile(path, options, 3);
    assertTestImages(path, options, 3);
  }
});

Deno.test("appendImage() goes on without limit: more chunks than two index levels hold", () => {
  using folder = new TestFolder();
  writeTestFile(folder.file(), { ...SMALL, height: 1, width: 2 }, 5000);
  assertTestImages(folder.file(), { ...SMALL, height: 1, width: 2 }, 5000);
});

Deno.test("appendImage() takes more images than were expected, past a metadata chunk", () => {
  using folder = new TestFolder();
  // Records of one publication then lie in two metadata chunks of 1024.
  const options = { ...SMALL, expectedImages: 10, publishEvery: 100 };
  writeTestFile(folder.file(), options, 2500);
  assertTestImages(folder.file(), options, 2500);
});

Deno.test("appendImage() places images past 2^32 bytes", () => {
  using folder = new TestFolder();
  const options = { ...SMALL, alignBytes: 64 * 2 ** 20, preallocate: false };
  writeTestFile(folder.file(), options, 100);
  assert.ok(Deno.statSync(folder.file()).size > 2 ** 32);
  assertTestImages(folder.file(), options, 100);
});

Deno.test("appendImage() publishes by itself after publishEvery images", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, { ...SMALL, publishEvery: 4 });
  appendTestImages(images, SMALL, 0, 3);
  assert.equal(images.publishedImages, 0);
  appendTestImages(images, SMALL, 3, 4);
  assert.equal(images.publishedImages, 4);
  assertTestImages(folder.file(), SMALL, 4);
});

Deno.test("appendImage() starts images at multiples of alignBytes", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, { ...SMALL, alignBytes: 4096 });
  for (let id = 0; id < 200; id++) {
    appendTestImages(images, SMALL, id, id + 1);
    assert.equal((images.endBytes - images.imageBytes) % 4096, 0);
  }
  images.close();
  assertTestImages(folder.file(), SMALL, 200);
});

Deno.test("compressed images of 128 KiB and more start at pages, smaller ones where the last one ends", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const options: ImageFileOptions = {
    ...SMALL,
    height: 256,
    width: 512,
    compression: "bitshuffle-lz4",
  };
  delete options.alignBytes;
  const images = ImageFile.create(file, options);
  const chunk = new Uint8Array(256 * 512 * 2);
  const address = addressOf(chunk);
  const place = (imageId: bigint, bytes: number): number => {
    const [written] = images.writeImages([{ imageId, address, bytes }]);
    images.addImage({ imageId, status: 1 }, written!);
    return written!.at;
  };
  const starts = [200_001, 100_001, 100_001, 131_072, 131_071, 131_071].map((bytes, i) => ({
    at: place(BigInt(i), bytes),
    bytes,
  }));
  images.close();
  for (const [i, { at, bytes }] of starts.entries()) {
    const before = starts[i - 1];
    if (bytes >= 131_072) assert.equal(at % 4096, 0);
    if (before === undefined) continue;
    const gap = at - before.at - before.bytes;
    assert.ok(gap >= 0 && gap < (bytes >= 131_072 ? 4096 : 8), `image ${i} ${gap} bytes behind`);
  }
});

for (const [alignBytes, calls] of [[4096, 1], [3 * 4096, 10]] as const) {
  Deno.test(`writeImages() needs ${calls} calls for ten images at multiples of ${alignBytes}`, () => {
    using folder = new TestFolder();
    using file = createFile(folder.file());
    const images = ImageFile.create(file, { ...SMALL, alignBytes });
    let made = 0;
    for (const name of ["writeFrom", "writeAllFrom"] as const) {
      const write = file[name] as (...args: unknown[]) => void;
      file[name] = (...args: unknown[]): void => {
        made++;
        write.apply(file, args);
      };
    }
    for (let id = 0; id < 100;) {
      const left = 10 - id % 10;
      id += appendTestImagesTogether(images, SMALL, id, id + left);
      assert.equal((images.endBytes - images.imageBytes) % alignBytes, 0);
    }
    assert.equal(made, 10 * calls);
    images.close();
    assertTestImages(folder.file(), SMALL, 100);
  });
}

Deno.test("writeImages() writes those before one that cannot be written, and gives back what is torn", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, SMALL);
  const { writeAllFrom, writeFrom } = file;
  let left = 2;
  file.writeAllFrom = (pieces, position): void => {
    writeAllFrom.call(file, pieces.slice(0, 6), position); // then the disk is full
    throw new OsError("pwritev", 28, file.path);
  };
  file.writeFrom = (address, bytes, position): void => {
    if (left-- === 0) throw new OsError("pwrite", 28, file.path);
    writeFrom.call(file, address, bytes, position);
  };
  assert.equal(appendTestImagesTogether(images, SMALL, 0, 5), 1);
  assert.equal(appendTestImagesTogether(images, SMALL, 1, 5), 1);
  const end = images.endBytes;
  assert.throws(() => appendTestImagesTogether(images, SMALL, 2, 5), { code: "ENOSPC" });
  assert.equal(images.endBytes, end);
  Object.assign(file, { writeAllFrom, writeFrom });
  const bytes = new Uint8Array(images.imageBytes);
  const image = { imageId: 7n, address: addressOf(bytes), bytes: bytes.byteLength };
  const torn = { ...image, isIntact: (): boolean => false };
  assert.deepEqual(images.writeImages([torn, torn]), [undefined, undefined]);
  assert.equal(images.endBytes, end);
  assert.equal(appendTestImagesTogether(images, SMALL, 2, 5), 3);
  images.close();
  assertTestImages(folder.file(), SMALL, 5);
});

Deno.test("appendImage() refuses an image of another size", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, SMALL);
  const pixels = new Uint8Array(31);
  const image = { imageId: 7n, status: 1, address: addressOf(pixels), bytes: 31 };
  assert.throws(() => images.appendImage(image), /31 bytes, 30 are needed/);
  images.close();
  assertTestImages(folder.file(), SMALL, 0);
});

Deno.test("skipImage() leaves a row of zeros with its records", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const info = { missing_packets: "uint32", exposure: "float64" } as const;
  const images = ImageFile.create(file, { ...SMALL, info });
  const pixels = new Uint8Array(testImage(1, 15).buffer);
  const image = { address: addressOf(pixels), bytes: pixels.byteLength };
  for (let row = 0; row < 300; row++) {
    const record = { imageId: BigInt(row), status: row % 3, info: [row, row / 2] };
    // Holes at the start, within a node of the index, between two nodes, and at the end.
    if (row % 3 === 0 || row > 180) images.skipImage(record);
    else assert.ok(images.appendImage({ ...record, ...image }));
  }
  assert.deepEqual([images.rows, images.appendedImages], [300, 120]);
  images.close();
  using reader = readImageFile(folder.file());
  assert.equal(reader.shape[0], 300);
  for (let row = 0; row < 300; row++) {
    const there = row % 3 !== 0 && row <= 180;
    assert.deepEqual(reader.image(row), there ? testImage(1, 15) : new Uint16Array(15), `${row}`);
  }
  const records = [...reader.imageInfo()];
  assert.deepEqual(records[299], { missing_packets: 299, exposure: 149.5 });
  assert.equal(records.length, 300);
});

Deno.test("appendImage() wants a value for every field of image_info", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, { ...SMALL, info: { a: "uint8", b: "uint64" } });
  const pixels = new Uint8Array(30);
  const image = { imageId: 1n, status: 1, address: addressOf(pixels), bytes: 30 };
  assert.throws(() => images.appendImage(image), /0 values for a record of 2 fields \(a, b\)/);
  assert.throws(() => images.skipImage({ imageId: 1n, status: 0, info: [1] }), RangeError);
  assert.ok(images.appendImage({ ...image, info: [255, 2n ** 64n - 1n] }));
  images.close();
  using reader = readImageFile(folder.file());
  assert.deepEqual([...reader.imageInfo()], [{ a: 255, b: 2n ** 64n - 1n }]);
});

Deno.test("compressed images are chunks of filter 32008 in one row after the other", () => {
  using folder = new TestFolder();
  writeTestFile(folder.file(), { ...SMALL, compression: "bitshuffle-lz4" }, 70);
  using reader = readImageFile(folder.file());
  assert.deepEqual(reader.shape, [70, 3, 5]);
  assert.equal(reader.compression, "bitshuffle-lz4");
  for (let id = 0; id < 70; id++) {
    assert.deepEqual(reader.image(id), testImage(id, 15), `image ${id}`);
  }
});

Deno.test("a file of compressed images takes images that are not, one by one", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, { ...SMALL, compression: "bitshuffle-lz4" });
  for (let id = 0; id < 70; id++) {
    const isChunk = id % 3 !== 0;
    const bytes = new Uint8Array(testImage(id, 15).buffer);
    const stored = isChunk ? compressed(testImage(id, 15)) : bytes;
    images.appendImage({
      ...{ imageId: BigInt(id), status: 1, compressed: isChunk },
      ...{ address: addressOf(stored), bytes: stored.length },
    });
  }
  const wrong = { imageId: 70n, status: 1, address: 0n, bytes: 7, compressed: false };
  assert.throws(() => images.appendImage(wrong), /Image 70 has 7 bytes, \d+ are needed/);
  images.close();
  using reader = readImageFile(folder.file());
  for (let id = 0; id < 70; id++) {
    assert.deepEqual(reader.image(id), testImage(id, 15), `image ${id}`);
  }
});

Deno.test("publish() makes images visible to a reader while the file is being written", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, SMALL);
  for (let n = 0; n < 300; n += 23) {
    appendTestImages(images, SMALL, n, n + 23);
    images.publish();
    assertTestImages(folder.file(), SMALL, n + 23);
  }
});

Deno.test("publish() costs the same number of writes however long the file is", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  let writes = 0;
  const writeAt = file.writeAt.bind(file);
  file.writeAt = (bytes, position): void => {
    writes++;
    writeAt(bytes, position);
  };
  const images = ImageFile.create(file, SMALL);
  const most: number[] = [];
  for (let n = 0; n < 6400; n += 640) {
    let worst = 0;
    for (let id = n; id < n + 640; id += 10) {
      appendTestImages(images, SMALL, id, id + 10);
      writes = 0;
      images.publish();
      worst = Math.max(worst, writes);
    }
    most.push(worst);
  }
  assert.ok(Math.max(...most) <= 15, `writes per publication: ${most}`);
  images.close();
});

Deno.test("setCounters() changes attributes in place and keeps them through close()", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, {
    ...SMALL,
    attributes: { run: "März", exposure: 0.25 },
    counters: ["good", "lost"],
  });
  images.setCounters({ good: 5n });
  {
    using reader = readImageFile(folder.file());
    assert.deepEqual(reader.attributes(), { run: "März", exposure: 0.25, good: 5n, lost: 0n });
  }
  images.setCounters({ lost: 2n ** 64n - 1n });
  images.close({ attributes: { end: -1n, exposure: 0.5 } });
  using reader = readImageFile(folder.file());
  assert.deepEqual(reader.attributes(), {
    run: "März",
    exposure: 0.5,
    good: 5n,
    lost: 2n ** 64n - 1n,
    end: -1n,
  });
});

Deno.test("setCounters() refuses unknown names and values that are not u64", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, { ...SMALL, counters: ["good"] });
  assert.throws(() => images.setCounters({ bad: 1n }), /No counter "bad".*there are: good/);
  assert.throws(() => images.setCounters({ good: -1n }), RangeError);
  assert.throws(() => images.setCounters({ good: 2n ** 64n }), RangeError);
});

Deno.test("close() of a file without images leaves shape (0, h, w)", () => {
  using folder = new TestFolder();
  writeTestFile(folder.file(), SMALL, 0);
  assertTestImages(folder.file(), SMALL, 0);
});

Deno.test("close() gives back the space reserved ahead", () => {
  using folder = new TestFolder();
  writeTestFile(folder.file(), { ...SMALL, expectedImages: 10_000_000, preallocate: true }, 10);
  assert.ok(Deno.statSync(folder.file()).blocks! * 512 < 2 ** 20);
  assertTestImages(folder.file(), SMALL, 10);
});

Deno.test("close() can be called once, nothing else works after it", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, SMALL);
  images.close();
  assert.throws(() => images.close(), ImageFileError);
  assert.throws(() => images.publish(), ImageFileError);
  assert.throws(() => images.setCounters({}), ImageFileError);
  assert.throws(() => appendTestImages(images, SMALL, 0, 1), ImageFileError);
});

Deno.test("close() refuses attributes that do not fit and stays open", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, { ...SMALL, counters: ["good"] });
  appendTestImages(images, SMALL, 0, 2);
  assert.throws(() => images.close({ attributes: { text: "x".repeat(20_000) } }), /do not fit/);
  assert.throws(() => images.close({ attributes: { good: 1n } }), /used twice/);
  images.close({ attributes: { text: "x".repeat(10_000) } });
  assertTestImages(folder.file(), SMALL, 2);
});

Deno.test("long texts have room from the first to the last moment", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const request = "x".repeat(30_000), config = "y".repeat(25_000), outcome = "z".repeat(3000);
  const attributes = { request, config };
  const images = ImageFile.create(file, { ...SMALL, attributes, counters: ["good"] });
  const read = (): unknown => {
    using reader = readImageFile(folder.file());
    return reader.attributes();
  };
  assert.deepEqual(read(), { good: 0n, request, config });
  appendTestImages(images, SMALL, 0, 2);
  images.setCounters({ good: 2n });
  images.close({ attributes: { outcome } });
  assert.deepEqual(read(), { good: 2n, request, config, outcome });
  assertTestImages(folder.file(), SMALL, 2);
});

Deno.test("create() refuses a file that is not empty and leaves it alone", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  file.writeAt(new Uint8Array([1, 2, 3]), 0);
  assert.throws(() => ImageFile.create(file, SMALL), /already holds 3 bytes/);
  assert.equal(file.size(), 3);
});

Deno.test("create() names the option that is out of range", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const wrong: [Partial<ImageFileOptions>, RegExp][] = [
    [{ detector: "" }, /name a group/],
    [{ detector: "a/b" }, /name a group/],
    [{ height: 0 }, /height is 0/],
    [{ width: 1.5 }, /width is 1.5/],
    [{ expectedImages: -1 }, /expectedImages is -1/],
    [{ publishEvery: 0 }, /publishEvery is 0/],
    [{ alignBytes: 0 }, /alignBytes is 0/],
    [{ height: 65536, width: 65536 }, /bytes per image/],
    [{ counters: ["a", "a"] }, /used twice/],
  ];
  for (const [part, message] of wrong) {
    assert.throws(() => ImageFile.create(file, { ...SMALL, ...part }), message);
  }
  assert.equal(file.size(), 0);
});

Deno.test("create() takes long and non-ASCII detector names", () => {
  using folder = new TestFolder();
  for (const detector of ["x".repeat(255), "Größe 9M", "d"]) {
    const path = folder.file(`${detector.length}.h5`);
    writeTestFile(path, { ...SMALL, detector }, 70);
    using reader = readImageFile(path);
    assert.equal(reader.detector, detector);
    assert.equal(reader.shape[0], 70);
  }
});

Deno.test("a failed write leaves what was appended publishable, the failed image can be retried", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, SMALL);
  appendTestImages(images, SMALL, 0, 40);
  const writeFrom = file.writeFrom.bind(file);
  file.writeFrom = (address, bytes, position): void => {
    writeFrom(address, bytes >> 1, position); // torn, then the disk is full
    throw new OsError("pwrite", 28, file.path);
  };
  for (let attempt = 0; attempt < 3; attempt++) {
    assert.throws(() => appendTestImages(images, SMALL, 40, 41), { code: "ENOSPC" });
    assert.equal(images.appendedImages, 40);
  }
  file.writeFrom = writeFrom;
  appendTestImages(images, SMALL, 40, 100);
  images.close();
  assertTestImages(folder.file(), SMALL, 100);
});

Deno.test("a failed publication loses no record: it is repeated before the next image", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, { ...SMALL, publishEvery: 8 });
  appendTestImages(images, SMALL, 0, 7);
  const writeAt = file.writeAt.bind(file);
  let left = 0;
  file.writeAt = (bytes, position): void => {
    if (left-- <= 0) throw new OsError("pwrite", 5, file.path);
    writeAt(bytes, position);
  };
  assert.throws(() => appendTestImages(images, SMALL, 7, 8), { code: "EIO" });
  assert.equal(images.appendedImages, 8);
  for (left = 0; images.publishedImages === 0; left++) {
    const writes = left;
    try {
      images.publish();
    } catch (error) {
      assert.ok(error instanceof OsError && error.code === "EIO");
      assertTestImages(folder.file(), SMALL, 0);
      assert.throws(() => appendTestImages(images, SMALL, 8, 9), { code: "EIO" });
      assert.equal(images.appendedImages, 8);
    }
    left = writes;
  }
  file.writeAt = writeAt;
  appendTestImages(images, SMALL, 8, 30);
  images.close();
  assertTestImages(folder.file(), SMALL, 30);
});

Deno.test("appendImage() does not take an image that was not whole all the time", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, SMALL);
  const append = (id: number, isIntact: () => boolean): boolean => {
    const bytes = new Uint8Array(testImage(id, 15).buffer);
    return images.appendImage({
      imageId: BigInt(id),
      status: 1 + id % 3,
      address: addressOf(bytes),
      bytes: bytes.byteLength,
      isIntact,
    });
  };
  let asked = 0;
  for (let id = 0; id < 40; id++) {
    assert.equal(append(99, () => ++asked < 0), false);
    assert.equal(images.appendedImages, id);
    assert.equal(append(id, () => true), true);
  }
  assert.equal(asked, 40);
  images.close();
  assertTestImages(folder.file(), SMALL, 40);
});
