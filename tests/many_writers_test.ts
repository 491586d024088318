/** Several writers, several files, one master file. */
import assert from "node:assert/strict";
import { simulateImage } from "../lib/simulate/mod.ts";
import { parseConfig } from "../lib/config/mod.ts";
import {
  DaqRun,
  imageIds,
  jungfrauConfig,
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

async function simulate(daq: DaqRun, ...args: string[]): Promise<void> {
  const { code, err } = await daq.command("simulate", daq.configPath, "--json", ...args);
  assert.equal(code, 0, err);
}
