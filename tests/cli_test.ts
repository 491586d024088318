/** The command line, as a user uses it. */
import assert from "node:assert/strict";
import {
  DaqRun,
  imageIds,
  isRunning,
  jungfrauConfig,
  leftovers,
  readWithH5py,
  ROOT,
  type SimulatorReport,
  until,
} from "./harness/mod.ts";

const FAULTS = ["--drop", "0.01", "--duplicate", "0.01", "--late", "0.01", "--foreign", "0.01"];

Deno.test("daq runs a detector, writes files, tells its account, stops, and leaves nothing behind", async (t) => {
  const config = jungfrauConfig(2);
  const { daq, ready } = await DaqRun.start(config);
  await using _running = daq;
  assert.equal(ready.detector, config.detector_name);
  assert.deepEqual(ready.data_roots, [Deno.realPathSync(daq.dataRoot)]);
  assert.ok(ready.ram_bytes <= 100e6, `${ready.ram_bytes} bytes`);

  await t.step(
    "daq write returns when images are taken, daq status follows the account",
    async () => {
      const path = daq.path("faulty.h5");
      const started = await daq.command("write", path, "-n", "21");
      assert.equal(started.code, 0, started.err);
      const sent = await simulate(daq, "--images", "20", "--rate", "100", "--seed", "3", ...FAULTS);
      await simulate(daq, "--images", "1", "--start-id", "21");
      await until(
        "end of the acquisition",
        async () => (await daq.client.status()).acquisition.state === "FINISHED",
      );
      const { writer, accounting } = await daq.status();
      assert.equal(writer.acquisition.message, "Completed.");
      assert.equal(writer.acquisition.stats.n_write_completed, 21);
      const { expected } = sent;
      assert.equal(accounting["packets_accepted"], expected.accepted + 256);
      assert.equal(accounting["packets_duplicate"], expected.duplicate);
      assert.equal(accounting["packets_late"], expected.late);
      assert.equal(accounting["packets_foreign"], expected.foreign);
      assert.equal(accounting["packets_lost"], expected.lost);
      assert.equal(accounting["images_good"], expected.imagesGood + 1);
      assert.equal(accounting["images_incomplete"], expected.imagesIncomplete);
      assert.equal(imageIds(await readWithH5py(path)).length, 21);
      const text = await daq.command("status");
      assert.match(text.out, new RegExp(`packets_accepted +${expected.accepted + 256}`));
    },
  );

  await t.step("daq write --wait ends when the file is complete", async () => {
    const path = daq.path("waited.h5");
    await using writing = daq.spawn("write", path, "-n", "3", "--wait", "--json");
    await until(
      "the start of the acquisition",
      async () => (await daq.client.status()).acquisition.info.output_file === path,
    );
    await simulate(daq, "--images", "3", "--start-id", "22");
    assert.equal((await writing.end()).code, 0, writing.tail());
    const { writer } = JSON.parse(writing.out[0]!);
    assert.equal(writer.acquisition.state, "FINISHED");
    assert.equal(writer.acquisition.stats.n_write_completed, 3);
    assert.deepEqual(imageIds(await readWithH5py(path)), [22, 23, 24]);
  });

  await t.step("daq stop ends an acquisition, its file has what came", async () => {
    const path = daq.path("stopped.h5");
    await daq.command("write", path, "-n", "1000");
    await simulate(daq, "--images", "4", "--start-id", "25");
    await until(
      "four images",
      async () => (await daq.client.status()).acquisition.stats.n_write_completed === 4,
    );
    const { code, out } = await daq.command("stop", "--json");
    assert.equal(code, 0);
    assert.equal(JSON.parse(out).writer.acquisition.message, "Interrupted.");
    assert.deepEqual(imageIds(await readWithH5py(path)), [25, 26, 27, 28]);
  });

  await t.step("a refused file says why, with exit status 1", async () => {
    const { code, err } = await daq.command("write", daq.path("stopped.h5"), "-n", "1");
    assert.equal(code, 1);
    assert.match(err, /stopped\.h5 exists already/);
  });

  await t.step("Ctrl-C ends everything, and nothing is left", async () => {
    const services = Object.values(daq.services());
    assert.equal(services.length, 4);
    daq.process.kill("SIGINT");
    const { code } = await daq.process.end();
    assert.equal(code, 0, daq.process.tail());
    assert.deepEqual(services.filter(isRunning), []);
    assert.deepEqual(leftovers(config.detector_name), []);
    const { code: unreachable, err } = await daq.command("status");
    assert.equal(unreachable, 4);
    assert.match(err, /No answer from the writer agent at .*daq run/);
  });
});

Deno.test("a service that is killed in mid-run is started again, which is said, and files can be written", async () => {
  const { daq } = await DaqRun.start(jungfrauConfig(1));
  await using _running = daq;
  let startId = 1;
  for (const service of ["std_udp_recv", "std_assembler", "std_h5_writer", "writer_agent"]) {
    const pid = daq.services()[service] ?? assert.fail(`${service} does not run`);
    Deno.kill(pid, "SIGKILL");
    await until(
      `word of the death of ${service}`,
      () => daq.process.err.some((line) => line.startsWith(`${service} died (exit status 137)`)),
      { explain: () => daq.process.tail() },
    );
    await until(`another ${service}`, () => {
      const now = daq.services()[service];
      return now !== undefined && now !== pid;
    });
    const path = daq.path(`${service}.h5`);
    // The new process takes a moment; the order is refused as long as it is not there.
    await until(
      "a new acquisition",
      async () => (await daq.command("write", path, "-n", "2")).code === 0,
    );
    await until("two images", async () => {
      await simulate(daq, "--images", "1", "--start-id", String(startId++));
      const { acquisition } = await daq.client.status();
      assert.notEqual(acquisition.state, "FAILED", acquisition.message);
      return acquisition.state === "FINISHED";
    });
    assert.equal(imageIds(await readWithH5py(path)).length, 2);
  }
  assert.equal((await daq.process.stop()).code, 0);
});

Deno.test("the services end by themselves, leaving nothing, when daq run is killed", async () => {
  const config = jungfrauConfig(1);
  const { daq } = await DaqRun.start(config);
  await using _running = daq;
  const services = Object.values(daq.services());
  assert.equal(services.length, 4);
  const path = daq.path("left.h5");
  assert.equal((await daq.command("write", path, "-n", "9")).code, 0);
  daq.process.kill("SIGKILL");
  await until("the end of all services", () => !services.some(isRunning));
  assert.deepEqual(leftovers(config.detector_name), []);
  const { attributes } = await readWithH5py(path);
  assert.equal(attributes["outcome"], "Interrupted.");
  assert.equal(attributes["images_not_taken"], "9");
});

Deno.test("a second daq run of a detector is refused, and takes nothing from the first", async () => {
  const config = jungfrauConfig(1);
  const { daq } = await DaqRun.start(config);
  await using _running = daq;
  const second = await daq.command(
    "run",
    daq.configPath,
    "--api-port",
    "0",
    "--data-root",
    daq.dataRoot,
  );
  assert.equal(second.code, 4, second.err);
  assert.match(second.err, /std_udp_recv did not start/);
  // A service of the first still finds the others' sockets when it starts anew.
  const writer = daq.services()["std_h5_writer"] ?? assert.fail("no writer");
  Deno.kill(writer, "SIGKILL");
  await until("word of its death", () => daq.process.err.some((line) => line.includes("died")));
  const path = daq.path("after.h5");
  await until(
    "a new acquisition",
    async () => (await daq.command("write", path, "-n", "1")).code === 0,
    { explain: () => daq.process.tail() },
  );
  await until("its image", async () => {
    await simulate(daq, "--images", "1", "--bunch-offset", String(Date.now()));
    return (await daq.client.status()).acquisition.state === "FINISHED";
  });
  assert.equal(imageIds(await readWithH5py(path)).length, 1);
});

Deno.test("daq run writes to ./data, which it makes, when no folder is named", async () => {
  const data = `${ROOT}/data`;
  const before = await Deno.stat(data).then(() => true, () => false);
  const { daq, ready } = await DaqRun.start(jungfrauConfig(1), { dataRoot: null });
  const file = `${data}/${ready.detector}.h5`;
  try {
    await using _running = daq;
    assert.deepEqual(ready.data_roots, [await Deno.realPath(data)]);
    const { code, err } = await daq.command("write", file, "-n", "1");
    assert.equal(code, 0, err);
    await simulate(daq, "--images", "1");
    await until(
      "the image",
      async () => (await daq.client.status()).acquisition.state === "FINISHED",
    );
    assert.equal(imageIds(await readWithH5py(file)).length, 1);
  } finally {
    await Deno.remove(before ? file : data, { recursive: true });
  }
});

/** `daq simulate`, as fast as a test may. */
async function simulate(daq: DaqRun, ...options: string[]): Promise<SimulatorReport> {
  const { code, out, err } = await daq.command("simulate", daq.configPath, "--json", ...options);
  assert.equal(code, 0, err);
  const line = out.split("\n").find((text) => text.includes('"event":"sent"'));
  return JSON.parse(line ?? assert.fail(out));
}
