/**
 * How runs end that do not just get all their images: none comes, some never come, a range of ids, no
 * number at all. Every end is told in the status and in the file.
 */
import assert from "node:assert/strict";
import {
  type H5File,
  imageIds,
  jungfrauConfig,
  Pipeline,
  readWithH5py,
  TestDetector,
} from "./harness/mod.ts";

Deno.test("images that never come end a run after a time, with what is missing; the next run works", async () => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1, { no_images_timeout: 3 }));
  using detector = new TestDetector(pipeline.config);

  const none = await pipeline.write("none.h5", 10);
  const nothing = await pipeline.ended();
  assert.equal(nothing.acquisition.state, "FAILED");
  assert.match(nothing.acquisition.message, /no image came for 3 s: 0 of 10 images/);
  assert.deepEqual(imageIds(await readWithH5py(none.path)), []);

  // Whole images are lost, and the detector stops after it has sent what it was to send.
  const some = await pipeline.write("some.h5", 10);
  detector.send(0, 3);
  detector.send(6, 6);
  detector.send(8, 9);
  const { state, acquisition } = await pipeline.ended();
  assert.equal(state, "READY");
  assert.equal(acquisition.state, "FAILED");
  assert.match(
    acquisition.message,
    /^ERROR: no image came for 3 s: 7 of 10 images are in .*some\.h5, 3 never came \(missing ids: 4-5, 7\)/,
  );
  assert.deepEqual([acquisition.stats.n_write_completed, acquisition.stats.n_missing], [7, 3]);
  const file = await readWithH5py(some.path);
  assertImages(file, detector, [0, 1, 2, 3, 6, 8, 9]);
  assert.equal(file.attributes["images_missing"], "3");
  assert.equal(file.attributes["missing_image_ids"], "4-5, 7");
  assert.equal(file.attributes["outcome"], acquisition.message);
  assert.equal(file.attributes["images_skipped"], "3");

  const next = await pipeline.write("next.h5", 2);
  detector.send(10, 11);
  await pipeline.finished();
  assertImages(await readWithH5py(next.path), detector, [10, 11]);
});

Deno.test("a run of a range of ids has these images, also when its ends never come", async () => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1));
  using detector = new TestDetector(pipeline.config);
  const range = { start_image_id: 5, stop_image_id: 8 };
  const whole = pipeline.path("whole.h5");
  await pipeline.client.writeAsync({ output_file: whole, ...range });
  detector.send(0, 12);
  await pipeline.finished();
  assertImages(await readWithH5py(whole), detector, [5, 6, 7, 8]);

  const parts = pipeline.path("parts.h5");
  await pipeline.client.writeAsync({ output_file: parts, start_image_id: 20, stop_image_id: 28 });
  detector.send(18, 19);
  detector.send(22, 25);
  detector.send(30, 30);
  const { acquisition } = await pipeline.finished();
  assert.equal(acquisition.stats.n_missing, 5);
  const file = await readWithH5py(parts);
  assertImages(file, detector, [22, 23, 24, 25]);
  assert.equal(file.attributes["missing_image_ids"], "20-21, 26-28");
});

Deno.test("a range that is in the ring already, and one that has been overwritten in part", async () => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1), { imageSlots: 16 });
  using detector = new TestDetector(pipeline.config);
  detector.send(0, 24);
  await pipeline.images(25);
  const oldest = 25 - 16;
  const write = async (name: string, from: number, to: number): ReturnType<Pipeline["ended"]> => {
    const output_file = pipeline.path(name);
    await pipeline.client.writeAsync({ output_file, start_image_id: from, stop_image_id: to });
    return await pipeline.ended();
  };
  const ids = Array.from({ length: 20 - oldest + 1 }, (_, i) => oldest + i);
  const whole = await write("whole.h5", oldest, 20);
  assert.equal(whole.acquisition.message, "Completed.");
  assertImages(await readWithH5py(pipeline.path("whole.h5")), detector, ids);

  const part = await write("part.h5", oldest - 3, 20);
  assert.match(
    part.acquisition.message,
    new RegExp(`^ERROR: 3 images were lost: .*ids: ${oldest - 3}-${oldest - 1}\\)`),
  );
  assert.deepEqual([part.acquisition.stats.n_lost, part.acquisition.stats.n_missing], [3, 0]);
  const file = await readWithH5py(pipeline.path("part.h5"));
  assertImages(file, detector, ids);
  assert.equal(file.attributes["lost_image_ids"], `${oldest - 3}-${oldest - 1}`);

  const gone = await write("gone.h5", 0, 3);
  assert.match(gone.acquisition.message, /^ERROR: 4 images were lost: .*ids: 0-3\)/);
});

Deno.test("a run without a number goes on until it is stopped", async () => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1));
  using detector = new TestDetector(pipeline.config);
  const { path } = await pipeline.write("endless.h5", 0);
  detector.send(0, 19);
  await pipeline.status("20 images", ({ acquisition }) => {
    return acquisition.stats.n_write_completed === 20;
  });
  const { state, acquisition } = await pipeline.client.stop();
  assert.deepEqual([state, acquisition.message], ["READY", "Completed."]);
  const file = await readWithH5py(path);
  assertImages(file, detector, Array.from({ length: 20 }, (_, i) => i));
  assert.equal(file.attributes["images_requested"], "0");
  assert.equal(file.attributes["outcome"], "Completed.");
});

/** The file has these images, whole. */
function assertImages(file: H5File, detector: TestDetector, ids: number[]): void {
  assert.deepEqual(file.metadata.records, ids.map((id) => [id, 1]));
  assert.deepEqual(file.data.sha256, ids.map((id) => detector.sha256(id)));
}
