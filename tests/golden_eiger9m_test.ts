/**
 * The golden Eiger capture (72 modules, 9M, 32 bit, real data), packet by packet through real UDP
 * sockets and all services into a file.
 */
import assert from "node:assert/strict";
import { frameRingName, frameStreamAddress, imageRingName } from "../lib/protocol/mod.ts";
import { imageStreamAddress } from "../lib/protocol/mod.ts";
import {
  type ConfigJson,
  freeUdpPorts,
  PATIENT,
  Pipeline,
  readData,
  readJson,
  readWithH5py,
  ringEntries,
  sha256,
  StreamListener,
  UdpSource,
  uniqueName,
} from "./harness/mod.ts";

interface Recording {
  config: ConfigJson;
  packets: { file: string; sha256: string };
  image: { id: number; shape: [number, number]; dtype: string; sha256: string };
  image_metadata_hex: string;
  module_metadata_hex: string[];
  frame_sha256: string[];
}

const PACKET_BYTES = 4144;
const PACKETS_PER_FRAME = 128;

const recording = readJson<Recording>("eiger9m/case.json");
const { config, image } = recording;
const modules = Array.from({ length: config.n_modules }, (_, module) => module);

Deno.test("a real Eiger 9M frame becomes a file, messages and rings byte-identical to the recorded ones", async () => {
  const packets = readData(`eiger9m/${recording.packets.file}`);
  assert.equal(sha256(packets), recording.packets.sha256);
  await using pipeline = await Pipeline.start({
    ...config,
    ...PATIENT,
    detector_name: uniqueName("e2e-9m"),
    start_udp_port: freeUdpPorts(config.n_modules),
  }, { frameSlots: 4, imageSlots: 4 });
  const frameStreams = modules.map((module) => frameStreamAddress(pipeline.name, module));
  const imageStream = imageStreamAddress(pipeline.name);
  await using listener = await StreamListener.start([...frameStreams, imageStream]);
  const { path } = await pipeline.write("golden.h5", 1);

  sendInterleaved(pipeline, packets);
  await pipeline.finished();

  const file = await readWithH5py(path);
  assert.equal(file.attributes["packets_accepted"], String(72 * PACKETS_PER_FRAME));
  assert.equal(file.attributes["packets_lost"], "0");
  assert.deepEqual(file.data.shape, [1, ...image.shape]);
  assert.equal(file.data.dtype, image.dtype);
  assert.deepEqual(file.data.sha256, [image.sha256]);
  assert.deepEqual(file.metadata.records, [[image.id, 1]]);

  const [inRing, ...more] = ringEntries(imageRingName(pipeline.name));
  assert.deepEqual(more, []);
  assert.equal(inRing?.message, recording.image_metadata_hex);
  assert.equal(inRing?.sha256, image.sha256);
  assert.deepEqual(await listener.take(imageStream, 1), [recording.image_metadata_hex]);

  for (const module of modules) {
    const [frame] = ringEntries(frameRingName(pipeline.name, module));
    assert.equal(frame?.message, recording.module_metadata_hex[module], `module ${module}`);
    assert.equal(frame?.sha256, recording.frame_sha256[module], `module ${module}`);
    const messages = await listener.take(frameStreams[module]!, 1);
    assert.deepEqual(messages, [recording.module_metadata_hex[module]], `module ${module}`);
  }
});

/** As a detector does: all modules at the same time, each its packets in order. */
function sendInterleaved(pipeline: Pipeline, packets: Uint8Array): void {
  using source = new UdpSource(pipeline.config);
  for (let packet = 0; packet < PACKETS_PER_FRAME; packet++) {
    for (const module of modules) {
      const at = (module * PACKETS_PER_FRAME + packet) * PACKET_BYTES;
      source.push(module, packets.subarray(at, at + PACKET_BYTES));
    }
  }
  source.flush();
}
