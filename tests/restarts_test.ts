/**
 * Slow consumers, and restarts of anything in mid-run: what was written stays readable, the next
 * acquisition works, nothing is silently missing.
 */
import assert from "node:assert/strict";
import { frameRingName, imageRingName } from "../lib/protocol/mod.ts";
import { RingFollower, RingReader, SharedMemory } from "../lib/ring/mod.ts";
import {
  type Account,
  type H5File,
  imageIds,
  jungfrauConfig,
  PATIENT,
  Pipeline,
  readWithH5py,
  TestDetector,
  until,
} from "./harness/mod.ts";

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

Deno.test("a reader that is too slow learns how much it missed, and sees no torn image", async () => {
  const slots = 16;
  await using pipeline = await Pipeline.start(jungfrauConfig(1), {
    services: ["std_udp_recv", "std_assembler", "writer_agent"],
    imageSlots: slots,
  });
  using detector = new TestDetector(pipeline.config);
  using reader = RingReader.open(new SharedMemory(2 ** 20), imageRingName(pipeline.name));
  const follower = new RingFollower(reader);
  for (let i = 0; i < 50; i += 10) {
    detector.send(i, i + 9);
    await pipeline.images(i + 10);
  }

  const seen: number[] = [];
  for (let record = follower.next(); record !== undefined; record = follower.next()) {
    assert.ok(reader.isIntact(record));
    seen.push(Number(record.imageId));
  }
  assert.ok(follower.overruns >= 50 - slots, `${follower.overruns} overruns`);
  assert.deepEqual(seen, range(Number(follower.overruns), 49));
});

Deno.test("a writer that is too slow loses images, which the status and the file say; the rest is right", async () => {
  const images = 60;
  await using pipeline = await Pipeline.start(jungfrauConfig(1), { imageSlots: 8 });
  using detector = new TestDetector(pipeline.config);
  const { path } = await pipeline.write("slow.h5", images);
  detector.send(0, 3);
  await pipeline.status(
    "the first images on file",
    ({ acquisition }) => acquisition.stats.n_write_completed === 4,
  );
  pipeline.service("std_h5_writer").kill("SIGSTOP");
  for (let i = 4; i < images - 4; i += 4) {
    detector.send(i, i + 3);
    await pipeline.images(i + 4);
  }
  pipeline.service("std_h5_writer").kill("SIGCONT");
  detector.send(images - 4, images - 1);

  const { acquisition } = await pipeline.ended();
  const { n_write_completed, n_lost } = acquisition.stats;
  assert.ok(n_lost > 0);
  assert.equal(n_write_completed + n_lost, images);
  const file = await readWithH5py(path);
  assert.equal(file.attributes["images_written"], String(n_write_completed));
  assert.equal(file.attributes["images_requested"], String(images));
  assertImages(file, detector, imageIds(file));
  assert.deepEqual(imageIds(file), imageIds(file).toSorted((a, b) => a - b));
  assert.deepEqual(imageIds(file).slice(0, 4), range(0, 3));
  assertAccounted(file, images);
});

Deno.test("a detector that starts to count anew in mid-run loses nothing", async () => {
  await using pipeline = await Pipeline.start(jungfrauConfig(2));
  using detector = new TestDetector(pipeline.config);
  const { path } = await pipeline.write("counter.h5", 30);
  // Ids that share no slot (id mod 64) with the ones after: otherwise a slow writer loses the race.
  detector.send(5012, 5021);
  detector.send(0, 9); // at once: no silence would tell
  detector.send(100, 109); // and a jump ahead
  await pipeline.finished();
  const ids = [...range(5012, 5021), ...range(0, 9), ...range(100, 109)];
  assertImages(await readWithH5py(path), detector, ids);
  const account = await pipeline.account();
  assert.equal(account["restarts"], 1n);
  // The numbers from 10 to 99 might as well have been lost on the way.
  assert.equal(account["images_skipped"], 90n);
  assertSum(account, { sent: (30 + 90) * detector.packetsPerImage });
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`a receiver that is restarted by ${signal} in mid-run misses what was sent without it, and counts that`, async () => {
    await using pipeline = await Pipeline.start(jungfrauConfig(2));
    using detector = new TestDetector(pipeline.config);
    const { path } = await pipeline.write("receiver.h5", 20);
    detector.send(0, 9);
    await pipeline.images(10);
    await restart(pipeline, "std_udp_recv", signal, () => detector.send(10, 14));
    detector.send(15, 24);
    await pipeline.finished();
    const ids = [...range(0, 9), ...range(15, 24)];
    assertImages(await readWithH5py(path), detector, ids);
    const account = await pipeline.account();
    assert.equal(account["images_good"], 20n);
    assert.equal(account["images_skipped"], 5n);
    assertSum(account, { sent: 25 * detector.packetsPerImage });
  });

  Deno.test(`a receiver that is ended by ${signal} in the middle of an image leaves no packet uncounted`, async () => {
    await using pipeline = await Pipeline.start(jungfrauConfig(2, PATIENT));
    using detector = new TestDetector(pipeline.config);
    const { path } = await pipeline.write("part.h5", 20);
    const whole = 10 * detector.packetsPerImage;
    detector.send(0, 9);
    detector.sendPart(10, 50);
    await pipeline.accountWhen(
      "part of an image",
      (account) => account["packets_accepted"] === BigInt(whole + 2 * 50),
    );
    await restart(pipeline, "std_udp_recv", signal, () => detector.send(11, 14));
    detector.send(15, 24);
    await pipeline.finished();
    assert.equal(imageIds(await readWithH5py(path)).length, 20);
    // In good order it delivers what it has of the image; killed, it takes it along.
    const delivered = signal === "SIGTERM" ? 1n : 0n;
    const account = await pipeline.images(20 + Number(delivered));
    assert.equal(account["images_incomplete"], delivered);
    assert.equal(account["images_skipped"], 5n - delivered);
    assertSum(account, { sent: 25 * detector.packetsPerImage });
  });

  Deno.test(`an assembler that is restarted by ${signal} in mid-run goes on with the next images`, async () => {
    await using pipeline = await Pipeline.start(jungfrauConfig(2));
    using detector = new TestDetector(pipeline.config);
    const { path } = await pipeline.write("assembler.h5", 20);
    detector.send(0, 9);
    await pipeline.status(
      "ten images on file",
      ({ acquisition }) => acquisition.stats.n_write_completed === 10,
    );
    await restart(pipeline, "std_assembler", signal, () => detector.send(10, 14));
    detector.send(15, 19);
    await pipeline.finished();
    assertImages(await readWithH5py(path), detector, range(0, 19));
    const account = await pipeline.account();
    assert.equal(account["images_good"], 20n);
    assertSum(account, { sent: 20 * detector.packetsPerImage });
  });

  Deno.test(`an assembler that is restarted by ${signal} is not confused by a detector that counts anew before and meanwhile`, async () => {
    await using pipeline = await Pipeline.start(jungfrauConfig(2));
    using detector = new TestDetector(pipeline.config);
    detector.send(100, 101);
    await pipeline.images(2);
    const { path } = await pipeline.write("anew.h5", 25);
    detector.send(0, 9);
    await pipeline.status(
      "ten images on file",
      ({ acquisition }) => acquisition.stats.n_write_completed === 10,
    );
    await restart(pipeline, "std_assembler", signal, () => detector.send(0, 4));
    detector.send(5, 14);
    await pipeline.finished();
    assertImages(await readWithH5py(path), detector, [...range(0, 9), ...range(0, 14)]);
    const account = await pipeline.account();
    assert.equal(account["images_good"], 27n);
    assert.equal(account["images_skipped"], 0n);
    assertSum(account, { sent: 27 * detector.packetsPerImage });
  });

  Deno.test(`an assembler that comes back from ${signal} when its frames are overwritten counts them`, async () => {
    const frameSlots = 16;
    await using pipeline = await Pipeline.start(jungfrauConfig(2), { frameSlots });
    using detector = new TestDetector(pipeline.config);
    const { path } = await pipeline.write("away.h5", 0, { stop_image_id: 69 });
    using stack = new DisposableStack();
    const frames = [0, 1].map((module) =>
      stack.use(RingReader.open(new SharedMemory(2 ** 20), frameRingName(pipeline.name, module)))
    );
    // Not only counted: packets are counted before their frame is published, and as long as that is not,
    // an older one is still to be had.
    const send = async (first: number, last: number): Promise<void> => {
      for (let id = first; id <= last; id += 10) {
        detector.send(id, id + 9);
        await until("published frames", () => frames.every(({ head }) => head === BigInt(id + 10)));
      }
    };
    await send(0, 9);
    await pipeline.images(10); // counted, and so published
    await restart(pipeline, "std_assembler", signal, () => send(10, 59));
    // Those that are left first: more frames would overwrite some of them.
    await pipeline.accountWhen("the images up to 59", (account) => {
      const { images_good: good = 0n, images_incomplete: incomplete = 0n } = account;
      return good + incomplete + account["images_skipped"]! === 60n;
    });
    await send(60, 69);
    await pipeline.ended();

    const file = await readWithH5py(path);
    const ids = imageIds(file);
    const next = ids[10] ?? 70;
    assert.deepEqual(ids, [...range(0, 9), ...range(next, 69)]);
    assert.ok(next >= 60 - frameSlots, `${next} was not overwritten`);
    const skipped = next - 10;
    const account = await pipeline.account();
    assert.equal(account["images_good"]! + account["images_incomplete"]!, BigInt(ids.length));
    assert.equal(account["images_skipped"], BigInt(skipped));
    assert.equal(account["packets_lost"], 0n);
    assert.ok(account["packets_dropped"]! >= BigInt(skipped * detector.packetsPerImage));
    assertSum(account, { sent: 70 * detector.packetsPerImage });
    const { attributes } = file;
    const counted = ["written", "lost", "failed", "missing"].map((kind) =>
      Number(attributes[`images_${kind}`])
    );
    assert.equal(counted.reduce((sum, n) => sum + n, 0), 70, Deno.inspect(attributes));
  });
}

Deno.test("what a killed writer has published stays readable; the acquisition fails with the reason, the next one works", async () => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1));
  using detector = new TestDetector(pipeline.config);
  const { path } = await pipeline.write("killed.h5", 1000);
  detector.send(0, 9);
  await until("ten published images", async () => {
    return Deno.statSync(path).size > 0 && imageIds(await readWithH5py(path)).length === 10;
  });
  detector.send(10, 12);
  // The answers to these say what is visible by now.
  await pipeline.status(
    "three more images on file",
    ({ acquisition }) => acquisition.stats.n_write_completed === 13,
  );
  await pipeline.kill("std_h5_writer");
  detector.send(13, 14); // nobody writes these

  const { state, acquisition } = await pipeline.ended();
  assert.equal(state, "UNKNOWN");
  assert.equal(acquisition.state, "FAILED");
  const said =
    /^ERROR: no .*file writer.* at least (\d+) images are safe in .*Check that std_h5_writer runs/
      .exec(acquisition.message);
  assert.ok(said !== null, acquisition.message);
  const safe = Number(said[1]);
  assert.ok(safe >= 10, acquisition.message);
  const file = await readWithH5py(path);
  const ids = imageIds(file);
  assertImages(file, detector, ids);
  assert.ok(ids.length >= safe, `${ids.length} images, ${safe} were called safe`);
  assert.deepEqual(ids, range(0, ids.length - 1));

  await pipeline.start("std_h5_writer");
  const next = await pipeline.write("next.h5", 5);
  detector.send(15, 19);
  await pipeline.finished();
  assertImages(await readWithH5py(next.path), detector, range(15, 19));
});

Deno.test("an agent that is killed in mid-run loses no file: the next one closes it and writes its own", async () => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1));
  using detector = new TestDetector(pipeline.config);
  const { path } = await pipeline.write("orphan.h5", 1000);
  detector.send(0, 9);
  await pipeline.status(
    "ten images on file",
    ({ acquisition }) => acquisition.stats.n_write_completed === 10,
  );
  await pipeline.kill("writer_agent");
  await pipeline.start("writer_agent");
  const { acquisition } = await pipeline.status(
    "the run that was left",
    ({ acquisition }) => acquisition.state === "FAILED",
  );
  assert.match(acquisition.message, /^ERROR: the writer agent ended .* 10 images are in .*orphan/);
  const left = await readWithH5py(path);
  assert.match(String(left.attributes["outcome"]), /^ERROR: the writer agent ended/);
  assert.ok(left.attributes["end_time"] !== undefined);
  const next = await pipeline.write("next.h5", 5);
  detector.send(10, 14);
  await pipeline.finished();
  assertImages(await readWithH5py(next.path), detector, range(10, 14));
  assertImages(await readWithH5py(path), detector, range(0, 9));
});

/** Ends a service, has something done without it, and starts it again. */
async function restart(
  pipeline: Pipeline,
  service: "std_udp_recv" | "std_assembler",
  signal: "SIGTERM" | "SIGKILL",
  meanwhile: () => void | Promise<void> = () => {},
): Promise<void> {
  if (signal === "SIGTERM") await pipeline.stop(service);
  else await pipeline.kill(service);
  await meanwhile();
  await pipeline.start(service);
}

/** The file has these images, whole. */
function assertImages(file: H5File, detector: TestDetector, ids: number[]): void {
  assert.deepEqual(file.metadata.records, ids.map((id) => [id, 1]));
  assert.deepEqual(file.data.sha256, ids.map((id) => detector.sha256(id)));
}

/** The file's account names each image that is not in it. */
function assertAccounted({ attributes, ...file }: H5File, images: number): void {
  const count = (name: string): number => Number(attributes[`images_${name}`]);
  const kinds = ["written", "lost", "failed", "missing", "not_taken"];
  const sum = kinds.map(count).reduce((total, n) => total + n, 0);
  assert.equal(sum, images, Deno.inspect(attributes));
  const there = file.metadata.records.map(([id]) => id);
  const named = String(attributes["lost_image_ids"]).split(", ").flatMap((text) => {
    const [from = NaN, to = from] = text.split("-").map(Number);
    return range(from, to);
  });
  assert.deepEqual([...there, ...named].toSorted((a, b) => a - b), range(0, images - 1));
  assert.equal(count("lost"), named.length);
}

/** Every packet that was sent is counted once. */
function assertSum(account: Account, { sent }: { sent: number }): void {
  const kinds = ["accepted", "duplicate", "late", "malformed", "foreign", "lost"] as const;
  const sum = kinds.reduce((total, kind) => total + Number(account[`packets_${kind}`]), 0);
  assert.equal(sum, sent, Deno.inspect(account));
}
