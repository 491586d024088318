import assert from "node:assert/strict";
import {
  appendTestImages,
  compressed,
  createFile,
  SMALL,
  TestFolder,
  testImage,
} from "../hdf5/_testing.ts";
import {
  ArrayFile,
  type AttributeValue,
  ImageFile,
  type ImageFileOptions,
  MasterFile,
  readImageFile,
} from "../hdf5/mod.ts";
import { smallConfig, writeNexusFile } from "../nexus/_testing.ts";
import { imageInfoFields } from "../writer/mod.ts";
import { addressOf } from "../os/mod.ts";
import {
  checkFile,
  ConversionError,
  convertFile,
  describeImageIds,
  type FileCheckOptions,
  fileReportText,
  PixelCollector,
} from "./mod.ts";

const GOOD = {
  images_requested: 4n,
  images_written: 4n,
  images_written_incomplete: 0n,
  end_time: 7,
};

/** Writes images with ids and statuses; status 0 leaves the image out. */
function write(
  path: string,
  rows: [id: number, status: number][],
  attributes: Record<string, AttributeValue> = GOOD,
  change: Partial<ImageFileOptions> = {},
): void {
  using file = createFile(path);
  const options = { ...SMALL, ...change };
  const images = ImageFile.create(file, { ...options, attributes });
  rows.forEach(([id, status], row) => {
    const record = { imageId: BigInt(id), status };
    if (status === 0) return images.skipImage(record);
    const pixels = new Uint8Array(testImage(row, 15).buffer);
    images.appendImage({ ...record, address: addressOf(pixels), bytes: pixels.byteLength });
  });
  images.close();
}

/** The messages of a check, with their levels. */
async function problems(path: string, options: FileCheckOptions = {}): Promise<string[]> {
  const report = await checkFile(path, options);
  assert.equal(report.valid, !report.problems.some(({ level }) => level === "error"));
  return report.problems.map(({ level, message }) => `${level}: ${message}`);
}

Deno.test({
  name: "checkFile() warns of a file of root in another user's folder",
  ignore: Deno.uid() !== 0,
  async fn(): Promise<void> {
    using folder = new TestFolder();
    write(folder.file(), [[10, 1], [12, 1], [14, 1], [16, 1]]);
    assert.deepEqual(await problems(folder.file()), []);
    Deno.chownSync(folder.path, 65_534, 65_534);
    const [problem, ...others] = await problems(folder.file());
    assert.match(
      String(problem),
      /^warning: The file belongs to root, its folder to user 65534: set/,
    );
    Deno.chownSync(folder.file(), 65_534, 65_534);
    assert.deepEqual([others, await problems(folder.file())], [[], []]);
  },
});

Deno.test("checkFile() finds a whole file good, and tells of its images", async () => {
  using folder = new TestFolder();
  write(folder.file(), [[10, 1], [12, 1], [14, 1], [16, 1]]);
  const report = await checkFile(folder.file(), { pixels: "all" });
  assert.deepEqual(report, {
    file: folder.file(),
    valid: true,
    detector: "DET",
    format: "std-daq",
    compression: "none",
    shape: [4, 3, 5],
    pixel_type: "uint16",
    images: 4,
    images_requested: 4,
    closed: true,
    outcome: null,
    master_file: null,
    image_ids: {
      ...{
        first: 10n,
        last: 16n,
        step: 2,
        duplicates: 0,
        repeated: 0,
        descents: 0,
        missing: 0,
        gaps: [],
      },
    },
    statuses: { good: 4, missing_packets: 0, id_mismatch: 0, no_image: 0 },
    // Pixel i of image n is 31 n + 7 i + 1.
    pixels: { images_read: 4, of_images: 4, min: 1, max: 192, mean: 96.5, invalid: 0 },
    problems: [],
  });
  const text = fileReportText(report);
  assert.match(text, /^images {6}4 of 4$/m);
  assert.match(text, /^image ids {3}10 to 16, step 2$/m);
  assert.match(text, /\nok\n$/);
});

Deno.test("checkFile() names what a file lacks, and where it contradicts itself", async () => {
  using folder = new TestFolder();
  const cases: [rows: [number, number][], attributes: Record<string, AttributeValue>, string[]][] =
    [
      [[[1, 1], [2, 1]], { images_requested: 4n, end_time: 1 }, [
        "error: 2 images of 4 that were asked for.",
      ]],
      [
        [[1, 1], [3, 1]],
        { images_requested: 3n, images_missing: 1n, missing_image_ids: "2", end_time: 1 },
        ["error: 2 images of 3 that were asked for. 1 never came: 2."],
      ],
      [
        [[1, 1], [4, 1]],
        {
          ...{ images_requested: 0n, images_lost: 2n, lost_image_ids: "2-3", end_time: 1 },
          outcome: "ERROR: 2 images were lost.",
        },
        [
          "error: The run failed: ERROR: 2 images were lost.",
          "error: Images of the run are not on file. 2 were overwritten in the image ring: 2-3.",
        ],
      ],
      [[[1, 1]], { images_written: 2n }, [
        "error: The file was not closed: it is being written, or its writer died.",
        "error: The attribute images_written is 2, the file has 1.",
      ]],
      [[[1, 1], [2, 2], [3, 1], [5, 1], [9, 1]], { end_time: 1 }, [
        "warning: 4 image ids are missing, the first from 4 on.",
        "warning: Images that lack packets: 1.",
      ]],
      [[[1, 1], [1, 1], [2, 3], [1, 1]], { end_time: 1 }, [
        "error: 1 image ids come twice in a row.",
        "warning: Image ids go down 1 times: the detector restarted.",
        "error: 1 images are of modules with different ids.",
      ]],
      [[[1, 1], [2, 0], [3, 1]], { end_time: 1, images_written: 2n }, [
        "warning: 1 rows have no image: it was lost before it was on file.",
      ]],
      // A part of a run has what its writer got of it.
      [[[1, 1], [3, 1]], { images_requested: 4n, file_number: 0n, end_time: 1 }, []],
    ];
  for (const [i, [rows, attributes, expected]] of cases.entries()) {
    const path = folder.file(`${i}.h5`);
    write(path, rows, attributes);
    assert.deepEqual(await problems(path, { pixels: "none" }), expected);
  }
});

Deno.test("checkFile() takes a file that says nothing of itself, as the original's, as it is", async () => {
  using folder = new TestFolder();
  write(folder.file(), [[7, 1], [8, 1]], {});
  const report = await checkFile(folder.file());
  assert.deepEqual([report.valid, report.closed, report.problems], [true, null, []]);
  assert.match(fileReportText(report), /^closed {6}not said$/m);
});

Deno.test("checkFile() finds a damaged chunk, and reads no more than a sample unless it is told to", async () => {
  using folder = new TestFolder();
  {
    using file = createFile(folder.file());
    const options: ImageFileOptions = {
      ...{ ...SMALL, compression: "bitshuffle-lz4", attributes: { end_time: 1 } },
    };
    const images = ImageFile.create(file, options);
    for (let id = 0; id < 100; id++) {
      appendTestImages(images, options, id, id + 1);
      const { byteLength } = compressed(testImage(id, 15));
      if (id === 50) file.writeAt(new Uint8Array(12).fill(0xff), images.endBytes - byteLength);
    }
    images.close();
  }
  const sample = await checkFile(folder.file());
  assert.deepEqual([sample.pixels.images_read, sample.pixels.of_images], [16, 100]);
  assert.match(fileReportText(sample), / without a value \(read of 16 of 100 images\)$/m);
  const report = await checkFile(folder.file(), { pixels: "all" });
  assert.equal(report.pixels.images_read, 99);
  assert.match(report.problems[0]!.message, /^Image 50 cannot be read: /);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(checkFile(folder.file(), { signal }), /enough/);
});

Deno.test("checkFile() checks NeXus files, too", async () => {
  using folder = new TestFolder();
  const options = { attributes: { end_time: 1, NX_class: "NXcollection" } };
  writeNexusFile(folder.file(), smallConfig(), { options });
  const report = await checkFile(folder.file());
  assert.deepEqual([report.format, report.problems], ["both", []]);
  writeNexusFile(folder.file("b.h5"), smallConfig({ nexus: {} }), { format: "nexus", options });
  const bare = await checkFile(folder.file("b.h5"));
  assert.deepEqual([bare.format, bare.valid], ["nexus", false]);
  assert.ok(
    bare.problems.some(({ message }) =>
      message === "NXmx: /entry/instrument/detector/sensor_material is missing (required)."
    ),
  );
});

Deno.test("describeImageIds() finds gaps whatever the step, and lists the first", () => {
  const ids = (...values: number[]): BigUint64Array => BigUint64Array.from(values, BigInt);
  assert.deepEqual(describeImageIds(ids()).first, null);
  assert.equal(describeImageIds(ids(5)).step, null);
  assert.deepEqual(describeImageIds(ids(0, 10, 20, 50, 60)).gaps, [[30n, 40n]]);
  const many = describeImageIds(BigUint64Array.from({ length: 1000 }, (_, i) => {
    return BigInt(i + Math.floor(i / 10));
  }));
  assert.deepEqual([many.missing, many.gaps.length, many.gaps[0]], [99, 20, [10n, 10n]]);
});

Deno.test("PixelCollector knows values that are none, of every type", () => {
  const cases = [
    [Uint8Array.of(1, 3), [1, 3, 2, 0]],
    [Uint32Array.of(1, 2 ** 32 - 1), [1, 2 ** 32 - 1, 2 ** 31, 0]],
    [Int16Array.of(-1, 3, -32768), [-1, 3, 1, 1]],
    [Int32Array.of(-2147483648), [null, null, null, 1]],
    [Float32Array.of(NaN, -0.5, 1.5), [-0.5, 1.5, 0.5, 1]],
  ] as const;
  for (const [pixels, expected] of cases) {
    const collector = new PixelCollector();
    collector.add(pixels);
    const { min, max, mean, invalid } = collector.statistics;
    assert.deepEqual([min, max, mean, invalid], expected);
  }
});

Deno.test("convertFile() shows a file's images in another format, there and back", () => {
  using folder = new TestFolder();
  const config = smallConfig();
  const info = imageInfoFields(config.detector_type);
  {
    using file = createFile(folder.file("a.h5"));
    const images = ImageFile.create(file, {
      ...{ detector: "GF", height: 8, width: 24, pixelType: "uint16", expectedImages: 2, info },
      attributes: {
        config: JSON.stringify(config),
        run_id: 7n,
        start_time: 1e9,
        end_time: 1e9 + 1,
      },
    });
    for (const id of [1, 2]) {
      const pixels = new Uint16Array(192).fill(id);
      const record = { imageId: BigInt(id), status: 1, info: Object.keys(info).map(() => id) };
      images.appendImage({ ...record, address: addressOf(pixels), bytes: pixels.byteLength });
    }
    images.close();
  }
  const convert = (from: string, to: string, format: "std-daq" | "nexus" | "both"): void =>
    convertFile({
      ...{ from: folder.file(from), to: folder.file(to), format, software: "std-daq test" },
      createFile,
    });
  convert("a.h5", "b.h5", "nexus");
  convert("b.h5", "c.h5", "std-daq");
  convert("a.h5", "d.h5", "both");
  for (const name of ["b.h5", "c.h5", "d.h5"]) {
    using reader = readImageFile(folder.file(name));
    assert.deepEqual([...reader.imageIds()], [1n, 2n], name);
    assert.equal(reader.image(1)[191], 2);
    assert.equal([...reader.imageInfo()][1]?.["scan_id"], 2);
    assert.equal(reader.attributes()["run_id"], 7n);
    assert.equal(reader.attributes()["NX_class"], name === "c.h5" ? undefined : "NXcollection");
    assert.ok(Deno.statSync(folder.file(name)).size < 250_000);
    assert.equal(reader.attributes()["start_time_units"], "s");
    using file = new ArrayFile(folder.file(name));
    assert.equal(file.attributes(`${reader.group}/data`)["units"], "ADU");
    assert.equal(file.attributes(`${reader.group}/image_info`)["scan_time_units"], "ticks");
  }
  assert.throws(() => convert("a.h5", "b.h5", "both"), { code: "EEXIST" });
  assert.throws(() => convert("a.h5", "../elsewhere.h5", "both"), ConversionError);
  write(folder.file("bare.h5"), [[1, 1]]);
  assert.throws(() => convert("bare.h5", "e.h5", "both"), /holds no config of its detector/);
});

Deno.test("convertFile() copies the images of all parts, compressed as they are, and leaves lost ones out", () => {
  using folder = new TestFolder();
  using away = new TestFolder();
  const config = smallConfig();
  const shape = { detector: "GF", height: 8, width: 24, pixelType: "uint16" } as const;
  const attributes = { config: JSON.stringify(config), end_time: 1e9 };
  for (const number of [0, 1]) {
    using file = createFile(folder.file(`run${number}.h5`));
    const compression = "bitshuffle-lz4";
    const images = ImageFile.create(file, { ...shape, attributes, expectedImages: 2, compression });
    for (const id of [1 + number, 3 + number]) {
      const pixels = new Uint16Array(192).fill(id);
      const plain = new Uint8Array(pixels.buffer);
      const isPlain = id === 2, bytes = isPlain ? plain : compressed(pixels);
      const image = { address: addressOf(bytes), bytes: bytes.byteLength, compressed: !isPlain };
      if (id === 3) images.skipImage({ imageId: 3n, status: 0 });
      else images.appendImage({ imageId: BigInt(id), status: 1, ...image });
    }
    images.close();
  }
  {
    using file = createFile(folder.file("run.h5"));
    const parts = [0, 1].map((i) => ({ file: `run${i}.h5`, firstImage: i, step: 2 }));
    MasterFile.create(file, { ...shape, attributes, parts }).close();
  }
  convertFile({
    ...{ from: folder.file("run.h5"), to: away.file("copy.h5"), format: "nexus", copy: true },
    ...{ software: "std-daq test", createFile },
  });
  using copy = readImageFile(away.file("copy.h5"));
  assert.deepEqual([copy.compression, copy.parts], ["bitshuffle-lz4", undefined]);
  assert.deepEqual([...copy.imageIds()], [1n, 2n, 3n, 4n]);
  assert.deepEqual([...copy.statuses()], [1n, 1n, 0n, 1n]);
  [1, 2, 0, 4].forEach((value, row) =>
    assert.ok(copy.image(row).every((pixel) => pixel === value))
  );
});

Deno.test("checkFile() takes the rows that a part of a master file lacks for no image ids", async () => {
  using folder = new TestFolder();
  const parts: [file: string, ids: number[]][] = [["run0.h5", [4]], ["run1.h5", [5, 7]]];
  for (const [name, ids] of parts) {
    write(folder.file(name), ids.map((id) => [id, 1]), { end_time: 1, file_number: 0n });
  }
  {
    using file = createFile(folder.file("run.h5"));
    const { detector, height, width, pixelType } = SMALL;
    MasterFile.create(file, {
      ...{ detector, height, width, pixelType, attributes: { end_time: 1 } },
      parts: parts.map(([file], i) => ({ file, firstImage: i, step: 2 })),
    }).close();
  }
  const { images, shape, image_ids: ids } = await checkFile(folder.file("run.h5"));
  assert.deepEqual([images, shape[0]], [3, 4]);
  assert.deepEqual([ids.first, ids.last, ids.descents, ids.duplicates], [4n, 7n, 0, 0]);
  assert.deepEqual(ids.gaps, [[6n, 6n]]);
  assert.deepEqual(await problems(folder.file("run.h5")), [
    "warning: 1 image ids are missing, the first from 6 on.",
    "warning: 1 rows have no image: it was lost before it was on file.",
  ]);
});

/** Writes images with their ids, the detector's numbers and the times of their first packets. */
function writeNumbered(
  path: string,
  rows: readonly { id: number; frame: number; time?: number }[],
): void {
  const info = imageInfoFields("eiger");
  using file = createFile(path);
  const images = ImageFile.create(file, { ...SMALL, info, attributes: { end_time: 1 } });
  const pixels = new Uint8Array(testImage(0, 15).buffer);
  for (const { id, frame, time = 0 } of rows) {
    const values: Record<string, number> = { frame_index: frame, first_packet_ns: time };
    images.appendImage({
      ...{
        imageId: BigInt(id),
        status: 1,
        info: Object.keys(info).map((name) => values[name] ?? 0),
      },
      ...{ address: addressOf(pixels), bytes: pixels.byteLength },
    });
  }
  images.close();
}

Deno.test("checkFile() tells loss from ids that count in steps by the detector's own numbers", async () => {
  using folder = new TestFolder();
  const ids = async (step: number, frames: readonly number[]): Promise<unknown> => {
    const path = folder.file(`${step}_${frames.length}.h5`);
    writeNumbered(path, frames.map((frame) => ({ id: step * (frame + 1), frame })));
    const { image_ids: { step: said, missing, gaps } } = await checkFile(path, { pixels: "none" });
    return [said, missing, gaps];
  };
  assert.deepEqual(await ids(1, [10, 12, 14, 16]), [1, 3, [[12n, 12n], [14n, 14n], [16n, 16n]]]);
  assert.deepEqual(await ids(100, [10, 11, 12, 13]), [100, 0, []], "bunch ids");
  assert.deepEqual(await ids(100, [10, 12, 14]), [100, 2, [[1200n, 1200n], [1400n, 1400n]]]);
  assert.deepEqual(await ids(2, [0, 0, 0, 0, 0]), [null, 0, []], "no numbers, one id");
});

Deno.test("checkFile() tells images that are there twice from those of a detector that counts anew", async () => {
  using folder = new TestFolder();
  const rows = [1, 2, 3, 1, 2].map((id) => ({ id, frame: id }));
  writeNumbered(folder.file("twice.h5"), rows.map((row) => ({ ...row, time: 1000 + row.id })));
  const twice = await problems(folder.file("twice.h5"), { pixels: "none" });
  assert.ok(twice[0]?.startsWith("error: 2 images are in the file twice"), twice.join());
  writeNumbered(folder.file("anew.h5"), rows.map((row, i) => ({ ...row, time: 1000 + i })));
  assert.deepEqual(await problems(folder.file("anew.h5"), { pixels: "none" }), [
    "warning: Image ids go down 1 times: the detector restarted.",
  ]);
});

Deno.test("a full file of several says which one tells how the run ended", async () => {
  using folder = new TestFolder();
  write(folder.file(), [[1, 1]], { end_time: 1, file_number: 0n, master_file: "run.h5" });
  const text = fileReportText(await checkFile(folder.file()));
  assert.match(text, /^closed {6}yes; run\.h5 tells how the run ended$/m);
});

Deno.test("a run of more files than a process may open is read, a few files at a time", async () => {
  using folder = new TestFolder();
  const parts = Array.from({ length: 150 }, (_, i) => `run${i}.h5`);
  write(folder.file(parts[0]), [[5, 1], [5 + parts.length, 1]], { end_time: 1 });
  // Ids would come again: all files are the first one's.
  for (const part of parts.slice(1)) Deno.linkSync(folder.file(parts[0]), folder.file(part));
  {
    using file = createFile(folder.file("run.h5"));
    const { detector, height, width, pixelType } = SMALL;
    MasterFile.create(file, {
      ...{ detector, height, width, pixelType, attributes: { end_time: 1 } },
      parts: parts.map((file, i) => ({ file, firstImage: i, step: parts.length })),
    }).close();
  }
  const program = `import { checkFile } from "${new URL("./mod.ts", import.meta.url)}";
    const { shape, images, pixels } = await checkFile("${folder.file("run.h5")}");
    console.log(JSON.stringify([shape, images, pixels.images_read]));`;
  const script = folder.file("check.ts");
  Deno.writeTextFileSync(script, program);
  const command = 'ulimit -n 100; exec "$0" run --no-check --quiet -A --config "$1" "$2"';
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const { stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", command, Deno.execPath(), config, script],
  }).output();
  const said = new TextDecoder().decode(stdout).trim();
  assert.equal(said, "[[300,3,5],300,16]", new TextDecoder().decode(stderr));
});

Deno.test("convertFile() keeps what the request told of the experiment, below what it is told itself", () => {
  using folder = new TestFolder();
  const config = smallConfig();
  const source = (name: string, request: string): string => {
    const attributes = { config: JSON.stringify(config), end_time: 1e9, request };
    writeNexusFile(folder.file(name), config, { options: { attributes } });
    return folder.file(name);
  };
  const convert = (from: string, to: string, nexus?: string): void =>
    convertFile({
      ...{ from, to: folder.file(to), format: "nexus", software: "std-daq test", nexus },
      createFile,
    });
  const text = (name: string, path: string): string | undefined => {
    using file = new ArrayFile(folder.file(name));
    return file.text(`/entry/${path}`);
  };
  const asked = { sample: { name: "asked for" }, source: { name: "asked for" } };
  const from = source("a.h5", JSON.stringify({ n_images: 1, nexus: asked }));
  convert(from, "b.h5", JSON.stringify({ sample: { name: "told" } }));
  assert.equal(text("b.h5", "sample/name"), "told");
  assert.equal(text("b.h5", "source/name"), "asked for");
  assert.equal(text("b.h5", "instrument/name"), config.nexus?.instrument?.name);
  convert(source("c.h5", '{"n_images":1}'), "d.h5");
  assert.equal(text("d.h5", "sample/name"), config.nexus?.sample?.name);
  for (
    const [request, reason] of [
      ["no JSON", /attribute request of .*SyntaxError/],
      ['{"nexus":{"sample":{"name":7}}}', /nexus\.sample\.name: expected a text of 1 to/],
    ] as const
  ) {
    const wrong = source(`${request.length}.h5`, request);
    assert.throws(() => convert(wrong, "e.h5"), (error) => {
      assert.ok(error instanceof ConversionError);
      assert.match(error.message, reason);
      return true;
    });
  }
});

Deno.test("convertFile() makes another master file of a master file, of compressed images, too", async () => {
  using folder = new TestFolder();
  const options: ImageFileOptions = {
    ...{ ...SMALL, detector: "GF", height: 8, width: 24, compression: "bitshuffle-lz4" },
    attributes: { config: JSON.stringify(smallConfig()), end_time: 1e9 },
  };
  for (const part of [0, 1]) {
    using file = createFile(folder.file(`run${part}.h5`));
    const images = ImageFile.create(file, options);
    for (const id of [part, part + 2]) appendTestImages(images, options, id, id + 1);
    images.close();
  }
  {
    using file = createFile(folder.file("run.h5"));
    const { detector, height, width, pixelType, attributes } = options;
    MasterFile.create(file, {
      ...{ detector, height, width, pixelType, attributes },
      parts: [0, 1].map((i) => ({ file: `run${i}.h5`, firstImage: i, step: 2 })),
    }).close();
  }
  convertFile({
    ...{ from: folder.file("run.h5"), to: folder.file("nexus.h5"), format: "nexus" },
    ...{ software: "std-daq test", createFile },
  });
  for (const name of ["run.h5", "nexus.h5"]) {
    using reader = readImageFile(folder.file(name));
    for (const id of [0, 1, 2, 3]) assert.deepEqual(reader.image(id), testImage(id, 192));
    const { pixels, compression } = await checkFile(folder.file(name), { pixels: "all" });
    assert.deepEqual([pixels.images_read, pixels.min], [4, 1]);
    assert.equal(compression, "bitshuffle-lz4");
  }
  // A part that is not there, and one that is shorter, read as 0.
  await Deno.remove(folder.file("run1.h5"));
  using reader = readImageFile(folder.file("run.h5"));
  assert.equal(reader.image(0)[0], 1);
  assert.equal(reader.image(1)[0], 0);
  const { pixels } = await checkFile(folder.file("run.h5"), { pixels: "all" });
  assert.deepEqual([pixels.images_read, pixels.min], [2, 1]); // these are no pixels of 0
});
