/**
 * Our image files in other hands: h5py, h5dump, a SIGKILL, a full disk.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { addressOf, File } from "../../lib/os/mod.ts";
import { ImageFile, type ImageFileOptions, MasterFile, readImageFile } from "../../lib/hdf5/mod.ts";
import { appendTestImages, compressed } from "../../lib/hdf5/_testing.ts";
import { imageUnits } from "../../lib/nexus/mod.ts";
import { appendPatternImage } from "./h5_images.ts";

const PYTHON = "/usr/bin/python3";
const here = (name: string): string => new URL(name, import.meta.url).pathname;
const WRITER = here("h5_writer.ts");
const KILLS = 20;

function works(command: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

const hasH5py = works(PYTHON, "-c", "import h5py");
const hasH5dump = works("h5dump", "--version");
/** Folder of the plugin that reads filter 32008, where a program of the system finds it; undefined: none. */
const PLUGINS = [
  ...(Deno.env.get("HDF5_PLUGIN_PATH")?.split(":") ?? []),
  `/usr/lib/${Deno.build.arch}-linux-gnu/hdf5/serial/plugins`,
  "/usr/local/hdf5/lib/plugin",
].find((folder) => works("sh", "-c", 'ls "$0"/*bshuf*', folder));
const canMount = works("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt");

function run(command: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  const text = new TextDecoder();
  assert.ok(success, `${command} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

interface Verified {
  error?: string;
  images: number;
  records: number;
  attributes: Record<string, unknown>;
}

function lines<T>(output: string): T[] {
  return output.trim().split("\n").map((line): T => JSON.parse(line));
}

/** Checks files with h5py; fails on the first that is wrong. */
function verify(...paths: string[]): Verified[] {
  if (paths.length === 0) return [];
  const results = lines<Verified>(run(PYTHON, here("h5_verify.py"), ...paths));
  assert.deepEqual(results.flatMap(({ error }) => error ?? []), []);
  assert.equal(results.length, paths.length);
  return results;
}

function withFolder(use: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: `std_daq_h5_${Deno.pid}_` });
  try {
    use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const OPTIONS: ImageFileOptions = {
  detector: "DET",
  height: 9,
  width: 14,
  pixelType: "uint16",
  expectedImages: 0,
  attributes: {},
};

/** Writes `n` images, from `first` on in steps, of the pattern that h5_verify.py knows. */
function write(path: string, options: ImageFileOptions, n: number, first = 0, step = 1): void {
  using file = File.open(path, { write: true, create: "exclusive" });
  const images = ImageFile.create(file, options);
  for (let id = first, i = 0; i < n; id += step, i++) appendPatternImage(images, id, options);
  images.setCounters(Object.fromEntries((options.counters ?? []).map((name) => [name, 42n])));
  images.close({ attributes: { end: "Ende gut: ü" } });
}

Deno.test({
  name: "h5py finds the names, types and shapes of the original's files",
  ignore: !hasH5py,
  fn: () =>
    withFolder((folder) => {
      const path = `${folder}/images.h5`;
      const pixels = new Uint16Array(514 * 1030).map((_, i) => i * 3);
      {
        using file = File.open(path, { write: true, create: "exclusive" });
        const datasetAttributes = imageUnits("jungfrau-raw", "uint16"); // ours, and in nobody's way
        const options = {
          ...{ ...OPTIONS, height: 514, width: 1030, expectedImages: 3, datasetAttributes },
        };
        const images = ImageFile.create(file, options);
        for (const id of [200n, 201n, 202n]) {
          images.appendImage({
            imageId: id,
            status: 1,
            address: addressOf(pixels),
            bytes: pixels.byteLength,
          });
        }
        images.close();
      }
      const sha256 = createHash("sha256");
      for (let i = 0; i < 3; i++) sha256.update(new Uint8Array(pixels.buffer));
      const records = new BigUint64Array([200n, 1n, 201n, 1n, 202n, 1n]);
      // What h5py says of a file of the original writer, but for its metadata chunks of 131072.
      assert.deepEqual(JSON.parse(run(PYTHON, here("h5_describe.py"), path)), {
        groups: { DET: ["data", "metadata"] },
        attributes: {},
        datasets: {
          "DET/data": {
            dtype: "<u2",
            shape: [3, 514, 1030],
            maxshape: [null, 514, 1030],
            chunks: [1, 514, 1030],
            filters: 0,
            chunk_count: 3,
            sha256: sha256.digest("hex"),
          },
          "DET/metadata": {
            dtype: "[('image_id', '<u8'), ('status', '<u8')]",
            shape: [3],
            maxshape: [null],
            chunks: [1024],
            filters: 0,
            chunk_count: 1,
            sha256: createHash("sha256").update(new Uint8Array(records.buffer)).digest("hex"),
          },
        },
      });
    }),
});

Deno.test({
  name: "h5py reads compressed images, of each pixel type, through the filter plugin",
  ignore: !hasH5py,
  fn: () =>
    withFolder((folder) => {
      const path = `${folder}/long.h5`;
      write(path, { ...OPTIONS, compression: "bitshuffle-lz4" }, 5000);
      assert.equal(verify(path)[0]!.images, 5000);
      for (
        const pixels of [
          Uint8Array.from({ length: 4000 }, (_, i) => i % 7),
          Uint16Array.from({ length: 4000 }, (_, i) => i * i),
          Uint32Array.from({ length: 4000 }, (_, i) => i % 9 * 100_000),
          Float32Array.from({ length: 4000 }, (_, i) => Math.sqrt(i % 11)),
        ]
      ) {
        const pixelType = ({ 1: "uint8", 2: "uint16", 4: "uint32" } as const)[
          pixels.BYTES_PER_ELEMENT
        ]!;
        const type = pixels instanceof Float32Array ? "float32" : pixelType;
        const one = `${folder}/${type}.h5`;
        using file = File.open(one, { write: true, create: "exclusive" });
        const images = ImageFile.create(file, {
          ...OPTIONS,
          height: 40,
          width: 100,
          pixelType: type,
          compression: "bitshuffle-lz4",
        });
        const chunk = compressed(pixels);
        const image = { address: addressOf(chunk), bytes: chunk.byteLength };
        images.appendImage({ imageId: 1n, status: 1, ...image });
        images.skipImage({ imageId: 2n, status: 0 });
        images.appendImage({ imageId: 3n, status: 1, ...image });
        images.close();
        const { datasets } = JSON.parse(run(PYTHON, here("h5_describe.py"), one));
        const { shape, chunks, filters, chunk_count, sha256 } = datasets["DET/data"];
        assert.deepEqual({ shape, chunks, filters, chunk_count }, {
          ...{ shape: [3, 40, 100], chunks: [1, 40, 100], filters: 1, chunk_count: 2 },
        });
        const content = createHash("sha256").update(new Uint8Array(pixels.buffer))
          .update(new Uint8Array(pixels.byteLength)).update(new Uint8Array(pixels.buffer));
        assert.equal(sha256, content.digest("hex"), type);
      }
    }),
});

interface Master {
  shape: number[];
  first_pixels: number[];
  records: [number, number][];
  attributes: Record<string, string>;
  sources: [file: string, dataset: string, first: number, step: number][];
  same_bytes: boolean;
}

Deno.test({
  name: "h5py and h5dump read all images in order through a master file, as the library encodes it",
  ignore: !hasH5py || !hasH5dump,
  fn: () =>
    withFolder((folder) => {
      const master = `${folder}/run.h5`;
      // Two writers, three images per file; 14 images, written file by file.
      const parts = [0, 1, 6, 7, 12, 13].map((firstImage, i) => ({
        ...{ file: `run${i}.h5`, firstImage, step: 2 },
      }));
      {
        using file = File.open(master, { write: true, create: "exclusive" });
        const { detector, height, width, pixelType } = OPTIONS;
        const shape = { detector, height, width, pixelType };
        MasterFile.create(file, { ...shape, parts, attributes: { run_id: 7n } }).close();
      }
      const read = (): Master => JSON.parse(run(PYTHON, here("h5_master.py"), master));
      assert.deepEqual(read().shape, [0, OPTIONS.height, OPTIONS.width]);
      const options: ImageFileOptions = { ...OPTIONS, compression: "bitshuffle-lz4" };
      parts.forEach(({ file, firstImage }, i) => {
        const left = Math.ceil((14 - firstImage) / 2);
        write(`${folder}/${file}`, options, Math.min(3, left), firstImage, 2);
        const shown = read();
        const images = i % 2 === 0 ? [5, 11, 13][i / 2]! : [6, 12, 14][(i - 1) / 2]!;
        assert.deepEqual(shown.first_pixels.length, images);
        assert.ok(shown.same_bytes, "the mappings are encoded as the library does");
      });
      const { first_pixels, records, attributes, sources } = read();
      assert.deepEqual(first_pixels, Array.from({ length: 14 }, (_, id) => id * 31 + 1));
      assert.deepEqual(records, Array.from({ length: 14 }, (_, id) => [id, 1 + id % 3]));
      assert.deepEqual(attributes, { run_id: "7" });
      assert.deepEqual(sources[5], ["run5.h5", "/DET/data", 13, 2]);
      const dumped = run("h5dump", "-d", "/DET/metadata", master);
      assert.equal(dumped.match(/\{\s+\d+,/g)?.length, 14, dumped);
    }),
});

/** The pixels of a dataset as h5dump prints them. */
function dumpedPixels(path: string): number[] {
  const dumped = run("env", `HDF5_PLUGIN_PATH=${PLUGINS ?? ""}`, "h5dump", "-d", "/DET/data", path);
  const { pixels } = /DATA \{(?<pixels>[^}]*)\}/.exec(dumped)?.groups ?? {};
  assert.ok(pixels !== undefined);
  return pixels.replaceAll(/\(\d+,\d+,\d+\):/g, "").split(",").map(Number);
}

/** All pixels of so many images of the tests' pattern. */
function patternPixels(images: number): number[] {
  const size = OPTIONS.height * OPTIONS.width;
  return Array.from(
    { length: images * size },
    (_, i) => (Math.floor(i / size) * 31 + i % size * 7 + 1) % 65_536,
  );
}

Deno.test({
  name: "h5dump prints the pixels of a master file, in the run's order",
  ignore: !hasH5dump,
  fn: () =>
    withFolder((folder) => {
      const master = `${folder}/run.h5`;
      {
        using file = File.open(master, { write: true, create: "exclusive" });
        const { detector, height, width, pixelType } = OPTIONS;
        const parts = [0, 1].map((i) => ({ file: `run${i}.h5`, firstImage: i, step: 2 }));
        const shape = { detector, height, width, pixelType };
        MasterFile.create(file, { ...shape, parts, attributes: {} }).close();
      }
      for (const i of [0, 1]) write(`${folder}/run${i}.h5`, OPTIONS, 3, i, 2);
      assert.deepEqual(dumpedPixels(master), patternPixels(6));
    }),
});

Deno.test({
  name: "h5dump prints the pixels of compressed images, through the filter plugin",
  ignore: !hasH5dump || PLUGINS === undefined,
  fn: () =>
    withFolder((folder) => {
      const path = `${folder}/images.h5`;
      write(path, { ...OPTIONS, compression: "bitshuffle-lz4" }, 3);
      assert.deepEqual(dumpedPixels(path), patternPixels(3));
    }),
});

Deno.test({
  name: "h5py reads every pixel type",
  ignore: !hasH5py,
  fn: () =>
    withFolder((folder) => {
      const cases = [
        ["uint8", "|u1", new Uint8Array([0, 1, 254, 255])],
        ["uint16", "<u2", new Uint16Array([0, 1, 65534, 65535])],
        ["uint32", "<u4", new Uint32Array([0, 1, 2 ** 32 - 2, 2 ** 32 - 1])],
        ["int16", "<i2", new Int16Array([-32768, -1, 0, 32767])],
        ["int32", "<i4", new Int32Array([-(2 ** 31), -1, 0, 2 ** 31 - 1])],
        ["float32", "<f4", new Float32Array([-0.5, NaN, 1e-42, Infinity])],
      ] as const;
      for (const [pixelType, dtype, pixels] of cases) {
        const path = `${folder}/${pixelType}.h5`;
        using file = File.open(path, { write: true, create: "exclusive" });
        const images = ImageFile.create(file, { ...OPTIONS, height: 2, width: 2, pixelType });
        const bytes = new Uint8Array(pixels.buffer);
        images.appendImage({
          imageId: 1n,
          status: 1,
          address: addressOf(bytes),
          bytes: bytes.byteLength,
        });
        images.close();
        const { datasets } = JSON.parse(run(PYTHON, here("h5_describe.py"), path));
        assert.equal(datasets["DET/data"].dtype, dtype);
        assert.equal(
          datasets["DET/data"].sha256,
          createHash("sha256").update(bytes).digest("hex"),
        );
      }
    }),
});

Deno.test({
  name: "h5py reads attributes: counters as uint64, numbers as float64, texts as UTF-8",
  ignore: !hasH5py,
  fn: () =>
    withFolder((folder) => {
      const path = `${folder}/images.h5`;
      const attributes = { exposure: 0.5, run: 7n, offset: -7n, missing: "" };
      write(path, { ...OPTIONS, attributes, counters: ["lost"] }, 2);
      const described = JSON.parse(run(PYTHON, here("h5_describe.py"), path));
      assert.deepEqual(described.attributes.lost, ["uint64", "42"]);
      assert.deepEqual(described.attributes.exposure, ["float64", "0.5"]);
      assert.deepEqual(described.attributes.run, ["uint64", "7"]);
      assert.deepEqual(described.attributes.offset, ["int64", "-7"]);
      const texts = verify(path)[0]!.attributes;
      assert.deepEqual([texts["end"], texts["missing"]], ["Ende gut: ü", ""]);
      if (hasH5dump) assert.match(run("h5dump", "-a", "/DET/missing", path), /\(0\): ""/);
    }),
});

Deno.test({
  name:
    "h5py reads empty, long (three index levels, two metadata chunks) and large (> 4 GiB) files",
  ignore: !hasH5py,
  fn: () =>
    withFolder((folder) => {
      const path = (name: string): string => `${folder}/${name}.h5`;
      const small = { ...OPTIONS, height: 1, width: 3, alignBytes: 8 };
      write(path("empty"), small, 0);
      write(path("long"), small, 20_000);
      write(path("large"), { ...OPTIONS, alignBytes: 64 * 2 ** 20, preallocate: false }, 100);
      assert.ok(Deno.statSync(path("large")).size > 2 ** 32);
      const counts = verify(path("empty"), path("long"), path("large")).map((file) => file.images);
      assert.deepEqual(counts, [0, 20_000, 100]);
    }),
});

Deno.test({
  name:
    "h5py reads compressed images beyond 4 GiB, with image_info, and a master file of two such files",
  ignore: !hasH5py,
  fn: () =>
    withFolder((folder) => {
      const master = `${folder}/run.h5`, compression = "bitshuffle-lz4", step = 2, images = 70;
      const info = { missing_packets: "uint32", complete_ns: "uint64" } as const;
      const parts = [0, 1].map((firstImage) => ({ file: `run${firstImage}.h5`, firstImage, step }));
      const { detector, height, width, pixelType } = OPTIONS;
      {
        using file = File.open(master, { write: true, create: "exclusive" });
        const shape = { detector, height, width, pixelType, info };
        MasterFile.create(file, { ...shape, parts, attributes: {} }).close();
      }
      for (const { file: name, firstImage } of parts) {
        using file = File.open(`${folder}/${name}`, { write: true, create: "exclusive" });
        const attributes = { first_image: BigInt(firstImage), image_step: BigInt(step) };
        const sparse = { alignBytes: 64 * 2 ** 20, preallocate: false };
        const options = { ...OPTIONS, ...sparse, compression, info, attributes } as const;
        const writer = ImageFile.create(file, options);
        for (let id = firstImage; id < step * images; id += step) {
          appendTestImages(writer, options, id, id + 1);
        }
        writer.close();
        assert.ok(file.size() > 2 ** 32);
      }
      const counts = verify(...parts.map(({ file }) => `${folder}/${file}`), master)
        .map((file) => file.images);
      assert.deepEqual(counts, [images, images, step * images]);
    }),
});

/** Checks the image ids of a whole file, and images at and around the borders of its index's nodes. */
const SPOT_CHECK = `
import sys, h5py, numpy as np
with h5py.File(sys.argv[1]) as file:
    data, ids = file["DET/data"], file["DET/metadata"]["image_id"]
    assert (ids == np.arange(len(ids))).all() and len(ids) == len(data)
    borders = [64**level * k + d for level in (1, 2, 3) for k in (1, 2, 3) for d in (-1, 0, 1)]
    for i in [0, *borders, len(data) - 1]:
        expected = (i * 31 + np.arange(3) * 7 + 1).astype(np.uint16)
        assert (data[i].ravel() == expected).all(), f"image {i}"
    print(len(data))
`;

Deno.test({
  name: "h5py reads a file of more than a million images (four index levels)",
  ignore: !hasH5py,
  fn: () =>
    withFolder((folder) => {
      const path = `${folder}/million.h5`;
      const small = { height: 1, width: 3, alignBytes: 8, publishEvery: 4096 };
      const n = 1_000_003;
      {
        using file = File.open(path, { write: true, create: "exclusive" });
        const images = ImageFile.create(file, { ...OPTIONS, ...small });
        const pixels = new Uint16Array(3);
        const image = { address: addressOf(pixels), bytes: pixels.byteLength };
        for (let id = 0; id < n; id++) {
          for (let i = 0; i < 3; i++) pixels[i] = id * 31 + i * 7 + 1;
          images.appendImage({ imageId: BigInt(id), status: 1, ...image });
        }
        images.close();
      }
      assert.equal(run(PYTHON, "-c", SPOT_CHECK, path).trim(), `${n}`);
    }),
});

Deno.test({
  name: "h5py can extend and annotate a finished file",
  ignore: !hasH5py,
  fn: () =>
    withFolder((folder) => {
      const path = `${folder}/images.h5`;
      write(path, { ...OPTIONS, counters: ["good"] }, 150);
      run(PYTHON, here("h5_extend.py"), path);
      assert.equal(verify(path)[0]!.images, 150);
      using reader = readImageFile(path);
      assert.deepEqual([...reader.datasets].sort(), ["DET/average", "DET/data", "DET/metadata"]);
      assert.equal(reader.attributes()["good"], 42n);
    }),
});

Deno.test({
  name: "h5dump accepts files of 0, 1, 65 and 5000 images",
  ignore: !hasH5dump,
  fn: () =>
    withFolder((folder) => {
      for (const n of [0, 1, 65, 5000]) {
        const path = `${folder}/${n}.h5`;
        write(path, { ...OPTIONS, height: 1, width: 2, counters: ["good"] }, n);
        const header = run("h5dump", "-H", "-A", path);
        assert.ok(header.includes(`( ${n}, 1, 2 ) / ( H5S_UNLIMITED, 1, 2 )`), header);
        assert.equal(run("h5dump", "-d", "/DET/data", path).match(/\(\d+,0,0\):/g)?.length ?? 0, n);
      }
    }),
});

/** Starts the writer, waits until it says "ready", kills it at a random moment after that. */
async function writeAndKill(mode: string, path: string, withinMs: number): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", WRITER, mode, path],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  try {
    const reader = child.stdout.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "ready\n");
    reader.releaseLock();
    await new Promise((resolve) => setTimeout(resolve, Math.random() * withinMs));
  } finally {
    child.kill("SIGKILL");
    await child.stdout.cancel();
    await child.status;
  }
}

for (
  const [what, mode, kills] of [["", "append", KILLS], [
    "compressed ",
    "compress",
    KILLS / 2,
  ]] as const
) {
  Deno.test({
    name: `a ${what}file whose writer is killed at random opens in h5py, ${kills} times`,
    ignore: !hasH5py,
    fn: async () => {
      const folder = Deno.makeTempDirSync({ prefix: `std_daq_h5_${Deno.pid}_` });
      try {
        const paths = Array.from({ length: kills }, (_, i) => `${folder}/${i}.h5`);
        for (const path of paths) await writeAndKill(mode, path, 40);
        const images = verify(...paths).map((file) => file.images);
        assert.ok(images.some((n) => n > 64), `images per file: ${images}`);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

Deno.test({
  name: "files open in h5py when the writer is killed while it creates and closes them",
  ignore: !hasH5py,
  fn: async () => {
    const folder = Deno.makeTempDirSync({ prefix: `std_daq_h5_${Deno.pid}_` });
    try {
      for (let kill = 0; kill < 6; kill++) {
        const own = `${folder}/${kill}`;
        Deno.mkdirSync(own);
        await writeAndKill("files", own, 200);
        const names = [...Deno.readDirSync(own)].map(({ name }) => name);
        const count = names.filter((name) => !name.startsWith(".")).length;
        const files = verify(...Array.from({ length: count }, (_, n) => `${own}/${n}.h5`));
        // All but the one in work are complete.
        files.slice(0, -1).forEach((file, n) => {
          assert.equal(file.images, 5 * (n % 30));
          assert.deepEqual(file.attributes, {
            start: "now",
            end: "then",
            good: file.images,
            lost: 0,
          });
        });
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

interface Filled {
  code: string;
  appended: number;
}

/** Each file must hold all that was appended, and say so. */
function assertFilled(filled: Filled[], paths: string[], code: string): void {
  assert.equal(filled.length, paths.length);
  verify(...paths).forEach((file, i) => {
    assert.equal(filled[i]!.code, code);
    assert.equal(file.images, filled[i]!.appended);
    assert.equal(file.attributes["good"], filled[i]!.appended);
    assert.equal(file.attributes["end"], "full");
  });
  assert.ok(filled.some(({ appended }) => appended > 100));
}

for (const preallocate of [false, true]) {
  const writer = [Deno.execPath(), "run", "-A", "--no-check", WRITER, "fill", `${preallocate}`];

  Deno.test({
    name: `a full disk loses no appended image, preallocate ${preallocate}`,
    ignore: !hasH5py || !canMount,
    fn: () =>
      withFolder((folder) => {
        // Sizes in pages apart, so that space runs out in images, index pages, metadata chunks.
        const sizes = Array.from({ length: 24 }, (_, i) => 400 + 4 * i * (i % 2 ? 1 : 5));
        // The mounts live in a namespace of their own and vanish with its last process.
        const script = [
          ...sizes.map((kib, i) =>
            `mkdir ${folder}/m${i} && mount -t tmpfs -o size=${kib}k tmpfs ${folder}/m${i}`
          ),
          `"$@" ${sizes.map((_, i) => `${folder}/m${i}/f.h5`).join(" ")}`,
          ...sizes.map((_, i) => `cp ${folder}/m${i}/f.h5 ${folder}/${i}.h5`),
        ].join(" && ");
        const output = run("unshare", "-rm", "sh", "-c", script, "sh", ...writer);
        assertFilled(lines(output), sizes.map((_, i) => `${folder}/${i}.h5`), "ENOSPC");
      }),
  });

  Deno.test({
    name: `a file size limit loses no appended image, preallocate ${preallocate}`,
    ignore: !hasH5py,
    fn: () =>
      withFolder((folder) => {
        const paths = [`${folder}/0.h5`, `${folder}/1.h5`];
        const script = 'trap "" XFSZ; ulimit -f 2001; exec "$@"'; // blocks of 512 bytes
        const output = run("sh", "-c", script, "sh", ...writer, ...paths);
        assertFilled(lines(output), paths, "EFBIG");
      }),
  });
}
