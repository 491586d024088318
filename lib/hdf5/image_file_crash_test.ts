/**
 * The file after a kill at every instant: all writes are recorded, and each prefix of them, cut also
 * at page boundaries within a write, must open and show only complete images.
 */
import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import * as h5wasm from "h5wasm";
import { copyFrom, type File } from "../os/mod.ts";
import { h5Module, memoryPath, objectAddress } from "./_h5wasm.ts";
import { MessageType, onlyMessage, readObjectHeader } from "./_object_header.ts";
import {
  appendTestImages,
  appendTestImagesTogether,
  compressed,
  createFile,
  SMALL,
  TestFolder,
  testImage,
  testInfo,
} from "./_testing.ts";
import { ImageFile, type ImageFileOptions } from "./image_file.ts";
import { MasterFile } from "./master_file.ts";

const PAGE = 4096;

type Step = { kind: "write"; bytes: Uint8Array; at: number } | { kind: "size"; bytes: number };

/** Records what changes the file, in the order it happens. */
function record(file: File): Step[] {
  const steps: Step[] = [];
  const { writeAt, writeFrom, writeAllFrom, truncate, allocate } = file;
  const add = (bytes: Uint8Array, at: number): void => {
    // A kill may cut a write between two pages.
    for (let from = 0; from < bytes.byteLength;) {
      const to = Math.min(bytes.byteLength, from + PAGE - (at + from) % PAGE);
      steps.push({ kind: "write", bytes: bytes.slice(from, to), at: at + from });
      from = to;
    }
  };
  file.writeAt = (bytes, at): void => {
    add(bytes, at);
    writeAt.call(file, bytes, at);
  };
  file.writeFrom = (address, length, at): void => {
    const bytes = new Uint8Array(length);
    copyFrom(address, bytes);
    add(bytes, at);
    writeFrom.call(file, address, length, at);
  };
  file.writeAllFrom = (pieces, at): void => {
    let end = at;
    for (let i = 0; i < pieces.length; i += 2) {
      const bytes = new Uint8Array(Number(pieces[i + 1]));
      copyFrom(pieces[i]!, bytes);
      add(bytes, end);
      end += bytes.byteLength;
    }
    writeAllFrom.call(file, pieces, at);
  };
  file.allocate = (from, bytes, keepSize = false): void => {
    if (!keepSize) steps.push({ kind: "size", bytes: from + bytes });
    allocate.call(file, from, bytes, keepSize);
  };
  file.truncate = (bytes): void => {
    steps.push({ kind: "size", bytes: -bytes });
    truncate.call(file, bytes);
  };
  return steps;
}

/** Applies recorded steps to a file in memory. */
class Replay {
  #bytes = new Uint8Array(PAGE);
  #size = 0;

  apply(step: Step): void {
    if (step.kind === "write") {
      this.#grow(step.at + step.bytes.byteLength);
      this.#bytes.set(step.bytes, step.at);
    } else if (step.bytes < 0) {
      this.#size = -step.bytes;
    } else {
      this.#grow(step.bytes);
    }
  }

  get content(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  #grow(size: number): void {
    this.#size = Math.max(this.#size, size);
    if (size <= this.#bytes.byteLength) return;
    const larger = new Uint8Array(2 * size);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/**
 * Chunks of a dataset of three dimensions by their row, as its index has them: h5wasm has no filter
 * 32008 to read them with.
 */
function chunksByRow(content: Uint8Array, dataset: number): Map<number, Uint8Array> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const { bodyAt } = onlyMessage(readObjectHeader(content, dataset), MessageType.layout);
  const chunks = new Map<number, Uint8Array>();
  const visit = (address: bigint): void => {
    if (address === 0xffff_ffff_ffff_ffffn) return;
    const node = Number(address);
    const level = view.getUint8(node + 5), entries = view.getUint16(node + 6, true);
    for (let at = node + 24, i = 0; i < entries; i++, at += 48) {
      const child = view.getBigUint64(at + 40, true);
      if (level > 0) {
        visit(child);
        continue;
      }
      assert.equal(view.getUint32(at + 4, true), 0, "filter mask");
      const from = Number(child), row = Number(view.getBigUint64(at + 8, true));
      assert.ok(!chunks.has(row));
      chunks.set(row, content.subarray(from, from + view.getUint32(at, true)));
    }
  };
  visit(view.getBigUint64(bodyAt + 3, true));
  return chunks;
}

/** Opens the bytes with the HDF5 library; returns how many images are visible, all checked. */
function visibleImages(
  content: Uint8Array,
  options: ImageFileOptions,
  firstChecked: number,
): number {
  const path = memoryPath();
  h5Module.FS.writeFile(path, content);
  const file = new h5wasm.File(path, "r");
  try {
    const data = file.get(`${options.detector}/data`);
    const metadata = file.get(`${options.detector}/metadata`);
    const group = file.get(options.detector);
    assert.ok(data instanceof h5wasm.Dataset && metadata instanceof h5wasm.Dataset);
    assert.ok(group instanceof h5wasm.Group);
    const n = data.shape![0]!;
    const records = metadata.shape![0]!;
    assert.ok(n <= records, `${n} images, ${records} records`);
    const info = file.get(`${options.detector}/image_info`);
    if (options.info !== undefined) {
      assert.ok(info instanceof h5wasm.Dataset && n <= info.shape![0]!);
      const rows = info.slice([[0, n]]);
      assert.ok(Array.isArray(rows));
      rows.forEach((row, id) => {
        assert.deepEqual(Array.isArray(row) && row.map(Number), testInfo(id, options));
      });
    }
    for (const attribute of Object.values(group.attrs)) assert.notEqual(attribute.value, null);
    const from = Math.min(firstChecked, n);
    if (n > from) {
      const pixels = options.height * options.width;
      const rows = metadata.slice([[from, records]]);
      assert.ok(Array.isArray(rows));
      if (options.compression === "bitshuffle-lz4") {
        const chunks = chunksByRow(content, objectAddress(file, `${options.detector}/data`));
        for (let id = from; id < n; id++) {
          assert.deepEqual(chunks.get(id), compressed(testImage(id, pixels)), `image ${id}`);
        }
      } else {
        const images = data.slice([[from, n], [], []]);
        assert.ok(images instanceof Uint16Array);
        for (let id = from; id < n; id++) {
          const image: Uint16Array = images.subarray(
            (id - from) * pixels,
            (id - from + 1) * pixels,
          );
          assert.deepEqual(image, testImage(id, pixels), `image ${id}`);
        }
      }
      rows.forEach((row, i) => {
        assert.deepEqual(row, [BigInt(from + i), BigInt(1 + (from + i) % 3)]);
      });
    }
    return n;
  } finally {
    file.close();
    h5Module.FS.unlink(path);
  }
}

const KINDS: [what: string, options: Partial<ImageFileOptions>][] = [
  ["a file", {}],
  ["a compressed file", { compression: "bitshuffle-lz4" }],
  ["a file with a tree of its own", {
    group: "/entry/collection/DET",
    datasetAttributes: { data: { units: "counts" } },
    tree: {
      links: { DET: "/entry/collection/DET" },
      groups: {
        entry: {
          fields: { end_time: { textBytes: 24 } },
          groups: {
            data: { links: { data: "/entry/collection/DET/data" } },
            detector: {
              fields: {
                pixel_mask: { shape: [3, 5], deflated: deflateSync(new Uint8Array(60).fill(1)) },
              },
              // So many that the structure is longer than a page.
              groups: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`group_${i}`, {}])),
            },
          },
        },
      },
    },
  }],
  ["a file with image_info", { info: { missing_packets: "uint32", complete_ns: "uint64" } }],
];
for (const [what, change] of KINDS) {
  Deno.test(`${what} killed at any instant opens and shows complete images only`, () => {
    using folder = new TestFolder();
    using file = createFile(folder.file());
    const options = {
      ...SMALL,
      ...change,
      expectedImages: 200,
      publishEvery: 11,
      attributes: { start: "now" },
      counters: ["good"],
    };
    const steps = record(file);
    const images = ImageFile.create(file, options);
    for (let n = 0; n < 200; n += 20) {
      appendTestImages(images, options, n, n + 9);
      appendTestImagesTogether(images, options, n + 9, n + 20);
      images.publish();
      images.setCounters({ good: BigInt(n + 20) });
    }
    images.close({
      attributes: { end: "then" },
      ...(change.tree && { texts: { "/entry/end_time": "2026-01-02T03:04:05.678Z" } }),
    });
    const replay = new Replay();
    let visible = 0;
    // Its first page makes it an HDF5 file.
    const first = steps.findIndex((step) => step.kind === "write" && step.at === 0);
    for (const [i, step] of steps.entries()) {
      replay.apply(step);
      if (i < first) continue;
      const now = visibleImages(replay.content, options, 0);
      assert.ok(now >= visible, "images never disappear");
      visible = now;
    }
    assert.equal(visible, 200);
  });
}

Deno.test("a master file killed at any instant opens", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const steps = record(file);
  const { detector, height, width, pixelType } = SMALL;
  const parts = Array.from({ length: 40 }, (_, i) => ({
    ...{ file: `run${i}.h5`, firstImage: i, step: 40 },
  }));
  const shape = { detector, height, width, pixelType };
  const master = MasterFile.create(file, {
    ...shape,
    parts,
    attributes: { start: "now" },
    counters: ["good"],
  });
  const created = steps.length;
  master.setCounters({ good: 7n });
  const more = { ...parts[0]!, file: "run40.h5" };
  master.extend([...parts, more]);
  master.extend([...parts, more, { ...more, file: "run41.h5" }]);
  master.close({ attributes: { end: "then" } });
  const replay = new Replay();
  steps.forEach((step, i) => {
    replay.apply(step);
    // It has no name before that.
    if (i >= created - 1) assert.equal(visibleImages(replay.content, SMALL, 0), 0);
  });
});

Deno.test("a file killed while its index grows a third level loses nothing", () => {
  using folder = new TestFolder();
  using file = createFile(folder.file());
  const options = { ...SMALL, height: 1, width: 1, expectedImages: 1, publishEvery: 3 };
  const steps = record(file);
  const images = ImageFile.create(file, options);
  appendTestImages(images, options, 0, 4080);
  const before = steps.length;
  appendTestImages(images, options, 4080, 4110);
  images.close();
  const replay = new Replay();
  let visible = 0;
  steps.forEach((step, i) => {
    replay.apply(step);
    if (i < before) return;
    const now = visibleImages(replay.content, options, 4000);
    assert.ok(now >= visible && now >= 4080);
    visible = now;
  });
  assert.equal(visible, 4110);
});
