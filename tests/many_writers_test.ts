/** Several writers, several files, one master file. */
import assert from "node:assert/strict";
import { readImageFile } from "../lib/hdf5/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import { parseConfig } from "../lib/config/mod.ts";
import {
  DaqRun,
  type H5File,
  imageIds,
  jungfrauConfig,
  Pipeline,
  readWithH5py,
  sha256,
  TestDetector,
  until,
} from "./harness/mod.ts";

/** Images that are sent at once. */
const TOGETHER = 6;

Deno.test("three writers share a run, in files of four images, and one master file shows it in order", async (t) => {
  const json = jungfrauConfig(1, { number_of_writers: 3 });
  const { daq, ready } = await DaqRun.start(json);
  await using _running = daq;
  const { config } = parseConfig(json);

  await t.step("all images are there, each where it belongs", async () => {
    const path = daq.path("run.h5");
    const started = await daq.command("write", path, "-n", "17", "--images-per-file", "4");
    assert.equal(started.code, 0, started.err);
    await simulate(daq, "--images", "17", "--rate", "50", "--pattern", "ramp");
    const { acquisition } = await daq.client.waitForEnd(await daq.client.status());
    assert.equal(acquisition.message, "Completed.");
    assert.equal(acquisition.stats.n_write_completed, 17);

    const master = await readWithH5py(path);
    const ids = imageIds(master);
    assert.deepEqual(ids, Array.from({ length: 17 }, (_, i) => ids[0]! + i));
    master.data.sha256.forEach((hash, i) => {
      const { buffer } = simulateImage(config, { pattern: "ramp", images: 17 }, BigInt(ids[i]!));
      assert.equal(hash, sha256(new Uint8Array(buffer)), `image ${ids[i]}`);
    });
    const { attributes } = master;
    const counts = ["written", "written_incomplete", "overwritten", "lost", "failed", "missing"];
    assert.deepEqual(
      counts.map((name) => attributes[`images_${name}`]),
      ["17", "0", "0", "0", "0", "0"],
    );
    assert.equal(attributes["packets_missing"], "0");
    const files = [...Deno.readDirSync(daq.dataRoot)].map(({ name }) => name).sort();
    assert.deepEqual(files, ["run.h5", ...[0, 1, 2, 3, 4, 5].map((n) => `run${n}.h5`)]);
    const first = ids[0]!;
    for (const [number, places] of [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]].entries()) {
      const file = await readWithH5py(daq.path(`run${number}.h5`));
      assert.deepEqual(imageIds(file), places.map((place) => first + place));
      // It was full before the run ended, and tells of its own images.
      const { attributes } = file;
      assert.deepEqual([attributes["outcome"], attributes["master_file"]], [undefined, "run.h5"]);
      assert.equal(attributes["first_image_id"], String(first + places[0]!));
      assert.equal(attributes["last_image_id"], String(first + places[3]!));
      assert.deepEqual([attributes["images_written"], attributes["file_images_missing"]], [
        "4",
        "0",
      ]);
      assert.equal(attributes["file_missing_image_ids"], "");
      assert.equal(attributes["start_time"], master.attributes["start_time"]);
      assert.ok(Number(attributes["end_time"]) <= Number(master.attributes["end_time"]));
    }
  });

  await t.step("a file that is in the way fails the start and leaves no other file", async () => {
    const path = daq.path("next_1.h5");
    Deno.symlinkSync("nowhere", daq.path("next_1_1.h5"));
    const { code, err } = await daq.command("write", path, "-n", "3");
    assert.equal(code, 1);
    assert.match(err, /next_1_1\.h5/);
    const files = [...Deno.readDirSync(daq.dataRoot)].map(({ name }) => name);
    assert.deepEqual(files.filter((name) => name.startsWith("next")), ["next_1_1.h5"]);
  });

  await t.step("the next run works, also when it is stopped early", async () => {
    const path = daq.path("stopped.h5");
    assert.equal((await daq.command("write", path, "-n", "1000")).code, 0);
    await simulate(daq, "--images", "4", "--start-id", "100");
    await until(
      "four images",
      async () => (await daq.client.status()).acquisition.stats.n_write_completed === 4,
    );
    const { code } = await daq.command("stop");
    assert.equal(code, 0);
    assert.deepEqual(imageIds(await readWithH5py(path)), [100, 101, 102, 103]);
  });

  await t.step("a run until stopped takes the place of another when asked to", async () => {
    const path = daq.path("stopped.h5");
    assert.match((await daq.command("write", path, "-n", "0")).err, /stopped\.h5 exists already/);
    const endless = ["write", path, "-n", "0", "--images-per-file", "1", "--overwrite"];
    assert.equal((await daq.command(...endless)).code, 0);
    await simulate(daq, "--images", "5", "--start-id", "200");
    await until(
      "five images",
      async () => (await daq.client.status()).acquisition.stats.n_write_completed === 5,
    );
    const { code, out } = await daq.command("stop");
    assert.equal(code, 0);
    assert.match(out, /FINISHED 5 images: Completed\./);
    const master = await readWithH5py(path);
    assert.deepEqual(imageIds(master), [200, 201, 202, 203, 204]);
    const files = [...Deno.readDirSync(daq.dataRoot)].map(({ name }) => name).sort();
    const parts = [0, 1, 2, 3, 4].map((n) => `stopped${n}.h5`);
    assert.deepEqual(files.filter((name) => /stopped|^\./.test(name)), ["stopped.h5", ...parts]);
    assert.equal(master.attributes["outcome"], "Completed.");
  });

  await t.step("a writer that stalls holds up its own images only", async () => {
    using detector = new TestDetector(config);
    const stalled = writerPid(daq, 1);
    const hashes = [0, 1, 2, 3].map((id) => detector.sha256(id)); // sent in turn
    const completed = async (): Promise<number> =>
      (await daq.client.status()).acquisition.stats.n_write_completed;
    // First as many as the ring holds, then so many that those of writer 1 alone are more than half a ring.
    const third = Math.floor(ready.image_slots / 4);
    let first = 1000;
    for (const [images, isLost] of [[3 * third, false], [9 * third, true]] as const) {
      const path = daq.path(`stalled${isLost}.h5`);
      const run = await daq.client.writeAsync({ output_file: path, n_images: images });
      Deno.kill(stalled, "SIGSTOP");
      try {
        await send(daq, detector, first, images);
        await until("the others' images", async () => await completed() === images / 3 * 2);
      } finally {
        Deno.kill(stalled, "SIGCONT");
      }
      const { acquisition: { stats } } = await daq.client.waitForEnd(run);
      assert.equal(stats.n_write_completed + stats.n_lost, images);
      assert.equal(stats.n_lost > 0, isLost);
      const { metadata, data } = await readWithH5py(path);
      assert.equal(metadata.records.length, images);
      metadata.records.forEach(([id, status], place) => {
        assert.equal(id, first + place);
        if (status === 1) assert.equal(data.sha256[place], hashes[id % 4], `image ${id}`);
      });
      const written = metadata.records.filter(([, status]) => status === 1);
      assert.equal(written.length, stats.n_write_completed);
      first += images;
    }
  });

  await t.step("a run whose images stay away fails, and says so in each file", async () => {
    const path = daq.path("none.h5");
    const { code, out } = await daq.command("write", path, "-n", "5", "--wait", "--timeout", "1");
    assert.equal(code, 1);
    assert.match(out, /FAILED 0\/5 images, 5 never came: ERROR: no image came for 1 s/);
    for (const name of ["none.h5", "none0.h5", "none2.h5"]) {
      const { attributes } = await readWithH5py(daq.path(name));
      assert.match(String(attributes["outcome"]), /^ERROR: no image came for 1 s/);
      assert.equal(attributes["images_missing"], "5");
    }
  });
});

/** Sends images, and returns when they are all in the ring. */
async function send(
  daq: DaqRun,
  detector: TestDetector,
  first: number,
  count: number,
): Promise<void> {
  const good = async (): Promise<bigint> => (await daq.client.stats()).accounting["images_good"]!;
  const before = await good();
  for (let sent = 0; sent < count;) {
    const next = Math.min(count, sent + TOGETHER);
    detector.send(first + sent, first + next - 1);
    sent = next;
    await until("images", async () => await good() === before + BigInt(sent));
  }
}

/** Process id of one of the file writers. */
function writerPid(daq: DaqRun, writer: number): number {
  const { stdout } = new Deno.Command("ps", {
    args: ["--ppid", String(daq.process.pid), "-o", "pid=,args="],
  }).outputSync();
  const line = new RegExp(`^ *(\\d+) .*std_h5_writer/main\\.ts \\S+ ${writer} `, "m");
  return Number(line.exec(new TextDecoder().decode(stdout))?.[1] ?? assert.fail("no such writer"));
}

Deno.test("three writers, one of which is killed in mid-run: what is safe is said, and the next run is whole; and runs until stopped", async (t) => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1, { number_of_writers: 3 }), {
    args: { writer_agent: ["--writer-timeout", "1"] },
  });
  using detector = new TestDetector(pipeline.config);
  let next = 0;
  const send = (images: number): void => {
    detector.send(next, next + images - 1);
    next += images;
  };
  const written = (images: number): Promise<unknown> =>
    pipeline.status(
      `${images} images on file`,
      ({ acquisition }) => acquisition.stats.n_write_completed === images,
    );
  const files = (run: string): string[] =>
    [...Deno.readDirSync(pipeline.dataRoot)].map(({ name }) => name)
      .filter((name) => name.startsWith(run) || name.startsWith(".")).sort();

  for (const [killed, service] of [[1, "std_h5_writer_1"], [0, "std_h5_writer"]] as const) {
    await t.step(`writer ${killed} of 3 is killed`, async () => {
      const run = { overwrite: true, images_per_file: 3 };
      const { path } = await pipeline.write("killed.h5", 30, run);
      const first = next;
      send(12); // three files are full, and closed as the next ones are begun
      await written(12);
      await pipeline.kill(service);
      send(3);

      const { state, acquisition } = await pipeline.ended();
      assert.equal(state, "UNKNOWN");
      assert.equal(acquisition.state, "FAILED");
      const said =
        /^ERROR: (?:writer \d: )?no .*file writer.* at least (\d+) images are safe in .*killed\.h5, of (\d+) that were written.*Check that std_h5_writer runs/
          .exec(acquisition.message);
      assert.ok(said !== null, acquisition.message);
      const [safe = NaN, known = NaN] = said.slice(1).map(Number);
      assert.ok(safe >= 9 && known >= 12, acquisition.message);
      const others = [3, 4, 5].filter((file) => file % 3 !== killed).map((n) => `killed${n}.h5`);
      if (killed !== 0) others.push("killed.h5");
      for (const file of others) {
        await until(`the end of ${file}`, () => {
          using reader = readImageFile(pipeline.path(file));
          return reader.attributes()["outcome"] === acquisition.message;
        });
      }
      const places = placesShown(await readWithH5py(path), detector, first);
      assert.ok(places.length >= safe, `${places} are there, ${safe} were called safe`);
      const lacking = Array.from({ length: 12 }, (_, i) => i).filter((i) => !places.includes(i));
      assert.ok(lacking.every((place) => place >= 9 && place % 3 === killed), `${places}`);
    });

    await t.step(`writer ${killed} is started again, and the next run is complete`, async () => {
      await pipeline.start(service);
      const { path } = await pipeline.write("killed.h5", 12, { overwrite: true });
      const first = next;
      send(12);
      await pipeline.finished();
      assertImages(await readWithH5py(path), detector, first, 12);
      assert.deepEqual(files("killed"), ["killed.h5", ...[0, 1, 2].map((n) => `killed${n}.h5`)]);
    });
  }

  for (
    const [compression, images_per_file, file_format, parts] of [
      ["none", undefined, "std-daq", [5, 4, 4]],
      ["none", 2, "std-daq", [2, 2, 2, 2, 2, 2, 1]],
      ["bitshuffle-lz4", undefined, "std-daq", [5, 4, 4]],
      ["bitshuffle-lz4", 2, "std-daq", [2, 2, 2, 2, 2, 2, 1]],
      ["bitshuffle-lz4", 2, "nexus", [2, 2, 2, 2, 2, 2, 1]],
    ] as const
  ) {
    const what = `${compression}, ${images_per_file ?? "all"} images per file, ${file_format}`;
    await t.step(`a run until stopped (${what}) has each image once, in order`, async () => {
      const name = `${compression}_${images_per_file}_${file_format}_`;
      const { path } = await pipeline.write(`${name}.h5`, 0, {
        ...{ compression, file_format },
        ...(images_per_file && { images_per_file }),
      });
      const first = next;
      send(13);
      await written(13);
      await pipeline.client.stop();
      await pipeline.finished();
      assertImages(await readWithH5py(path), detector, first, 13);
      const own = parts.map((_, n) => `${name}${n}.h5`);
      assert.deepEqual(files(name), [`${name}.h5`, ...own].sort());
      parts.forEach((images, n) => {
        using part = readImageFile(pipeline.path(own[n]!));
        assert.equal(part.shape[0], images, own[n]);
        const { size } = Deno.statSync(pipeline.path(own[n]!));
        assert.equal(size < images * IMAGE_BYTES / 2, compression !== "none", `${size} bytes`);
      });
    });
  }
});

/** Size of an image of one Jungfrau module. */
const IMAGE_BYTES = 512 * 1024 * 2;
const ZEROS = sha256(new Uint8Array(IMAGE_BYTES));

/** The file has these images, whole and in order. */
function assertImages(file: H5File, detector: TestDetector, first: number, images: number): void {
  assert.deepEqual(
    placesShown(file, detector, first),
    Array.from({ length: images }, (_, place) => place),
  );
}

/** Places of a run that have an image, the right one; the others are empty. */
function placesShown(file: H5File, detector: TestDetector, first: number): number[] {
  return file.data.sha256.flatMap((hash, place) => {
    const [id, status] = file.metadata.records[place]!;
    if (status === 0) {
      assert.deepEqual([id, hash], [0, ZEROS]);
      return [];
    }
    assert.deepEqual([id, status, hash], [first + place, 1, detector.sha256(first + place)]);
    return [place];
  });
}

async function simulate(daq: DaqRun, ...args: string[]): Promise<void> {
  const { code, err } = await daq.command("simulate", daq.configPath, "--json", ...args);
  assert.equal(code, 0, err);
}
