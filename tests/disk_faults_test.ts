/**
 * Disks that fail in mid-run: each ends the acquisition with the reason and leaves a readable file, and the
 * next run works.
 */
import assert from "node:assert/strict";
import { readImageFile } from "../lib/hdf5/mod.ts";
import type { WriteRequest } from "../lib/http/mod.ts";
import type { FsyncPolicy } from "../lib/protocol/mod.ts";
import {
  FaultyDisk,
  imageIds,
  jungfrauConfig,
  Pipeline,
  readWithH5py,
  SmallDisk,
  TestDetector,
  until,
} from "./harness/mod.ts";

/** Images that are in a file, and visible, before something fails. */
const BEFORE = 5;

/**
 * Images are to be visible a second after they were written; what a loaded machine takes besides, and h5py to
 * look: ms.
 */
const VISIBLE_LIMIT_MS = 5_000;

Deno.test("a disk that fails ends the run with the reason; what was visible stays, the next run works", async (t) => {
  using disk = new FaultyDisk();
  await using pipeline = await Pipeline.start(jungfrauConfig(1), {
    wrap: { std_h5_writer: disk.wrap },
    args: { writer_agent: ["--writer-timeout", "1"] },
  });
  using detector = new TestDetector(pipeline.config);
  let next = 0;
  const send = (images: number): number => {
    detector.send(next, next + images - 1);
    return next += images;
  };
  const begin = async (file: string): Promise<{ path: string; first: number }> => {
    const first = next;
    const { path } = await pipeline.write(file, 0, { fsync: "every_second" });
    send(BEFORE);
    await until("visible images", async () => {
      return imageIds(await readWithH5py(path)).length === BEFORE;
    });
    return { path, first };
  };
  /** Sends an image, fewer than make a block visible by their number, and waits until readers see it. */
  const sendUntilVisible = async (path: string, first: number): Promise<void> => {
    const images = send(1) - first;
    const see = async (): Promise<boolean> => imageIds(await readWithH5py(path)).length === images;
    await until(`image ${images} of ${path}`, see, { limitMs: VISIBLE_LIMIT_MS });
  };
  /** What is forced to the disk: while the run goes on, at least or exactly; and when it is closed, besides. */
  const policies: [policy: FsyncPolicy, inRun: number, atEnd: number][] = [
    ["none", 0, 0],
    ["at_end", 0, 1],
    ["every_second", 2, 1],
  ];
  for (const [fsync, inRun, atEnd] of policies) {
    await t.step(
      `fsync ${fsync}: images are visible after a second, on disk as asked for`,
      async () => {
        const [first, before] = [next, disk.syncs];
        const { path } = await pipeline.write(`fsync_${fsync}.h5`, 0, { fsync });
        await sendUntilVisible(path, first);
        // Right after a publication: another image waits for the next, a whole period later.
        for (let i = 1; i < inRun; i++) await sendUntilVisible(path, first);
        // Readers see images right before they are forced to the disk.
        await until("the disk", () => disk.syncs - before >= inRun, { limitMs: VISIBLE_LIMIT_MS });
        const running = disk.syncs - before;
        if (inRun === 0) assert.equal(running, 0);
        await pipeline.client.stop();
        const closing = disk.syncs - before - running;
        assert.ok(
          inRun === 0 ? closing === atEnd : closing >= atEnd,
          `${closing} syncs at the end`,
        );
      },
    );
  }

  const faults: [what: string, fail: () => void, says: RegExp][] = [
    ["EIO", () => disk.fail("EIO", "pwrite"), /pwrite .*: EIO/],
    ["EDQUOT", () => disk.fail("EDQUOT", "pwrite", "fallocate"), /EDQUOT \(the quota is used up/],
    ["EROFS", () => disk.fail("EROFS", "pwrite", "fallocate", "ftruncate"), /EROFS .*read-only/],
    ["ENOSPC", () => disk.fail("ENOSPC", "pwrite", "fallocate"), /ENOSPC/],
    ["EIO when forced to the disk", () => disk.fail("EIO", "fdatasync"), /fdatasync .*: EIO/],
  ];
  for (const [what, fail, says] of faults) {
    await t.step(what, async () => {
      const { path, first } = await begin(`${what.replaceAll(" ", "_")}.h5`);
      fail();
      await until("the end of the run", async () => {
        send(1);
        return (await pipeline.client.status()).acquisition.state === "FAILED";
      });
      disk.heal();
      const { state, acquisition } = await pipeline.status(
        "ready",
        ({ state }) => state === "READY",
      );
      assert.equal(state, "READY");
      assert.match(acquisition.message, says);
      const file = await readWithH5py(path);
      const ids = imageIds(file);
      assert.ok(ids.length >= BEFORE);
      assert.deepEqual(ids, ids.map((_, i) => first + i));
      assert.deepEqual(file.data.sha256, ids.map((id) => detector.sha256(id)));
    });
  }

  await t.step("a disk that writes less than it is asked for loses nothing", async () => {
    disk.writeHalf();
    const { path, first } = await begin("half.h5");
    send(3);
    await pipeline.status("all images", ({ acquisition }) => {
      return acquisition.stats.n_write_completed === BEFORE + 3;
    });
    await pipeline.client.stop();
    disk.heal();
    const file = await readWithH5py(path);
    assert.deepEqual(imageIds(file), Array.from({ length: BEFORE + 3 }, (_, i) => first + i));
    assert.deepEqual(file.data.sha256, imageIds(file).map((id) => detector.sha256(id)));
  });

  await t.step("a disk that is slow in the end is waited for", async () => {
    const { path } = await pipeline.write("slow.h5", 2, { fsync: "at_end" });
    const first = next;
    disk.syncSlowly();
    send(2);
    await pipeline.finished();
    disk.heal();
    assert.deepEqual(imageIds(await readWithH5py(path)), [first, first + 1]);
  });

  await t.step("a folder that vanishes", async () => {
    Deno.mkdirSync(pipeline.path("gone"));
    await begin("gone/run.h5");
    Deno.removeSync(pipeline.path("gone"), { recursive: true });
    const { acquisition } = await pipeline.ended(); // no image comes any more
    assert.match(acquisition.message, /a file was removed .*gone\/run\.h5/);
    assert.equal(acquisition.stats.n_write_completed, 0);
  });

  await t.step("and a run without failures after all of them", async () => {
    const { path, first } = await begin("well.h5");
    await pipeline.client.stop();
    await pipeline.finished();
    assert.equal(imageIds(await readWithH5py(path))[0], first);
  });
});

Deno.test("a disk that fails several writers, compressed images, or the change to the next file ends the run with the reason, too", async (t) => {
  using disk = new FaultyDisk();
  const wrap = { std_h5_writer: disk.wrap, std_h5_writer_1: disk.wrap };
  await using pipeline = await Pipeline.start(jungfrauConfig(1, { number_of_writers: 2 }), {
    wrap,
  });
  using detector = new TestDetector(pipeline.config);
  let next = 0;
  const send = (images: number): number => {
    detector.send(next, next + images - 1);
    return next += images;
  };
  const faults: {
    what: string;
    request: Partial<WriteRequest>;
    fail: () => void;
    goOn: () => unknown;
    says: RegExp;
  }[] = [
    {
      what: "EIO in a compressed file",
      request: { compression: "bitshuffle-lz4" },
      fail: () => disk.fail("EIO", "pwrite"),
      goOn: () => send(2),
      says: /pwrite .*_\d\.h5 .*: EIO.*\(writer \d\)/,
    },
    {
      what: "EIO as the next file gets its name",
      request: { compression: "bitshuffle-lz4", images_per_file: 2 },
      fail: () => disk.fail("EIO", "renameat2"),
      goOn: () => send(2),
      says: /renameat2 .*_[23]\.h5.*: EIO/,
    },
    {
      what: "ENOSPC as the next file is made",
      request: { images_per_file: 2 },
      fail: () => disk.fail("ENOSPC", "pwrite", "fallocate"),
      goOn: () => send(2),
      says: /pwrite .*_[23]\.h5.*: ENOSPC/,
    },
    {
      what: "EIO as a full file is forced to the disk",
      request: { images_per_file: 2, fsync: "at_end" },
      fail: () => disk.fail("EIO", "fdatasync"),
      goOn: () => send(2),
      says: /fdatasync .*_[01]\.h5.*: EIO/,
    },
    {
      what: "EIO as all files are forced to the disk in the end",
      request: { compression: "bitshuffle-lz4", images_per_file: 2, fsync: "at_end" },
      fail: () => disk.fail("EIO", "fdatasync"),
      goOn: () => pipeline.client.stop(),
      says: /could not close .*fdatasync .*: EIO/,
    },
  ];
  for (const { what, request, fail, goOn, says } of faults) {
    await t.step(what, async () => {
      const ids = [0, 1, 2, 3].map((i) => next + i);
      const hashes = ids.map((id) => detector.sha256(id));
      const { path } = await pipeline.write(`${what.replaceAll(" ", "_")}_.h5`, 0, request);
      send(4); // two files are full, if they are to have two
      await pipeline.status(
        "four images on file",
        ({ acquisition }) => acquisition.stats.n_write_completed === 4,
      );
      // What no call can write any more cannot be made visible, either.
      if (says.source.includes("pwrite")) {
        await until("visible images", () =>
          [0, 1].every((writer) => {
            using part = readImageFile(path.replace(".h5", `${writer}.h5`));
            return part.shape[0] === 2;
          }));
      }
      fail();
      await goOn();
      const { acquisition } = await pipeline.ended();
      disk.heal();
      assert.equal(acquisition.state, "FAILED");
      assert.match(acquisition.message, says);
      await pipeline.status("ready", ({ state }) => state === "READY");
      const file = await readWithH5py(path);
      assert.deepEqual(imageIds(file).slice(0, 4), ids);
      assert.deepEqual(file.data.sha256.slice(0, 4), hashes);
      const names = [...Deno.readDirSync(pipeline.dataRoot)].map(({ name }) => name);
      assert.deepEqual(names.filter((name) => name.startsWith(".")), [], "nothing is left over");
    });
  }
  await t.step("and a run without failures after all of them", async () => {
    const first = next;
    const { path } = await pipeline.write("well.h5", 6, { images_per_file: 2, fsync: "at_end" });
    send(6);
    await pipeline.finished();
    assert.deepEqual(
      imageIds(await readWithH5py(path)),
      Array.from({ length: 6 }, (_, i) => first + i),
    );
  });
});

Deno.test({
  name: "a disk that is mounted read-only is refused with that reason",
  ignore: !SmallDisk.isPossible,
  async fn(): Promise<void> {
    using disk = SmallDisk.mount(2 ** 20, "ro");
    assert.ok(disk !== undefined);
    await using pipeline = await Pipeline.start(jungfrauConfig(1), { dataRoot: disk.path });
    await assert.rejects(
      pipeline.client.writeAsync({ n_images: 1, output_file: pipeline.path("run.h5") }),
      /could not create .*run\.h5: .*EROFS \(the file system is mounted read-only/,
    );
    assert.equal((await pipeline.client.status()).state, "READY");
  },
});
