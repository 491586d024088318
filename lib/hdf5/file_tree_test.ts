import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import * as h5wasm from "h5wasm";
import { appendTestImages, createFile, SMALL, TestFolder, testImage } from "./_testing.ts";
import { mount } from "./_mount.ts";
import { ArrayFile, type FileTree, ImageFile, MasterFile, readImageFile } from "./mod.ts";
import { File } from "../os/mod.ts";
import { h5Module } from "./_h5wasm.ts";

const GROUP = "/entry/collection/DET";
const MASK = Uint32Array.from({ length: 15 }, (_, i) => i === 7 ? 2 ** 31 : i % 2);
const TREE: FileTree = {
  attributes: { default: "entry" },
  links: { DET: GROUP },
  groups: {
    entry: {
      attributes: { numbers: [1, 2.5], whole: -3n, number: 0.5 },
      fields: {
        text: { value: "Ünïcode", attributes: { about: "ä" } },
        number: { value: 1.5, attributes: { units: "m" } },
        numbers: { value: [1, 2] },
        whole: { value: 65535n },
        wholes: { value: [3n, 4n] },
        yes: { value: true },
        later: { textBytes: 12, text: "before" },
        mask: { shape: [3, 5], deflated: deflateSync(new Uint8Array(MASK.buffer)) },
      },
      groups: { data: { attributes: { signal: "data" }, links: { data: `${GROUP}/data` } } },
    },
  },
};
const OPTIONS = {
  ...SMALL,
  group: GROUP,
  tree: TREE,
  datasetAttributes: { data: { units: "counts" } },
};

/** What is at paths of a file: shapes, types and values. */
function look(path: string, ...names: string[]): unknown[] {
  using file = File.open(path);
  const mounted = mount(file);
  const h5 = new h5wasm.File(mounted, "r");
  try {
    return names.map((name) => {
      const found = h5.get(name);
      assert.ok(found instanceof h5wasm.Dataset, name);
      return [found.shape, found.dtype, found.value];
    });
  } finally {
    h5.close();
    h5Module.FS.unlink(mounted);
  }
}

Deno.test("a tree's fields, attributes and links are in the file, beside the images", () => {
  using folder = new TestFolder();
  {
    using file = createFile(folder.file());
    const images = ImageFile.create(file, OPTIONS);
    appendTestImages(images, SMALL, 0, 3);
    images.close({ texts: { "/entry/later": "at the end" } });
  }
  const names = ["text", "number", "numbers", "whole", "wholes", "yes", "later", "mask"];
  assert.deepEqual(look(folder.file(), ...names.map((name) => `entry/${name}`)), [
    [[], "S9", "Ünïcode"],
    [[], "<d", 1.5],
    [[2], "<d", new Float64Array([1, 2])],
    [[], "<q", 65535n],
    [[2], "<q", new BigInt64Array([3n, 4n])],
    [[], "<B", 1],
    [[], "S12", "at the end"],
    [[3, 5], "<I", MASK],
  ]);
  using arrays = new ArrayFile(folder.file());
  assert.deepEqual(arrays.attributes("/"), { default: "entry" });
  assert.deepEqual(arrays.attributes("/entry/number"), { units: "m" });
  assert.deepEqual(arrays.attributes("/entry/data/data"), { units: "counts" });
  for (const path of [`${GROUP}/data`, "/DET/data", "/entry/data/data"]) {
    const image = arrays.numbers(path, [[2, 3], [0, 3], [0, 5]]);
    assert.deepEqual([...image], [...testImage(2, 15)], path);
  }
  using reader = readImageFile(folder.file());
  assert.deepEqual([reader.detector, reader.shape], ["DET", [3, 3, 5]]);
});

Deno.test("a text that is set later is what it was until the file is closed", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const images = ImageFile.create(file, OPTIONS);
  assert.deepEqual(look(folder.file(), "entry/later"), [[[], "S12", "before"]]);
  assert.throws(
    () => images.close({ texts: { "/entry/later": "much too long" } }),
    /\/entry\/later cannot become "much too long": it has 12 bytes/,
  );
  assert.throws(
    () => images.close({ texts: { "/entry/text": "x" } }),
    /no such field is set later/,
  );
  images.close();
});

Deno.test("a master file has the tree, too, and its links lead to the virtual datasets", () => {
  using folder = new TestFolder();
  for (const part of [0, 1]) {
    using file = createFile(folder.file(`run${part}.h5`));
    const images = ImageFile.create(file, OPTIONS);
    for (const id of [part, part + 2]) appendTestImages(images, SMALL, id, id + 1);
    images.close();
  }
  {
    using file = createFile(folder.file());
    const { detector, height, width, pixelType, attributes } = SMALL;
    const master = MasterFile.create(file, {
      ...{ detector, height, width, pixelType, attributes, group: GROUP, tree: TREE },
      parts: [0, 1].map((i) => ({ file: `run${i}.h5`, firstImage: i, step: 2 })),
    });
    master.close({ texts: { "/entry/later": "end" } });
  }
  using reader = readImageFile(folder.file());
  assert.deepEqual([...reader.imageIds()], [0n, 1n, 2n, 3n]);
  assert.deepEqual(reader.image(3), testImage(3, 15));
  assert.deepEqual(look(folder.file(), "entry/later", "entry/mask"), [
    [[], "S12", "end"],
    [[3, 5], "<I", MASK],
  ]);
});

Deno.test("files of detector names and trees of any length are made: no field crosses a page", () => {
  using folder = new TestFolder();
  for (let length = 1; length <= 64; length += 3) {
    const detector = "D".repeat(length);
    const options = {
      ...SMALL,
      ...{ detector, group: `/entry/collection/${detector}` },
      tree: {
        groups: {
          entry: { fields: { [`f${detector}`]: { value: detector }, end: { textBytes: 24 } } },
        },
      },
    };
    using file = createFile(folder.file(`${length}.h5`));
    const images = ImageFile.create(file, options);
    appendTestImages(images, SMALL, 0, 1);
    images.close({ texts: { "/entry/end": "now" } });
    using reader = readImageFile(folder.file(`${length}.h5`));
    assert.equal(reader.detector, detector);
  }
});

Deno.test("a tree's mistakes are named", () => {
  using folder = new TestFolder();
  const create = (change: Partial<typeof OPTIONS>): void => {
    using file = createFile(folder.file(`${crypto.randomUUID()}.h5`));
    ImageFile.create(file, { ...OPTIONS, ...change });
  };
  assert.throws(
    () => create({ tree: { links: { a: "/nowhere" } } }),
    /\/a cannot be a link to \/nowhere/,
  );
  assert.throws(() => create({ group: "/entry/OTHER" }), /cannot be the group of DET/);
  assert.throws(
    () => create({ tree: { fields: { a: { textBytes: 2, text: "long" } } } }),
    /a: "long" is longer than 2 bytes/,
  );
});
