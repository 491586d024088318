/** Images compressed into a ring of their own: as real processes, on the wire, and back. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  decodeImageMetadata,
  encodeImageMetadata,
  type ImageMetadata,
  imageRingName,
  imageStreamAddress,
} from "../lib/protocol/mod.ts";
import { indexMemoryBytes, RingWriter, SharedMemory } from "../lib/ring/mod.ts";
import {
  imageIds,
  jungfrauConfig,
  Pipeline,
  readWithH5py,
  ringEntries,
  type RingEntryView,
  sha256,
  simulate,
  StreamListener,
  until,
  WriterDriver,
} from "./harness/mod.ts";

const IMAGES = 40;

const IMAGE = { height: 512, width: 1024 };
const IMAGE_BYTES = IMAGE.height * IMAGE.width * 2;

/** The image ring of a detector, in place of an assembler's. */
function makeImageRing(detector: string, slots: number): RingWriter {
  return RingWriter.create(new SharedMemory(indexMemoryBytes(slots)), {
    ...{ name: imageRingName(detector), slotBytes: IMAGE_BYTES, slots, dtype: 2, geometry: 0n },
    ...IMAGE,
  });
}

function publishImage(ring: RingWriter, id: number, pixels: Uint8Array<ArrayBuffer>): void {
  const slot = id % ring.spec.slots;
  ring.lockSlot(slot);
  ring.data.writeAt(pixels, slot * IMAGE_BYTES);
  const facts = { imageId: BigInt(id), slot, status: 1, frameIndex: BigInt(id), epoch: 1 };
  ring.publish({
    ...{ ...facts, firstNs: 0n, completeNs: 0n, missingPackets: 0, damagedPackets: 0 },
    ...{ maskLow: 1n, maskHigh: 0n, payloadBytes: IMAGE_BYTES },
    metadata: encodeImageMetadata({
      ...{ imageId: BigInt(id), ...IMAGE, size: IMAGE_BYTES, dtype: "uint16" },
      ...{ status: "good_image", compression: "none" },
    }),
  });
}

function decode(message: string): ImageMetadata {
  return decodeImageMetadata(new Uint8Array(Buffer.from(message, "hex")));
}

Deno.test("std_data_compress and std_data_decompress pass every image on, in order, byte-identical", async () => {
  const services = [
    ...["std_udp_recv", "std_assembler", "std_data_compress", "std_data_decompress"] as const,
  ];
  await using pipeline = await Pipeline.start(jungfrauConfig(2), {
    services,
    args: {
      std_data_compress: ["--threads", "2"],
      std_data_decompress: ["-t", "2", "--to", "again"],
    },
  });
  const { name } = pipeline;
  const stream = imageStreamAddress(name, undefined, "h5bitshuffle-lz4");
  await using listener = await StreamListener.start([stream]);
  // Incomplete images are passed on, too.
  const sending = ["--images", String(IMAGES), "--rate", "100", "--pattern", "ramp"];
  await simulate(pipeline, ...sending, "--drop", "0.001");

  const messages = (await listener.take(stream, IMAGES)).map((text) => decode(text));
  const again = await until("all images", () => {
    const entries = ringEntries(imageRingName(name, "again"));
    return entries.length === IMAGES && entries;
  });
  const images = ringEntries(imageRingName(name));
  assert.deepEqual(again, images);
  assert.ok(images.some(({ status }) => status === 2), "some are incomplete");

  const chunks = ringEntries(imageRingName(name, "h5bitshuffle-lz4"));
  const told = ({ imageId, status, missingPackets }: RingEntryView): unknown[] => [
    ...[imageId, status, missingPackets],
  ];
  assert.deepEqual(chunks.map(told), images.map(told));
  chunks.forEach(({ message, imageId }, i) => {
    const metadata = messages[i]!;
    assert.deepEqual(metadata, decode(message));
    const image = decode(images[i]!.message);
    assert.deepEqual(metadata, { ...image, size: metadata.size, compression: "h5bitshuffle_lz4" });
    assert.equal(metadata.imageId, imageId);
    assert.ok(metadata.size < image.size / 2);
  });

  for (const service of ["std_data_compress", "std_data_decompress"] as const) {
    await pipeline.stop(service);
    const { images_in, images_out, images_overwritten, images_damaged } = pipeline.stats(service)!;
    const counts = [images_in, images_out, images_overwritten, images_damaged].map(Number);
    assert.deepEqual(counts, [IMAGES, IMAGES, 0, 0]);
  }
});

Deno.test("std_data_compress that is killed goes on where it was, none twice, none left out", async () => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1), {
    services: ["std_data_compress"],
    imageSlots: 32,
  });
  using ring = makeImageRing(pipeline.name, 32);
  const compressed = imageRingName(pipeline.name, "h5bitshuffle-lz4");
  const ids = (): number[] => ringEntries(compressed).map(({ imageId }) => Number(imageId));
  const pixels = new Uint8Array(IMAGE_BYTES);
  const publish = (first: number): void => {
    for (let id = first; id < first + 10; id++) publishImage(ring, id, pixels);
  };
  publish(1);
  await until("ten images", () => ids().length === 10);
  await pipeline.kill("std_data_compress");
  publish(11);
  await pipeline.start("std_data_compress");
  publish(21);
  await until("thirty images", () => ids().length === 30);
  assert.deepEqual(ids(), Array.from({ length: 30 }, (_, i) => i + 1));
  await pipeline.stop("std_data_compress");
  const { images_in, images_out } = pipeline.stats("std_data_compress")!;
  assert.deepEqual([images_in, images_out].map(Number), [30, 30]);
});

Deno.test("chunks of the ring are in the file as they are, noise without its filter: h5py reads the images", async () => {
  const services = ["std_data_compress", "std_h5_writer"] as const;
  using cleanup = new DisposableStack();
  const dataRoot = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "std_daq_e2e_" });
  cleanup.defer(() => Deno.removeSync(dataRoot, { recursive: true }));
  await using pipeline = await Pipeline.start(jungfrauConfig(1), {
    ...{ services, dataRoot },
    args: { std_h5_writer: ["--suffix", "h5bitshuffle-lz4"] },
  });
  using ring = makeImageRing(pipeline.name, 64);
  const images = [1, 2, 3].map((id) => {
    const noise = id === 2;
    let x = id;
    const pixels = new Uint8Array(IMAGE_BYTES).map((_, i) => {
      x ^= x << 13, x ^= x >>> 17, x ^= x << 5;
      return noise ? x >>> 8 : i % 2 === 0 ? x & 7 : 0;
    });
    publishImage(ring, id, pixels);
    return pixels;
  });
  const compressed = imageRingName(pipeline.name, "h5bitshuffle-lz4");
  const entries = await until("three chunks", () => {
    const found = ringEntries(compressed);
    return found.length === 3 && found;
  });
  using driver = new WriterDriver(pipeline.name);
  const path = pipeline.path("chunks.h5");
  assert.equal((await driver.create(path)).reason, "");
  // One at a time, where up to 32 are written together: none waits for others that do not come.
  for (const [entry, { message }] of entries.entries()) {
    const action = "record_image";
    const answer = await driver.ask({ action, entry: BigInt(entry), metadata: decode(message) });
    assert.deepEqual([answer.reason, answer.credit], ["", 32], "half of 64 slots");
  }
  assert.equal((await driver.ask({ action: "close_file" })).reason, "");
  const { data } = await readWithH5py(path);
  assert.deepEqual(data.sha256, images.map(sha256));
});

Deno.test("images that a stalled std_data_compress loses are lost images of the run, to the last one", async () => {
  const images = 60;
  const json = jungfrauConfig(1, { compression: "bitshuffle-lz4", compressed_ring: true });
  await using pipeline = await Pipeline.start(json, {
    services: [
      ...["std_udp_recv", "std_assembler", "std_data_compress"] as const,
      ...["std_h5_writer", "writer_agent"] as const,
    ],
    imageSlots: 16,
  });
  const { path } = await pipeline.write("run.h5", images);
  const compressor = pipeline.service("std_data_compress");
  compressor.kill("SIGSTOP");
  await simulate(pipeline, "--images", String(images), "--rate", "200");
  await pipeline.images(images);
  compressor.kill("SIGCONT");
  const { acquisition: { state, stats } } = await pipeline.ended();
  assert.equal(state, "FAILED");
  assert.ok(stats.n_lost > 0 && stats.n_write_completed > 0, Deno.inspect(stats));
  assert.equal(stats.n_write_completed + stats.n_lost, images);
  const file = await readWithH5py(path);
  assert.equal(file.data.shape[0], stats.n_write_completed);
  assert.equal(imageIds(file).at(-1), images);
  const account = await pipeline.account();
  assert.equal(account["compress_images_in"], BigInt(images));
  assert.equal(account["compress_images_overwritten"], BigInt(stats.n_lost));
  assert.ok(account["compress_bytes_out"]! > 0n);
  assert.equal(account["decompress_images_in"], undefined);
  await pipeline.stop("std_data_compress");
  const { images_in, images_out, images_overwritten } = pipeline.stats("std_data_compress")!;
  assert.deepEqual([Number(images_in), Number(images_overwritten)], [images, stats.n_lost]);
  assert.equal(Number(images_out), stats.n_write_completed);
});

Deno.test("std_data_compress says what is wrong with its arguments", async () => {
  const json = jungfrauConfig(1);
  for (
    const [args, message] of [
      [["--block-size", "100"], /--block-size 100 is no multiple of 16, eight pixels of uint16/],
      [["--to", "image"], /--from and --to are both image/],
    ] as const
  ) {
    await using pipeline = await Pipeline.start(json, {
      services: [],
      args: { std_data_compress: args },
    });
    const process = pipeline.spawn("std_data_compress");
    assert.equal((await process.end()).code, 2);
    assert.match(process.err.join("\n"), message);
  }
});
