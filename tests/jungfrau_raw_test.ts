/** Jungfrau raw, against the packets themselves. */
import assert from "node:assert/strict";
import {
  decodeImageMetadata,
  frameRingName,
  frameStreamAddress,
  imageRingName,
  imageStreamAddress,
} from "../lib/protocol/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import {
  type ConfigJson,
  freeUdpPorts,
  imageIds,
  jungfrauConfig,
  PATIENT,
  Pipeline,
  readData,
  readJson,
  readWithH5py,
  ringEntries,
  sha256,
  simulate,
  StreamListener,
  UdpSource,
  uniqueName,
} from "./harness/mod.ts";

interface Recording {
  config: ConfigJson;
  packets: { file: string; sha256: string };
  frame_messages_hex: string[];
  image_metadata_hex: string[];
}

const HEADER_BYTES = 48;
const PACKET_BYTES = 8240;
const PACKETS_PER_FRAME = 128;
const IMAGE_BYTES = 1024 * 512 * 2;

const recording = readJson<Recording>("jungfrau1m/case.json");

Deno.test("Jungfrau raw images are the packets' payloads, their ids the bunch ids", async () => {
  const bytes = readData(`jungfrau1m/${recording.packets.file}`);
  assert.equal(sha256(bytes), recording.packets.sha256);
  const packets = split(bytes);
  await using pipeline = await Pipeline.start({
    ...recording.config,
    ...PATIENT,
    detector_type: "jungfrau-raw",
    detector_name: uniqueName("e2e-jf1"),
    start_udp_port: freeUdpPorts(1),
  });
  const frameStream = frameStreamAddress(pipeline.name, 0);
  const imageStream = imageStreamAddress(pipeline.name);
  await using listener = await StreamListener.start([frameStream, imageStream]);
  const { path } = await pipeline.write("raw.h5", 2);

  using source = new UdpSource(pipeline.config);
  packets.forEach((packet) => source.push(0, packet));
  source.flush();
  await pipeline.finished();

  const file = await readWithH5py(path);
  const images = [0, 1].map((frame) => sha256(payloads(packets, frame)));
  assert.deepEqual(file.data.shape, [2, 512, 1024]);
  assert.equal(file.data.dtype, "<u2");
  assert.deepEqual(file.data.sha256, images);
  assert.deepEqual(imageIds(file), [0, 1].map((frame) => bunchId(packets[frame * 128]!)));
  assert.deepEqual(file.metadata.records.map(([, status]) => status), [1, 1]);

  assert.deepEqual(await listener.take(frameStream, 2), recording.frame_messages_hex);
  const inRing = ringEntries(frameRingName(pipeline.name, 0));
  assert.deepEqual(inRing.map(({ message }) => message), recording.frame_messages_hex);
  const messages = await listener.take(imageStream, 2);
  assert.deepEqual(
    ringEntries(imageRingName(pipeline.name)).map(({ message }) => message),
    messages,
  );
  messages.forEach((message, i) => {
    // The recorded images were converted: floats, of twice the size. All else is the same.
    assert.deepEqual(decodeImageMetadata(Uint8Array.fromHex(message)), {
      ...decodeImageMetadata(Uint8Array.fromHex(recording.image_metadata_hex[i]!)),
      dtype: "uint16",
      size: IMAGE_BYTES,
    });
  });
});

Deno.test("Jungfrau raw images of several modules are in a file as they were simulated", async () => {
  const images = 12;
  await using pipeline = await Pipeline.start(jungfrauConfig(3));
  const { path } = await pipeline.write("raw.h5", images);
  const options = ["--pattern", "gain", "--seed", "5", "--bunch-offset", "1000000"];
  const { expected } = await simulate(
    pipeline,
    ...options,
    ...["--images", String(images), "--rate", "50"],
  );
  await pipeline.finished();

  assert.equal(expected.imagesGood, images);
  const file = await readWithH5py(path);
  const simulated = { pattern: "gain", seed: 5, bunchOffset: 1_000_000, images } as const;
  const ids = Array.from({ length: images }, (_, i) => 1_000_001 + i);
  assert.deepEqual(imageIds(file), ids);
  const hashes = ids.map((id) => {
    const { buffer } = simulateImage(pipeline.config, simulated, BigInt(id));
    return sha256(new Uint8Array(buffer));
  });
  assert.deepEqual(file.data.sha256, hashes);
  assert.equal(new Set(hashes).size, 8, "the pattern has eight different images");
});

for (
  const [source, config, options, first] of [
    ["virtual detectors, which send no bunch ids", {}, ["--no-bunch-ids"], 1],
    ["a config that says so", { image_id_source: "frame_number" }, ["--bunch-offset", "900"], 1],
    ["a config that wants bunch ids", { image_id_source: "bunch_id" }, ["--bunch-offset", "9"], 10],
  ] as const
) {
  Deno.test(`Jungfrau images begin with id ${first} by ${source}`, async () => {
    const images = 4;
    await using pipeline = await Pipeline.start(jungfrauConfig(2, config));
    const { path } = await pipeline.write("ids.h5", images);
    const { expected } = await simulate(
      pipeline,
      ...options,
      ...["--images", String(images), "--rate", "50"],
    );
    await pipeline.finished();
    assert.equal(expected.imagesGood, images);
    const ids = Array.from({ length: images }, (_, i) => first + i);
    assert.deepEqual(imageIds(await readWithH5py(path)), ids);
  });
}

Deno.test("Jungfrau modules that lie on their side are in a file as they lie", async () => {
  const images = 4;
  await using pipeline = await Pipeline.start(jungfrauConfig(3, {
    image_pixel_height: 1536,
    image_pixel_width: 1024,
    module_positions: { 0: [0, 0, 511, 1023], 1: [512, 1023, 1023, 0], 2: [0, 1024, 1023, 1535] },
    module_rotations: { 0: 90, 1: 270, 2: 180 },
  }));
  const { path } = await pipeline.write("turned.h5", images);
  await simulate(
    pipeline,
    ...["--pattern", "ramp", "--images", String(images), "--rate", "20"],
  );
  await pipeline.finished();

  const file = await readWithH5py(path);
  assert.deepEqual(file.data.shape, [images, 1536, 1024]);
  const hashes = Array.from({ length: images }, (_, i) => {
    const options = { pattern: "ramp", images } as const;
    const { buffer } = simulateImage(pipeline.config, options, BigInt(1 + i));
    return sha256(new Uint8Array(buffer));
  });
  assert.deepEqual(file.data.sha256, hashes);
});

function split(bytes: Uint8Array): Uint8Array[] {
  return Array.from(
    { length: bytes.length / PACKET_BYTES },
    (_, i) => bytes.subarray(i * PACKET_BYTES, (i + 1) * PACKET_BYTES),
  );
}

function payloads(packets: Uint8Array[], frame: number): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(IMAGE_BYTES);
  packets.slice(frame * PACKETS_PER_FRAME, (frame + 1) * PACKETS_PER_FRAME).forEach((packet, i) =>
    image.set(packet.subarray(HEADER_BYTES), i * (PACKET_BYTES - HEADER_BYTES))
  );
  return image;
}

/** The bunch id is a double in the header. */
function bunchId(packet: Uint8Array): number {
  return new DataView(packet.buffer, packet.byteOffset).getFloat64(16, true);
}
