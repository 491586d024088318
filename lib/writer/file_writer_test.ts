import assert from "node:assert/strict";
import { basename } from "node:path";
import { AccountingReader } from "../accounting/mod.ts";
import { IMAGE_RING_COUNTERS } from "../assemble/mod.ts";
import { ArrayFile, readImageFile } from "../hdf5/mod.ts";
import { buildStructure } from "../hdf5/_structure.ts";
import { TestFolder } from "../hdf5/_testing.ts";
import { copyFrom, Errno, File, OsError, unlink } from "../os/mod.ts";
import type {
  FsyncPolicy,
  ImageMetadata,
  ImageStatus,
  RunEnd,
  WriterAction,
  WriterResponse,
} from "../protocol/mod.ts";
import {
  dataBytes,
  dataPath,
  indexMemoryBytes,
  indexPath,
  mapSlots,
  type RingEntry,
  RingWriter,
  SharedMemory,
  slotMemoryBytes,
} from "../ring/mod.ts";
import { ImageMetadataDtype } from "../../proto/gen/std_buffer/image_metadata_pb.ts";
import { entryOf, TestName, tinyRing } from "../ring/_test_ring.ts";
import { NexusLayouts } from "../nexus/mod.ts";
import { smallConfig } from "../nexus/_testing.ts";
import { InlineCompressors } from "./compressors.ts";
import { DataRoots } from "./data_roots.ts";
import { FileWriter } from "./file_writer.ts";
import { imageInfoFields, imageInfoValues, NO_FACTS } from "./image_info.ts";
import { ImageLocator } from "./image_locator.ts";

/** A ring of 16 images of 4 × 8 u16 pixels, and a writer of files. */
class Bench implements Disposable {
  readonly ring: RingWriter;
  readonly folder: TestFolder;
  readonly writer: FileWriter;
  readonly name: string;
  /** What was forced to the disk, in order: files by their names, and these: "name of …". */
  readonly syncs: string[] = [];
  /** The same, between `begin` and `end` of what may take minutes. */
  readonly work: string[] = [];
  /** Called before a file is handed over. */
  onCreate: (file: File) => void = () => {};
  readonly #stack = new DisposableStack();
  readonly #pixels: Uint8Array;
  #memory: SharedMemory;

  /** @param dir Where its files are; default: where temporary folders are. */
  constructor(compressedImages = false, dir?: string) {
    const stack = this.#stack;
    this.folder = stack.use(new TestFolder(dir));
    this.name = stack.use(new TestName()).name;
    this.#memory = new SharedMemory(2 * indexMemoryBytes(16) + slotMemoryBytes(64, 16));
    this.ring = stack.use(RingWriter.create(this.#memory, tinyRing(this.name)));
    const at = mapSlots(this.#memory, this.ring.data, 64, 0, 16, { writable: true });
    this.#pixels = this.#memory.u8.subarray(at, at + 16 * 64);
    const accounting = stack.use(
      new AccountingReader({ frames: [], image: this.name, packetsPerFrame: 8 }),
    );
    const roots = new DataRoots([this.folder.path]);
    this.writer = stack.use(
      new FileWriter({
        detector: "DET",
        detectorType: "jungfrau-raw",
        height: 4,
        width: 8,
        pixelType: "uint16",
        images: stack.use(new ImageLocator(tinyRing(this.name))),
        compressedImages,
        nexus: new NexusLayouts(smallConfig({ detector_name: "DET" }), "test"),
        compressors: stack.use(new InlineCompressors({ elementBytes: 2, imageBytes: 64 })),
        output: {
          create: (path, how) => {
            const made = roots.create(path, how);
            const { file } = made;
            const { sync } = file;
            file.sync = (): void => {
              sync.call(file);
              this.syncs.push(basename(file.path));
              this.work.push(basename(file.path));
            };
            this.onCreate(file);
            return {
              file,
              place: (): void => {
                made.place();
                if (how.sync) this.syncs.push(`name of ${basename(path)}`);
              },
              [Symbol.dispose]: (): void => made[Symbol.dispose](),
            };
          },
          remove: (path) => roots.remove(path),
          isInPlace: (file) => roots.isInPlace(file),
          asUser: (action) => action(),
          ofUser: (uid) => roots.ofUser(uid),
        },
        readAccounting: () => accounting.read(),
        attributes: { software: "test" },
        clock: () => 1234.5,
        onWorking: (working) => this.work.push(working ? "begin" : "end"),
      }),
    );
  }

  /** Publishes an image whose bytes are all `id`; returns its entry. */
  publish(id: number, missingPackets = 0, more: Partial<RingEntry> = {}): bigint {
    const slot = id % 16;
    this.ring.lockSlot(slot);
    this.#pixels.fill(id, slot * 64, slot * 64 + 64);
    return this.ring.publish(entryOf(BigInt(id), 16, { missingPackets, ...more }));
  }

  /** Publishes an image as a compressor does: its chunk, or what else is to be in its slot. */
  publishChunk(id: number, chunk: Uint8Array = compressed(new Uint8Array(64).fill(id))): bigint {
    const slot = id % 16;
    this.ring.lockSlot(slot);
    this.#pixels.set(chunk, slot * 64);
    return this.ring.publish(entryOf(BigInt(id), 16, { payloadBytes: chunk.length }));
  }

  create(changes: Partial<WriterAction & { action: "create_file" }> = {}): WriterResponse {
    return this.writer.handle({
      action: "create_file",
      path: this.folder.file(),
      writerId: 0,
      nImages: 10,
      acknowledgeImages: true,
      runId: 42n,
      request: '{"n_images":10}',
      ...changes,
    })!;
  }

  /** Orders an image, and has it written at once; returns the answer. */
  record(...order: Parameters<Bench["order"]>): WriterResponse | undefined {
    this.order(...order);
    this.writer.settle(true);
    return this.writer.takeAnswers().at(-1);
  }

  /** Orders an image. */
  order(
    id: number,
    entry?: bigint,
    status: ImageStatus = "good_image",
    more: Partial<ImageMetadata> = {},
  ): void {
    this.writer.handle({
      action: "record_image",
      metadata: {
        imageId: BigInt(id),
        height: 4,
        width: 8,
        size: 64,
        dtype: "uint16",
        status,
        compression: "none",
        detector: { kind: "jf", daqRec: BigInt(id + 1000) },
        ...more,
      },
      ...(entry === undefined ? {} : { entry }),
    });
  }

  close(end?: RunEnd): WriterResponse {
    return this.writer.handle({ action: "close_file", ...(end && { end }) })!;
  }

  /** Image ids in a file, after a check of their pixels; and its attributes. */
  read(name?: string): { ids: number[]; statuses: number[]; attributes: Record<string, unknown> } {
    using file = readImageFile(this.folder.file(name));
    const ids = [...file.imageIds()].map(Number);
    const statuses = [...file.statuses()].map(Number);
    ids.forEach((id, i) => {
      const expected = statuses[i] === 0 ? 0 : id * 257;
      assert.ok([...file.image(i)].every((pixel) => pixel === expected), `pixels of image ${id}`);
    });
    return { ids, statuses, attributes: file.attributes() };
  }

  /** Names of the files made so far. */
  files(): string[] {
    return [...Deno.readDirSync(this.folder.path)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

Deno.test("handle() writes images of the ring to a file, with the account of the run", () => {
  using bench = new Bench();
  bench.ring.index.setCounter(IMAGE_RING_COUNTERS.indexOf("images_good"), 100n); // before the run
  assert.equal(bench.create().code, "success");
  bench.ring.index.addCounter(IMAGE_RING_COUNTERS.indexOf("images_good"), 2n);
  for (const id of [5, 6]) {
    const answer = bench.record(id, bench.publish(id));
    assert.deepEqual([answer?.code, answer?.imageId], ["success", BigInt(id)]);
  }
  const answer = bench.record(7, bench.publish(7, 3), "missing_packets");
  assert.equal(answer?.nWritten, 3);
  assert.equal(bench.writer.handle({ action: "confirm_last_image" })?.code, "success");
  assert.deepEqual(bench.read().ids, [5, 6, 7]);
  assert.equal(bench.close().code, "success");
  const { attributes } = bench.read();
  assert.equal(attributes.images_written, 3n);
  assert.equal(attributes.images_written_incomplete, 1n);
  assert.equal(attributes.packets_missing, 3n);
  assert.equal(attributes.images_overwritten, 0n);
  assert.equal(attributes.images_good, 2n);
  assert.equal(attributes.run_id, 42n);
  assert.equal(attributes.images_requested, 10n);
  assert.equal(attributes.request, '{"n_images":10}');
  assert.equal(attributes.software, "test");
  assert.equal(attributes.end_time, 1234.5);
  assert.equal(bench.writer.imagesWritten, 3n);
  assert.equal(bench.writer.bytesWritten, 192n);
});

Deno.test("a file tells how its run ended, and which images never came, however long that is", () => {
  using bench = new Bench();
  // As large a request as fits: the end of the run has its room all the same.
  const request = "x".repeat(9000);
  assert.equal(bench.create({ request }).code, "success");
  bench.record(5, bench.publish(5));
  for (let i = 0n; i < 400n; i++) {
    // Overwritten: there is no such entry. Of long ids, some are missing.
    bench.order(0, 2n ** 40n, "good_image", { imageId: 2n ** 62n + 2n * i + i / 2n });
  }
  bench.writer.settle(true);
  const ids = "6-7, ".repeat(1000);
  const outcome = "ERROR: no image came for 3 s. ".repeat(100);
  const account = {
    ...{ written: 1, lost: 3, overwritten: 2, failed: 500, missing: 9, notTaken: 5 },
    ...{ lostIds: ids, failedIds: ids, missingIds: ids },
  };
  assert.equal(bench.close({ outcome, account }).code, "success");
  const { attributes } = bench.read();
  assert.equal(attributes.images_missing, 9n);
  assert.equal(attributes.images_not_taken, 5n);
  // The writer knows better than its driver how many were overwritten.
  assert.deepEqual([attributes.images_lost, attributes.images_failed], [401n, 102n]);
  assert.match(String(attributes.file_missing_image_ids), /^46\d+, .{250,}…$/);
  assert.match(String(attributes.overwritten_image_ids), /^46\d+-46\d+, .{250,}…$/);
  assert.match(String(attributes.lost_image_ids), /^6-7, 6-7.*…$/);
  assert.match(String(attributes.failed_image_ids), /^6-7, 6-7.*…$/);
  assert.match(String(attributes.outcome), /^ERROR: no image.*…$/);
  assert.match(String(attributes.missing_image_ids), /^6-7, 6-7.*…$/);
  assert.equal(attributes.end_time, 1234.5);
  const tooLarge = bench.create({ path: bench.folder.file("b.h5"), request: "x".repeat(64_000) });
  assert.match(tooLarge.reason, /do not fit.*shorten the texts/);
});

Deno.test("a NeXus file tells when its images came, and its end only if the run did not fail", () => {
  const second = (s: number): string => new Date(1e12 + 1000 * s).toISOString();
  for (const [outcome, failed] of [["Completed.", false], ["ERROR: no image came.", true]]) {
    using bench = new Bench();
    const created = bench.create({
      ...{ path: bench.folder.file("run0.h5"), fileFormat: "nexus", nImages: 3 },
      split: { outputFile: bench.folder.file("run.h5"), writers: 1, imagesPerFile: 2 },
    });
    assert.equal(created.code, "success");
    const times = (name: string): (string | undefined)[] => {
      using file = new ArrayFile(bench.folder.file(name));
      return ["start_time", "end_time", "end_time_estimated"]
        .map((field) => file.text(`/entry/${field}`)?.trim());
    };
    // Three frames of 10 ms.
    const begin = "1970-01-01T00:20:34.500Z", estimate = "1970-01-01T00:20:34.530Z";
    assert.deepEqual(times("run.h5"), [begin, "", estimate], "before the first image");
    for (const id of [1, 2, 3]) {
      const firstNs = 10n ** 18n + BigInt(10 * id) * 10n ** 9n;
      const entry = bench.publish(id, 0, { firstNs, completeNs: firstNs + 5n * 10n ** 9n });
      assert.equal(bench.record(id, entry)?.code, "success");
    }
    assert.equal(bench.close({ outcome: String(outcome) }).code, "success");
    assert.deepEqual(times("run0.h5"), [second(10), second(25), second(25)]);
    const end = failed === true ? "" : second(35);
    assert.deepEqual(times("run1.h5"), [second(30), end, second(35)]);
    assert.deepEqual(times("run.h5"), [second(10), end, second(35)], "of all files");
  }
});

Deno.test("a master file tells when the run of all its writers began and ended", () => {
  using bench = new Bench();
  const split = { outputFile: bench.folder.file("run.h5"), writers: 2, imagesPerFile: 0 };
  bench.create({
    ...{ path: bench.folder.file("run0.h5"), fileFormat: "nexus", nImages: 3, startTime: 1200 },
    split,
  });
  const ns = (s: number): bigint => 10n ** 18n + BigInt(s) * 10n ** 9n;
  const entry = bench.publish(1, 0, { firstNs: ns(10), completeNs: ns(15) });
  assert.equal(bench.record(1, entry)?.code, "success");
  const { firstPacketNs, lastPacketNs } = bench.writer.handle({ action: "confirm_last_image" })!;
  assert.deepEqual([firstPacketNs, lastPacketNs], [ns(10), ns(15)]);
  const account = {
    ...{ written: 2, lost: 0, overwritten: 0, failed: 0, missing: 0, notTaken: 0 },
    ...{ lostIds: "", failedIds: "", missingIds: "" },
    ...{ firstPacketNs: ns(10), lastPacketNs: ns(25) },
  };
  assert.equal(bench.close({ outcome: "Completed.", account, endTime: 1300 }).code, "success");
  const times = ["run0.h5", "run.h5"].map((name) => {
    using file = new ArrayFile(bench.folder.file(name));
    const { start_time: start, end_time: end } = bench.read(name).attributes;
    const texts = ["start_time", "end_time"].map((field) => file.text(`/entry/${field}`)?.trim());
    return [start, end, ...texts];
  });
  const second = (s: number): string => new Date(1e12 + 1000 * s).toISOString();
  assert.deepEqual(times, [
    [1200, 1300, second(10), second(15)],
    [1200, 1300, second(10), second(25)],
  ]);
});

Deno.test("answers say how many images readers of the file see", () => {
  using bench = new Bench();
  assert.equal(bench.create().nVisible, 0);
  const visible = [1, 2, 3].map((id) => {
    const answer = bench.record(id, bench.publish(id));
    if (id === 2) bench.writer.publish(); // a second went by
    return answer?.nVisible;
  });
  assert.deepEqual(visible, [0, 0, 2]);
  assert.equal(bench.writer.handle({ action: "confirm_last_image" })?.nVisible, 3);
});

Deno.test("answers tell a credit: a share of the ring, at least twice what is worked on at once", () => {
  const credits = (writers: number, dir?: string, acknowledgeImages = true): unknown[] => {
    using bench = new Bench(false, dir);
    const path = bench.folder.file("run0.h5"), outputFile = bench.folder.file("run.h5");
    const created = bench.create({
      ...{ path, acknowledgeImages },
      ...(writers > 1 && { split: { outputFile, writers, imagesPerFile: 0 } }),
    });
    const recorded = bench.record(1, bench.publish(1));
    const confirmed = bench.writer.handle({ action: "confirm_last_image" });
    return [created, recorded, confirmed, bench.close()].map((answer) => answer?.credit);
  };
  const [none, share, busy, together] = [undefined, 8, 2, 8]; // of 16 slots
  assert.deepEqual(credits(1), [share, share, share, none]);
  assert.deepEqual(credits(1, undefined, false), [none, none, none, none]);
  assert.deepEqual(credits(5), [busy, busy, busy, none]);
  assert.deepEqual(credits(5, "/dev/shm"), [together, together, together, none]);
});

Deno.test("image_info has what ring and detector tell of each image, and zeros for those left out", () => {
  using bench = new Bench();
  const split = { outputFile: bench.folder.file("run.h5"), writers: 2, imagesPerFile: 0 };
  bench.create({ path: bench.folder.file("run0.h5"), split });
  bench.record(5, bench.publish(5, 2), "missing_packets");
  const entry = bench.publish(6);
  bench.publish(22); // the same slot
  bench.record(6, entry);
  bench.close();
  for (const name of ["run0.h5", "run.h5"]) {
    using file = readImageFile(bench.folder.file(name));
    const [first, lost] = [...file.imageInfo()]
      .filter((_, i) => name === "run0.h5" || i % 2 === 0);
    const { published_ns, ...rest } = first!;
    assert.ok(typeof published_ns === "bigint" && published_ns > 1_600_000_000_000_000_000n);
    const { frameIndex, maskHigh, calibrationId } = entryOf(5n, 16, {});
    assert.deepEqual(rest, {
      missing_packets: 2,
      module_mask_low: 5n,
      module_mask_high: maskHigh,
      first_packet_ns: 6n,
      complete_ns: 7n,
      frame_index: frameIndex,
      calibration_id: calibrationId ?? 0n,
      daq_rec: 1005n,
    });
    assert.deepEqual([lost?.published_ns, lost?.daq_rec], [0n, 1006n]);
  }
});

Deno.test("imageInfoValues() has a value for each field, whatever the message tells", () => {
  const metadata = { imageId: 1n, height: 1, width: 1, size: 1 } as const;
  const image = { ...metadata, dtype: "uint8", status: "good_image", compression: "none" } as const;
  const scan = { scanId: 1, scanTime: 2, syncTime: 3, frameTimestamp: 4n, exposureTime: 5n };
  const gf = { kind: "gf", ...scan, storeImage: false } as const;
  for (const type of ["eiger", "gigafrost", "moench", "jungfrau-converted"] as const) {
    const fields = Object.keys(imageInfoFields(type));
    for (const detector of [undefined, gf, { kind: "eg", exptime: 7n } as const]) {
      const values = imageInfoValues(type, NO_FACTS, { ...image, ...(detector && { detector }) });
      assert.equal(values.length, fields.length);
      if (type === "gigafrost" && detector === gf) {
        assert.deepEqual(values.slice(-6), [1, 2, 3, 4n, 5n, 1]);
      }
    }
  }
});

Deno.test("files can be made for every kind of detector, name, pixel type and compression", () => {
  for (const type of ["eiger", "jungfrau-raw", "gigafrost", "moench"] as const) {
    for (const pixelType of ["uint8", "uint16", "float32"] as const) {
      for (const compression of ["none", "bitshuffle-lz4"] as const) {
        for (let length = 1; length <= 64; length += 7) {
          const shape = { height: 2, width: 3, pixelType, metadataChunk: 1024 };
          const detector = "x".repeat(length), info = imageInfoFields(type);
          const { bytes } = buildStructure({ ...shape, group: `/${detector}`, compression, info });
          // All of it in one page: its first write cannot be torn by a kill.
          assert.ok(bytes.byteLength <= 4096);
        }
      }
    }
  }
});

Deno.test("handle() finds an image without its entry, as an original driver tells of it", () => {
  using bench = new Bench();
  bench.create();
  for (let id = 1; id <= 10; id++) bench.publish(id);
  assert.equal(bench.record(4)?.code, "success");
  assert.match(bench.record(11)!.reason, /^image was overwritten/);
  bench.close();
  assert.deepEqual(bench.read().ids, [4]);
});

Deno.test("handle() does not answer each image when its driver does not ask for it", () => {
  using bench = new Bench();
  bench.create({ acknowledgeImages: false });
  assert.equal(bench.record(1, bench.publish(1)), undefined);
  assert.equal(bench.close().code, "success");
  assert.deepEqual(bench.read().ids, [1]);
});

Deno.test("an image that was overwritten is left out, counted, and harms no later one", () => {
  using bench = new Bench();
  bench.create();
  const entry = bench.publish(1);
  bench.publish(17); // the same slot
  assert.match(bench.record(1, entry)!.reason, /^image was overwritten.*--ram/);
  assert.equal(bench.record(2, bench.publish(2))?.code, "success");
  bench.close();
  const { ids, attributes } = bench.read();
  assert.deepEqual(ids, [2]);
  assert.equal(attributes.images_overwritten, 1n);
});

Deno.test("an image that is overwritten while it is written is not in the file", () => {
  using bench = new Bench();
  let torn = false;
  bench.onCreate = (file): void => {
    const { writeFrom } = file;
    file.writeFrom = (address, bytes, position): void => {
      writeFrom.call(file, address, bytes, position);
      if (torn) bench.ring.lockSlot(3);
      torn = false;
    };
  };
  bench.create();
  const entry = bench.publish(3);
  torn = true;
  assert.match(bench.record(3, entry)!.reason, /^image was overwritten/);
  bench.record(4, bench.publish(4));
  bench.close();
  assert.deepEqual(bench.read().ids, [4]);
});

Deno.test("images that wait are written together; one that is overwritten meanwhile is left out", () => {
  using bench = new Bench(false, "/dev/shm");
  let calls = 0;
  bench.onCreate = (file): void => {
    const { writeAllFrom } = file;
    file.writeAllFrom = (pieces, position): void => {
      writeAllFrom.call(file, pieces, position);
      if (calls++ === 0) bench.ring.lockSlot(3);
    };
  };
  bench.create();
  const entries = Array.from({ length: 10 }, (_, i) => bench.publish(i + 1));
  entries.forEach((entry, i) => {
    bench.order(i + 1, entry);
    bench.writer.settle();
  });
  // Eight of them are as much of the ring as may wait.
  const first = bench.writer.takeAnswers();
  assert.equal(first.length, 8);
  for (const { imageId, code } of first) {
    assert.equal(code, imageId === 3n ? "failure" : "success");
  }
  assert.ok(bench.writer.isBusy);
  bench.writer.publish(); // a second went by
  const answers = bench.writer.takeAnswers();
  assert.deepEqual(answers.map(({ imageId, nWritten }) => [imageId, nWritten]), [[9n, 8], [
    10n,
    9,
  ]]);
  assert.equal(calls, 2);
  assert.deepEqual(bench.read().ids, [1, 2, 4, 5, 6, 7, 8, 9, 10]);
  bench.close();
});

Deno.test("images that wait for a disk are written one by one", () => {
  using bench = new Bench();
  bench.create();
  for (const id of [1, 2, 3]) {
    bench.order(id, bench.publish(id));
    bench.writer.settle();
    assert.deepEqual(bench.writer.takeAnswers().map(({ imageId }) => imageId), [BigInt(id)]);
  }
  bench.close();
});

Deno.test("of images that are written together, those before the one that fails are in the file", () => {
  using bench = new Bench(false, "/dev/shm");
  let left = 2;
  bench.onCreate = (file): void => {
    const { writeFrom } = file;
    file.writeAllFrom = (): void => {
      throw new OsError("pwritev", Errno.ENOSPC, file.path);
    };
    file.writeFrom = (...args): void => {
      if (left-- === 0) throw new OsError("pwrite", Errno.ENOSPC, file.path);
      writeFrom.apply(file, args);
    };
  };
  bench.create();
  for (const id of [1, 2, 3, 4]) bench.order(id, bench.publish(id));
  bench.writer.settle(true);
  const reasons = bench.writer.takeAnswers().map(({ reason }) => reason);
  assert.deepEqual(reasons.slice(0, 2), ["", ""]);
  for (const reason of reasons.slice(2)) assert.match(reason, /^pwrite .*ENOSPC/);
  assert.equal(reasons.length, 4);
  bench.close();
  assert.deepEqual(bench.read().ids, [1, 2]);
});

Deno.test("files are forced to the disk as asked: not, when they are closed, or every second, too", () => {
  using bench = new Bench();
  const run = (fsync: FsyncPolicy, name: string): string[] => {
    bench.syncs.length = 0;
    bench.create({
      path: bench.folder.file(`${name}0.h5`),
      fsync,
      split: {
        ...{ outputFile: bench.folder.file(`${name}.h5`), writers: 1, imagesPerFile: 2 },
      },
    });
    for (const id of [1, 2, 3]) {
      bench.record(id, bench.publish(id));
      bench.writer.publish(); // a second went by
    }
    assert.equal(bench.close().code, "success");
    return bench.syncs;
  };
  assert.deepEqual(run("none", "a"), []);
  assert.deepEqual(run("at_end", "b"), [
    ...["name of b0.h5", "name of b.h5"],
    ...["name of b1.h5", "b0.h5"],
    ...["b1.h5", "b.h5"],
  ]);
  assert.deepEqual(run("every_second", "c"), [
    ...["name of c0.h5", "name of c.h5"],
    ...["c0.h5", "c.h5"],
    ...["c0.h5", "c.h5"],
    ...["name of c1.h5", "c0.h5", "c1.h5", "c.h5"],
    ...["c1.h5", "c.h5"],
  ]);
});

Deno.test("a driver is told of all work that may take minutes, unless it would not understand", () => {
  using bench = new Bench();
  const run = (fsync: FsyncPolicy, name: string, acknowledgeImages = true): string => {
    const split = { outputFile: bench.folder.file(name), writers: 1, imagesPerFile: 1 };
    bench.work.length = 0;
    bench.create({ path: bench.folder.file(`${name}0`), fsync, split, acknowledgeImages });
    bench.record(1, bench.publish(1));
    bench.writer.publish(); // a second went by
    bench.record(2, bench.publish(2));
    bench.writer.handle({ action: "confirm_last_image" });
    bench.close();
    return bench.work.join(" ");
  };
  assert.equal(run("none", "a"), "begin end begin end begin end", "create, confirm, close");
  assert.equal(
    run("every_second", "b"),
    "begin end begin b0 b end begin b0 end begin b1 b end begin b1 b end",
  );
  assert.equal(run("every_second", "c", false), "c0 c c0 c1 c c1 c");
});

Deno.test("a publication or sync that fails ends the run, not the service; the next image tells", () => {
  for (const what of ["writeAt", "sync"] as const) {
    using bench = new Bench();
    let broken = false;
    bench.onCreate = (file): void => {
      const { writeAt, sync } = file;
      const check = (): void => {
        if (broken) throw new OsError("pwrite", Errno.EIO, file.path);
      };
      file.writeAt = (...args): void => {
        if (what === "writeAt") check();
        writeAt.apply(file, args);
      };
      file.sync = (): void => {
        if (what === "sync") check();
        sync.call(file);
      };
    };
    bench.create({ fsync: "every_second" });
    bench.record(1, bench.publish(1));
    bench.writer.publish();
    bench.record(2, bench.publish(2));
    broken = true;
    bench.writer.publish();
    assert.match(bench.record(3, bench.publish(3))!.reason, /EIO/);
    assert.match(bench.writer.handle({ action: "confirm_last_image" })!.reason, /EIO/);
    broken = false;
    assert.equal(bench.close().code, "success", "it is tried again");
    assert.deepEqual(bench.read().ids, [1, 2]);
  }
});

Deno.test("a file that is removed while it is written fails the run", () => {
  using bench = new Bench();
  bench.create();
  bench.record(1, bench.publish(1));
  Deno.removeSync(bench.folder.file());
  assert.match(
    bench.writer.handle({ action: "confirm_last_image" })!.reason,
    /^a file was removed while it was written: .*images.h5/,
  );
  bench.close();
  assert.equal(bench.create().code, "success", "the next run is not affected");
});

Deno.test("a file that is moved is whole, and said not to be where it was asked for", () => {
  using bench = new Bench();
  bench.create();
  Deno.renameSync(bench.folder.file(), bench.folder.file("moved.h5"));
  assert.equal(bench.record(1, bench.publish(1))?.code, "success");
  bench.writer.publish();
  assert.deepEqual(bench.writer.takeAnswers(), [], "no reason to stop");
  const { reason, nWritten } = bench.writer.handle({ action: "confirm_last_image" })!;
  assert.match(reason, /^a file was moved while it was written: .*images.h5 is not there/);
  assert.equal(nWritten, 1);
  assert.equal(bench.close().code, "success");
  assert.deepEqual(bench.read("moved.h5").ids, [1]);
});

Deno.test("a file that is found gone is told of without being asked, once", () => {
  using bench = new Bench();
  bench.create();
  bench.record(1, bench.publish(1));
  bench.writer.publish();
  assert.deepEqual(bench.writer.takeAnswers(), []);
  Deno.removeSync(bench.folder.file());
  bench.writer.publish();
  const answers = bench.writer.takeAnswers();
  assert.deepEqual(answers.map(({ action, code }) => [action, code]), [
    ["confirm_last_image", "failure"],
  ]);
  assert.match(answers[0]!.reason, /was removed while it was written/);
  assert.equal(answers[0]!.nWritten, 0);
  bench.writer.publish();
  assert.deepEqual(bench.writer.takeAnswers(), []);
});

Deno.test("a full disk fails the run with its reason; what was written before stays readable", () => {
  using bench = new Bench();
  let full = false;
  bench.onCreate = (file): void => {
    const { writeFrom } = file;
    file.writeFrom = (...args): void => {
      if (full) throw new OsError("pwrite", Errno.ENOSPC, file.path);
      writeFrom.apply(file, args);
    };
  };
  bench.create();
  bench.record(1, bench.publish(1));
  full = true;
  assert.match(bench.record(2, bench.publish(2))!.reason, /ENOSPC/);
  full = false;
  assert.match(bench.record(3, bench.publish(3))!.reason, /ENOSPC/, "the first failure counts");
  assert.equal(bench.close().code, "success");
  assert.deepEqual(bench.read().ids, [1]);
  const next = bench.folder.file("next.h5");
  assert.equal(bench.create({ path: next }).code, "success", "the next run is not affected");
  assert.equal(bench.record(4, bench.publish(4))?.code, "success");
});

Deno.test("actions that do not fit are refused with a reason that the driver knows", () => {
  using bench = new Bench();
  assert.match(bench.record(1)!.reason, /^no file is open/);
  assert.match(bench.close().reason, /^no file is open/);
  assert.match(bench.writer.handle({ action: "confirm_last_image" })!.reason, /^no file is open/);
  bench.create();
  const again = bench.create({ path: bench.folder.file("other.h5") });
  assert.match(again.reason, /^a file is already open/);
  assert.equal(bench.close().code, "success");
  assert.match(bench.close().reason, /^no file is open/);
});

Deno.test("create_file leaves nothing behind when it fails, and nothing of others touched", () => {
  using bench = new Bench();
  bench.onCreate = (file): void => {
    file.writeAt = (): void => {
      throw new OsError("pwrite", Errno.ENOSPC, file.path);
    };
  };
  assert.match(bench.create().reason, /ENOSPC/);
  assert.deepEqual([...Deno.readDirSync(bench.folder.path)], []);
  bench.onCreate = (): void => {};
  Deno.writeTextFileSync(bench.folder.file(), "precious");
  assert.match(bench.create().reason, /EEXIST/);
  assert.equal(Deno.readTextFileSync(bench.folder.file()), "precious");
  assert.match(bench.create({ path: "/etc/x.h5" }).reason, /outside the folders/);
});

Deno.test("create_file overwrites and makes folders only as the order says", () => {
  using bench = new Bench();
  Deno.writeTextFileSync(bench.folder.file(), "old");
  const deep = bench.folder.file("a/b/c.h5");
  assert.match(bench.create().reason, /EEXIST/);
  assert.match(bench.create({ path: deep }).reason, /ENOENT/);
  assert.equal(bench.create({ overwrite: true }).code, "success");
  assert.equal(bench.writer.handle({ action: "confirm_last_image" })?.code, "success");
  assert.equal(bench.close().code, "success");
  assert.deepEqual(bench.read().ids, []);
  assert.equal(bench.create({ path: deep, createFolders: true }).code, "success");
});

Deno.test("a file is overwritten when its run begins, by a confirmation or an image", () => {
  for (const begin of ["no", "confirm", "image"]) {
    using bench = new Bench();
    Deno.writeTextFileSync(bench.folder.file(), "old");
    assert.equal(bench.create({ overwrite: true }).code, "success");
    bench.writer.publish(); // a second went by
    assert.equal(Deno.readTextFileSync(bench.folder.file()), "old");
    if (begin === "confirm") bench.writer.handle({ action: "confirm_last_image" });
    if (begin === "image") bench.record(5, bench.publish(5));
    if (begin !== "no") assert.deepEqual(bench.read().ids, []);
    assert.equal(bench.close().code, "success");
    if (begin === "no") assert.equal(Deno.readTextFileSync(bench.folder.file()), "old");
    else assert.deepEqual(bench.read().ids, begin === "image" ? [5] : []);
    assert.equal(bench.files().length, 1);
  }
});

Deno.test("create_file without an image ring says what to start", () => {
  using bench = new Bench();
  bench.ring.close();
  assert.match(bench.create().reason, /does not exist.*Start the service/);
});

Deno.test("the end of the writer ends its file", () => {
  const bench = new Bench();
  using folder = new TestFolder();
  bench.create();
  bench.record(1, bench.publish(1));
  bench.writer[Symbol.dispose]();
  Deno.copyFileSync(bench.folder.file(), folder.file());
  bench[Symbol.dispose]();
  using file = readImageFile(folder.file());
  assert.deepEqual([...file.imageIds()], [1n]);
  assert.equal(file.attributes().end_time, 1234.5);
});

Deno.test("compressed images are answered and written in order, with those that were lost", () => {
  using bench = new Bench();
  assert.equal(bench.create({ compression: "bitshuffle-lz4" }).code, "success");
  const entries = [1, 2, 3].map((id) => bench.publish(id));
  bench.publish(18); // the slot of 2
  for (const id of [1, 2, 3]) bench.order(id, entries[id - 1]);
  assert.ok(bench.writer.isBusy);
  assert.equal(bench.writer.handle({ action: "confirm_last_image" })?.nWritten, 2);
  assert.ok(!bench.writer.isBusy);
  const answers = bench.writer.takeAnswers();
  assert.deepEqual(answers.map(({ imageId }) => imageId), [1n, 2n, 3n]);
  assert.deepEqual(answers.map(({ code }) => code), ["success", "failure", "success"]);
  assert.match(answers[1]!.reason, /^image was overwritten/);
  assert.deepEqual(bench.writer.takeAnswers(), []);
  assert.equal(bench.close().code, "success");
  const { ids, attributes } = bench.read();
  assert.deepEqual(ids, [1, 3]);
  assert.equal(attributes.images_overwritten, 1n);
  assert.ok(bench.writer.bytesWritten < 128n, "bytes on disk count");
  using file = readImageFile(bench.folder.file());
  assert.equal(file.compression, "bitshuffle-lz4");
});

/** The chunk of an image. */
function compressed(pixels: Uint8Array): Uint8Array {
  using compressors = new InlineCompressors({ elementBytes: 2, imageBytes: 64 });
  using ring = File.anonymous("image", pixels.length);
  ring.writeAt(pixels, 0);
  compressors.attach({ fd: ring.fd, slots: 1 });
  compressors.submit(0);
  const { address, bytes } = compressors.finished()!;
  const chunk = new Uint8Array(bytes);
  copyFrom(address, chunk);
  return chunk;
}

Deno.test("images that come compressed are written as they are, and those that did not get smaller", () => {
  using bench = new Bench(true);
  const chunk = { compression: "h5bitshuffle_lz4" } as const;
  assert.equal(bench.create().code, "success");
  assert.equal(bench.record(5, bench.publishChunk(5), "good_image", chunk)?.nWritten, 1);
  assert.equal(bench.record(6, bench.publish(6))?.nWritten, 2);
  const lost = bench.publishChunk(7);
  bench.publishChunk(23); // the same slot
  assert.match(bench.record(7, lost, "good_image", chunk)!.reason, /not on file yet/);
  assert.equal(bench.record(23, undefined, "missing_packets", chunk)?.nWritten, 3);
  assert.equal(bench.close().code, "success");
  assert.deepEqual(bench.read().ids, [5, 6, 23]);
  using file = readImageFile(bench.folder.file());
  assert.equal(file.compression, "bitshuffle-lz4");
  const chunks = [5, 23].map((id) => compressed(new Uint8Array(64).fill(id)).length);
  const stored = chunks[0]! + chunks[1]! + 64;
  assert.equal(bench.writer.bytesWritten, BigInt(stored));
});

Deno.test("images that are not as the ring's should be end the run, with the reason", () => {
  const chunk = { compression: "h5bitshuffle_lz4" } as const;
  for (
    const [ringIsCompressed, bytes, more, reason] of [
      [true, new Uint8Array(40), chunk, /its header says 0 bytes of pixels, expected 64/],
      [true, new Uint8Array(5), chunk, /5 bytes, expected 12 to 64/],
      [true, new Uint8Array(40), { compression: "blosc2" }, /comes compressed \(blosc2\)/],
      [
        false,
        new Uint8Array(40),
        chunk,
        /comes compressed.*Start agent and writer with the suffix/,
      ],
    ] as const
  ) {
    using bench = new Bench(ringIsCompressed);
    bench.create();
    const answer = bench.record(1, bench.publishChunk(1, bytes), "good_image", more);
    assert.match(answer!.reason, reason);
    assert.equal(answer!.nWritten, 0);
    assert.equal(bench.close().code, "success");
  }
  using bench = new Bench(true);
  assert.match(bench.create({ compression: "none" }).reason, /the images come compressed/);
  bench.create();
  bench.order(1, bench.publishChunk(1), "good_image", chunk);
  bench.order(2, bench.publishChunk(2, new Uint8Array(40)), "good_image", chunk);
  bench.order(3, bench.publishChunk(3), "good_image", chunk);
  bench.close();
  const reasons = bench.writer.takeAnswers().map(({ reason }) => reason);
  assert.equal(reasons[0], "", "it came before");
  assert.deepEqual(reasons.slice(1).map((reason) => /Image 2 is no chunk/.test(reason)), [
    true,
    true,
  ]);
  assert.deepEqual(bench.read().ids, [1]);
});

Deno.test("an image of another shape or type ends the run, compressed by the writer or not", () => {
  for (const compression of ["none", "bitshuffle-lz4"] as const) {
    for (const more of [{ height: 8, width: 4 }, { dtype: "int16" }] as const) {
      using bench = new Bench();
      bench.create({ compression });
      assert.equal(bench.record(1, bench.publish(1))?.code, "success");
      const { reason } = bench.record(2, bench.publish(2), "good_image", more)!;
      assert.match(reason, /Image 2 is of .*, expected 4 × 8 of uint16\..* same config/);
      assert.equal(bench.record(3, bench.publish(3))?.reason, reason);
      assert.equal(bench.close().code, "success");
      assert.deepEqual(bench.read().ids, [1]);
    }
  }
});

Deno.test("an image that is overwritten while it is compressed is not in the file", () => {
  using bench = new Bench();
  bench.create({ compression: "bitshuffle-lz4" });
  bench.order(1, bench.publish(1)); // compressed at once, not written yet
  bench.publish(17); // the same slot
  bench.writer.settle();
  assert.match(bench.writer.takeAnswers()[0]!.reason, /^image was overwritten/);
  bench.close();
  assert.deepEqual(bench.read().ids, []);
});

Deno.test("a full disk fails all images under way, each with its answer", () => {
  using bench = new Bench();
  bench.onCreate = (file): void => {
    file.writeFrom = (): void => {
      throw new OsError("pwrite", Errno.ENOSPC, file.path);
    };
  };
  bench.create({ compression: "bitshuffle-lz4" });
  for (const id of [1, 2, 3]) bench.order(id, bench.publish(id));
  bench.close();
  assert.equal(bench.writer.takeAnswers().filter(({ reason }) => /ENOSPC/.test(reason)).length, 3);
  assert.deepEqual(bench.read().ids, []);
});

Deno.test("handle() begins another file after images_per_file, the master file shows them all", () => {
  using bench = new Bench();
  const split = { outputFile: bench.folder.file("run.h5"), writers: 1, imagesPerFile: 3 };
  assert.equal(
    bench.create({ path: bench.folder.file("run0.h5"), nImages: 8, split }).code,
    "success",
  );
  for (let id = 1; id <= 8; id++) {
    const status = id === 5 ? "missing_packets" : "good_image";
    const answer = bench.record(id, bench.publish(id, id === 5 ? 2 : 0), status);
    assert.deepEqual([answer?.code, answer?.nWritten], ["success", id]);
  }
  assert.deepEqual(bench.files(), ["run.h5", "run0.h5", "run1.h5", "run2.h5"]);
  bench.writer.publish();
  assert.deepEqual(bench.read("run.h5").ids, [1, 2, 3, 4, 5, 6, 7, 8], "before they are closed");
  assert.equal(bench.close().code, "success");
  assert.deepEqual(bench.read("run.h5").ids, [1, 2, 3, 4, 5, 6, 7, 8]);
  const parts = ["run0.h5", "run1.h5", "run2.h5"].map((name) => bench.read(name));
  assert.deepEqual(parts.map(({ ids }) => ids), [[1, 2, 3], [4, 5, 6], [7, 8]]);
  const attributes = (name: string): unknown[] => parts.map((part) => part.attributes[name]);
  assert.deepEqual(attributes("images_written"), [3n, 3n, 2n]);
  assert.deepEqual(attributes("images_written_incomplete"), [0n, 1n, 0n]);
  assert.deepEqual(attributes("packets_missing"), [0n, 2n, 0n]);
  assert.deepEqual(attributes("file_number"), [0n, 1n, 2n]);
  assert.deepEqual(attributes("first_image"), [0n, 3n, 6n]);
  assert.deepEqual(attributes("end_time"), [1234.5, 1234.5, 1234.5]);
  assert.deepEqual(attributes("master_file"), ["run.h5", "run.h5", "run.h5"]);
  assert.deepEqual(attributes("first_image_id"), [1n, 4n, 7n]);
  assert.deepEqual(attributes("last_image_id"), [3n, 6n, 8n]);
  const { attributes: master } = bench.read("run.h5");
  assert.deepEqual([master.run_id, master.images_requested, master.end_time], [42n, 8n, 1234.5]);
  assert.equal(master.images_written, undefined, "nobody told the sums");
});

Deno.test("a file that is full tells of its own images: from which to which, and what is not there", () => {
  using bench = new Bench();
  const split = { outputFile: bench.folder.file("run.h5"), writers: 1, imagesPerFile: 4 };
  bench.create({ path: bench.folder.file("run0.h5"), split });
  const lost = bench.publish(3);
  bench.publish(19); // the same slot
  const images = [1, 2, 3, 6, 9, 12, 14].map((id) => [id, id === 3 ? lost : bench.publish(id)]);
  for (const [id, entry] of images) bench.record(Number(id), BigInt(entry!));
  const own = (name: string): unknown[] => {
    const { attributes } = bench.read(name);
    return [
      ...["first_image_id", "last_image_id", "images_written", "file_images_missing"],
      ...["file_missing_image_ids", "images_overwritten", "overwritten_image_ids"],
    ].map((field) => attributes[field]);
  };
  const full = own("run0.h5");
  assert.deepEqual(full, [1n, 6n, 3n, 2n, "4-5", 1n, "3"]);
  assert.equal(own("run1.h5")[0], undefined, "it is not closed");
  const account = {
    ...{ written: 6, lost: 1, overwritten: 1, failed: 0, missing: 8, notTaken: 1 },
    ...{ lostIds: "3", failedIds: "", missingIds: "4-5, 7-8" },
  };
  bench.close({ outcome: "Interrupted.", account });
  assert.deepEqual(own("run0.h5"), full);
  assert.deepEqual(own("run1.h5"), [9n, 14n, 3n, 3n, "10-11, 13", 0n, ""]);
  const { attributes } = bench.read("run1.h5");
  assert.deepEqual([attributes.images_missing, attributes.images_lost], [8n, 1n], "the run's");
  assert.deepEqual(own("run.h5"), [undefined, undefined, 6n, undefined, undefined, 1n, undefined]);
});

Deno.test("one of several writers keeps the place of an image that was overwritten", () => {
  using bench = new Bench();
  const split = { outputFile: bench.folder.file("run.h5"), writers: 2, imagesPerFile: 0 };
  bench.create({ path: bench.folder.file("run1.h5"), writerId: 1, split });
  bench.record(1, bench.publish(1));
  const entry = bench.publish(3);
  bench.publish(19); // the same slot
  const lost = bench.record(3, entry)!;
  assert.match(lost.reason, /^image was overwritten/);
  assert.equal(lost.nWritten, 1);
  bench.record(5, bench.publish(5));
  const { nWritten, nOverwritten, closed } = bench.close();
  assert.deepEqual([nWritten, nOverwritten], [2, 1]);
  assert.equal(closed?.path, split.outputFile);
  assert.deepEqual(bench.files(), ["run1.h5"], "only the first writer makes the master file");
  const { ids, statuses, attributes } = bench.read("run1.h5");
  assert.deepEqual([ids, statuses], [[1, 3, 5], [1, 0, 1]]);
  assert.deepEqual([attributes.images_written, attributes.images_overwritten], [2n, 1n]);
  assert.deepEqual([attributes.first_image, attributes.image_step], [1n, 2n]);
});

Deno.test("close_file removes files made in vain, and no others", () => {
  using bench = new Bench();
  const split = { outputFile: bench.folder.file("run.h5"), writers: 2, imagesPerFile: 2 };
  const path = bench.folder.file("run0.h5");
  bench.create({ path, split });
  assert.deepEqual(bench.files(), ["run.h5", "run0.h5"]);
  bench.writer.handle({ action: "close_file", discardEmpty: true });
  assert.deepEqual(bench.files(), []);
  bench.create({ path, split });
  bench.record(1, bench.publish(1));
  bench.writer.handle({ action: "close_file", discardEmpty: true });
  assert.deepEqual(bench.read("run0.h5").ids, [1]);
  const next = bench.folder.file("next.h5");
  Deno.writeTextFileSync(next, "precious");
  const more = { path: bench.folder.file("next0.h5"), split: { ...split, outputFile: next } };
  assert.match(bench.create(more).reason, /EEXIST/);
  assert.match(bench.create({ ...more, writerId: 2 }).reason, /no writer 2 of 2/);
  assert.deepEqual(bench.files(), ["next.h5", "run.h5", "run0.h5"]);
});

Deno.test("a next file that cannot be made fails the run; the full one is closed in order", () => {
  using bench = new Bench();
  const split = { outputFile: bench.folder.file("run.h5"), writers: 1, imagesPerFile: 2 };
  bench.create({ path: bench.folder.file("run0.h5"), split });
  Deno.writeTextFileSync(bench.folder.file("run1.h5"), "precious");
  for (const id of [1, 2]) assert.equal(bench.record(id, bench.publish(id))?.code, "success");
  assert.match(bench.record(3, bench.publish(3))!.reason, /EEXIST/);
  assert.match(bench.record(4, bench.publish(4))!.reason, /EEXIST/);
  assert.equal(bench.close().code, "success");
  assert.equal(Deno.readTextFileSync(bench.folder.file("run1.h5")), "precious");
  assert.deepEqual(bench.read("run0.h5").ids, [1, 2]);
  assert.equal(bench.read("run0.h5").attributes.end_time, 1234.5);
});

Deno.test("ImageLocator attaches anew when the ring's writer was replaced", () => {
  using ring = new TestName();
  using locator = new ImageLocator(tinyRing(ring.name));
  for (const id of [1n, 2n]) {
    using writer = RingWriter.create(
      new SharedMemory(indexMemoryBytes(16)),
      tinyRing(ring.name),
    );
    writer.lockSlot(Number(id));
    const entry = writer.publish(entryOf(id, 16, { missingPackets: 5 }));
    locator.follow();
    const image = locator.locate(id, entry);
    assert.equal(image?.facts.missingPackets, 5);
    assert.ok(image.isIntact());
    writer.lockSlot(Number(id));
    assert.ok(!image.isIntact());
    assert.equal(locator.locate(id, entry), undefined);
    assert.equal(locator.locate(id + 1n, entry), undefined, "the entry is another image's");
  }
});

Deno.test("ImageLocator finds images of a ring that has ended until those of the next one come", () => {
  using ring = new TestName();
  using locator = new ImageLocator(tinyRing(ring.name));
  let detached = 0;
  locator.onDetach = () => void detached++;
  const publish = (writer: RingWriter, id: bigint): bigint => {
    writer.lockSlot(Number(id));
    return writer.publish(entryOf(id, 16));
  };
  const make = (): RingWriter =>
    RingWriter.create(new SharedMemory(indexMemoryBytes(16)), tinyRing(ring.name));
  const ended = make();
  const entries = [1n, 2n, 3n].map((id) => publish(ended, id));
  locator.attach();
  ended.close();
  const found = (id: bigint, entry?: bigint): boolean => {
    locator.follow();
    return locator.locate(id, entry)?.isIntact() === true;
  };
  assert.ok(found(1n, entries[0]), "no other is there yet");
  using next = make();
  const fourth = publish(next, 4n);
  assert.ok(found(2n, entries[1]) && found(3n), "another is there");
  assert.equal(detached, 0);
  assert.ok(found(4n, fourth) && found(4n));
  assert.equal(detached, 1);
  assert.ok(!found(3n, entries[2]), "it was let go of");
  next.close();
  assert.throws(() => locator.attach(), { name: "RingMissingError" }, "no run begins with it");
});

Deno.test("ImageLocator takes a ring without an index as the config describes it", () => {
  using ring = new TestName();
  using locator = new ImageLocator(tinyRing(ring.name));
  using data = File.open(dataPath(ring.name), { write: true, create: true, mode: 0o600 });
  assert.throws(() => locator.attach(), { name: "RingMissingError" });
  data.truncate(dataBytes({ slotBytes: 64, slots: 16 }));
  locator.attach();
  const first = locator.locate(16n)!;
  assert.equal(locator.locate(19n)!.address - first.address, 3n * 64n);
  assert.ok(first.isIntact());
});

Deno.test("ImageLocator keeps a ring without an index as long as it is the same one", () => {
  using ring = new TestName();
  using locator = new ImageLocator(tinyRing(ring.name));
  const path = dataPath(ring.name), bytes = dataBytes(tinyRing(ring.name));
  const make = (size: number): void => {
    unlink(path);
    using data = File.open(path, { write: true, create: "exclusive", mode: 0o600 });
    data.truncate(size);
  };
  make(bytes);
  const first = locator.attach();
  assert.equal(locator.attach(), first);
  assert.equal(Deno.statSync(path).blocks, 0, "slots that nobody wrote take no memory");
  make(bytes);
  const second = locator.attach();
  assert.notEqual(second, first);
  {
    using data = File.open(path, { write: true });
    data.truncate(bytes / 2);
    assert.throws(() => locator.attach(), { name: "RingMissingError" });
    data.truncate(bytes);
  }
  assert.notEqual(locator.attach(), second);
});

Deno.test("ImageLocator refuses a ring whose images have another shape or type, of the same size", () => {
  using ring = new TestName();
  using writer = RingWriter.create(new SharedMemory(indexMemoryBytes(16)), tinyRing(ring.name));
  const { spec } = writer;
  for (const other of [{ height: 8, width: 4 }, { dtype: ImageMetadataDtype.int16 }]) {
    using locator = new ImageLocator({ ...spec, ...other });
    assert.throws(() => locator.attach(), { name: "RingMismatchError" });
  }
});

Deno.test("ImageLocator does not take a ring that is being made for one without an index", () => {
  using ring = new TestName();
  using locator = new ImageLocator(tinyRing(ring.name));
  using data = File.open(dataPath(ring.name), { write: true, create: true, mode: 0o600 });
  data.truncate(dataBytes({ slotBytes: 64, slots: 16 }));
  using index = File.open(indexPath(ring.name), { write: true, create: true, mode: 0o600 });
  assert.throws(() => locator.attach(), { name: "RingMissingError" });
  assert.equal(index.size(), 0);
});

Deno.test("ImageLocator looks for an index again before each run", () => {
  using ring = new TestName();
  using locator = new ImageLocator(tinyRing(ring.name));
  using data = File.open(dataPath(ring.name), { write: true, create: true, mode: 0o600 });
  data.truncate(dataBytes({ slotBytes: 64, slots: 16 }));
  locator.attach();
  using writer = RingWriter.create(new SharedMemory(indexMemoryBytes(16)), tinyRing(ring.name));
  const entry = writer.publish(entryOf(5n, 16, { missingPackets: 2 }));
  locator.attach();
  assert.equal(locator.locate(5n, entry)?.facts.missingPackets, 2);
});
