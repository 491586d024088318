/** Compressed files, through the whole pipeline. */
import assert from "node:assert/strict";
import { parseConfig } from "../lib/config/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import {
  DaqRun,
  type H5File,
  imageIds,
  jungfrauConfig,
  Pipeline,
  readWithH5py,
  sha256,
  simulate,
  until,
} from "./harness/mod.ts";

/** Nearly as many as the ring has. */
const IMAGES = 60;

Deno.test("images are compressed as the config says, or the request, on all threads it allows", async (t) => {
  await using pipeline = await Pipeline.start(
    jungfrauConfig(1, { compression: "bitshuffle-lz4", compression_threads: 2 }),
  );
  const { config } = pipeline;
  const sizes: number[] = [];
  for (
    const [what, more, threads] of [
      ["as the config says", {}, 2],
      ["on one thread", { compression_threads: 1 }, 1],
      ["not at all", { compression: "none" }, undefined],
    ] as const
  ) {
    await t.step(what, async () => {
      const first = 1 + IMAGES * sizes.length;
      const { path } = await pipeline.write(`${sizes.length}.h5`, IMAGES, more);
      const sending = ["--images", String(IMAGES), "--rate", "80", "--start-id", String(first)];
      // All at once: one thread alone would have the time for them one by one.
      const writer = pipeline.service("std_h5_writer");
      writer.kill("SIGSTOP");
      await simulate(pipeline, "--pattern", "ramp", ...sending);
      await pipeline.images(first + IMAGES - 1);
      const before = compressorTimes(writer.pid);
      writer.kill("SIGCONT");
      const { acquisition } = await pipeline.finished();
      const worked = compressorTimes(writer.pid).map((ns, i) => ns - before[i]!);
      assert.equal(worked.length, 2);
      // One without images looks for some now and then.
      const busy = worked.filter((ns) => ns > Math.max(...worked) / 4);
      if (threads !== undefined) assert.equal(busy.length, threads, `worked ${worked} ns`);
      assert.equal(acquisition.stats.n_write_completed, IMAGES);
      const file = await readWithH5py(path);
      assertSimulated(file, config, first, IMAGES);
      sizes.push(Deno.statSync(path).size);
    });
  }
  assert.equal(sizes[0], sizes[1], "the same chunks");
  assert.ok(sizes[0]! < sizes[2]! / 2, `${sizes} bytes`);
  await t.step("more threads than there are is refused", async () => {
    await assert.rejects(
      pipeline.write("refused.h5", 1, { compression_threads: 3 }),
      /compression_threads: 3 are more than the 2/,
    );
  });
});

Deno.test("daq write --compression writes compressed files of several writers, read through one", async () => {
  const json = jungfrauConfig(1, { number_of_writers: 2 });
  const { daq } = await DaqRun.start(json);
  await using _running = daq;
  const path = daq.path("run.h5");
  const options = ["--compression", "bitshuffle-lz4", "--images-per-file", "3"];
  await writeTen(daq, path, ...options);
  const master = await readWithH5py(path);
  assertSimulated(master, parseConfig(json).config, imageIds(master)[0]!, 10);
  assert.ok(Deno.statSync(daq.path("run0.h5")).size < 512 * 1024 * 2 * 2, "three images in it");
});

Deno.test("daq run compresses into a ring of its own, if the config says so, and files have its chunks", async () => {
  const json = jungfrauConfig(1, {
    ...{ compression: "bitshuffle-lz4", compressed_ring: true, compression_threads: 2 },
    number_of_writers: 2,
  });
  const { daq } = await DaqRun.start(json);
  await using _running = daq;
  const path = daq.path("run.h5");
  const refused = await daq.command("write", path, "-n", "10", "--compression", "none");
  assert.match(refused.err, /compression.*none is not possible: the images come compressed/);
  await writeTen(daq, path);
  const master = await readWithH5py(path);
  assertSimulated(master, parseConfig(json).config, imageIds(master)[0]!, 10);
  assert.equal(master.attributes["images_good"], "10");
  assert.ok(Deno.statSync(daq.path("run0.h5")).size < 512 * 1024 * 2 * 2, "five images in it");

  // Until stopped, in several files of each writer.
  const endless = daq.path("endless.h5");
  await daq.client.writeAsync({ n_images: 0, output_file: endless, images_per_file: 2 });
  await send(daq, "--start-id", "100");
  await until(
    "ten images on file",
    async () => (await daq.client.status()).acquisition.stats.n_write_completed === 10,
  );
  await daq.client.stop();
  assert.equal((await daq.client.status()).acquisition.message, "Completed.");
  assertSimulated(await readWithH5py(endless), parseConfig(json).config, 100, 10);
});

/** CPU time of the threads of a file writer that compress, ns: those of its Workers but the first one. */
function compressorTimes(pid: number): number[] {
  const tasks = `/proc/${pid}/task`;
  return [...Deno.readDirSync(tasks)].map(({ name }) => Number(name)).sort((a, b) => a - b)
    .filter((id) => /^worker-(?!1$)/m.test(Deno.readTextFileSync(`${tasks}/${id}/comm`)))
    .map((id) => Number(Deno.readTextFileSync(`${tasks}/${id}/schedstat`).split(" ")[0]));
}

/** Has ten images written, and sends them. */
async function writeTen(daq: DaqRun, path: string, ...options: string[]): Promise<void> {
  const { code, err } = await daq.command("write", path, "-n", "10", ...options);
  assert.equal(code, 0, err);
  await send(daq);
  const { acquisition } = await daq.client.waitForEnd(await daq.client.status());
  assert.equal(acquisition.message, "Completed.");
}

async function send(daq: DaqRun, ...more: string[]): Promise<void> {
  const options = ["--images", "10", "--rate", "50", "--pattern", "ramp", ...more];
  const { code, err } = await daq.command("simulate", daq.configPath, ...options);
  assert.equal(code, 0, err);
}

function assertSimulated(
  file: H5File,
  config: Parameters<typeof simulateImage>[0],
  first: number,
  images: number,
): void {
  assert.deepEqual(imageIds(file), Array.from({ length: images }, (_, i) => first + i));
  file.data.sha256.forEach((hash, i) => {
    const simulation = { pattern: "ramp", images, startId: first } as const;
    const { buffer } = simulateImage(config, simulation, BigInt(first + i));
    assert.equal(hash, sha256(new Uint8Array(buffer)), `image ${first + i}`);
  });
}
