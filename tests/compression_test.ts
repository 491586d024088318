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
} from "./harness/mod.ts";

Deno.test("images are compressed as the config says, or the request, on all threads it allows", async (t) => {
  await using pipeline = await Pipeline.start(
    jungfrauConfig(1, { compression: "bitshuffle-lz4", compression_threads: 2 }),
  );
  const { config } = pipeline;
  const sizes: number[] = [];
  for (
    const [what, more] of [
      ["as the config says", {}],
      ["on one thread", { compression_threads: 1 }],
      ["not at all", { compression: "none" }],
    ] as const
  ) {
    await t.step(what, async () => {
      const first = 1 + 40 * sizes.length;
      const { path } = await pipeline.write(`${sizes.length}.h5`, 40, more);
      const sending = ["--images", "40", "--rate", "60", "--start-id", String(first)];
      await simulate(pipeline, "--pattern", "ramp", ...sending);
      const { acquisition } = await pipeline.finished();
      assert.equal(acquisition.stats.n_write_completed, 40);
      const file = await readWithH5py(path);
      assertSimulated(file, config, first, 40);
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
});

/** Has ten images written, and sends them. */
async function writeTen(daq: DaqRun, path: string, ...options: string[]): Promise<void> {
  const { code, err } = await daq.command("write", path, "-n", "10", ...options);
  assert.equal(code, 0, err);
  const sent = await daq.command(
    ...["simulate", daq.configPath, "--images", "10", "--rate", "50", "--pattern", "ramp"],
  );
  assert.equal(sent.code, 0, sent.err);
  const { acquisition } = await daq.client.waitForEnd(await daq.client.status());
  assert.equal(acquisition.message, "Completed.");
}

function assertSimulated(
  file: H5File,
  config: Parameters<typeof simulateImage>[0],
  first: number,
  images: number,
): void {
  assert.deepEqual(imageIds(file), Array.from({ length: images }, (_, i) => first + i));
  file.data.sha256.forEach((hash, i) => {
    const simulation = { pattern: "ramp", images: first + images } as const;
    const { buffer } = simulateImage(config, simulation, BigInt(first + i));
    assert.equal(hash, sha256(new Uint8Array(buffer)), `image ${first + i}`);
  });
}
