/**
 * The recorded Eiger of four half modules, three 16-bit images: everything that std-daq's own
 * services made of the packets.
 */
import assert from "node:assert/strict";
import {
  decodeImageMetadata,
  encodeImageMetadata,
  imageRingName,
  imageStreamAddress,
} from "../lib/protocol/mod.ts";
import {
  type ConfigJson,
  type H5File,
  imageIds,
  packetRecords,
  readData,
  readJson,
  readWithH5py,
  ringEntries,
  sendPackets,
  startRecorded,
  StreamListener,
} from "./harness/mod.ts";

interface Recording {
  config: ConfigJson;
  packets: { file: string };
  images: { metadata_hex: string; sha256: string }[];
  h5: {
    data: [shape: number[], dtype: string, chunks: number[]];
    metadata: [imageId: number, status: number][];
  };
}

const recording = readJson<Recording>("eiger05m/case.json");
/** Exposure in the headers of the packets, 100 ns. */
const EXPOSURE = 376n;
const metadata = recording.images.map(({ metadata_hex }) => withExposure(metadata_hex));
const pixels = recording.images.map(({ sha256 }) => sha256);

Deno.test("recorded Eiger packets become the file that std_det_writer wrote, and the messages that it was sent", async () => {
  await using pipeline = await startRecorded(recording.config, "e2e-05m");
  const detector = pipeline.name;
  const stream = imageStreamAddress(detector);
  await using listener = await StreamListener.start([stream]);
  const { path } = await pipeline.write("golden.h5", pixels.length);

  sendPackets(pipeline, packetRecords(readData(`eiger05m/${recording.packets.file}`)));
  await pipeline.finished();

  assert.deepEqual(await listener.take(stream, metadata.length), metadata);
  const inRing = ringEntries(imageRingName(detector));
  assert.deepEqual(inRing.map(({ message }) => message), metadata);
  assert.deepEqual(inRing.map(({ sha256 }) => sha256), pixels);
  const file = await readWithH5py(path);
  assertSameFile(file, detector);
  assert.deepEqual(file.image_info["exptime"], file.metadata.records.map(() => String(EXPOSURE)));
});

/** The original's message with the exposure, which it leaves 0. */
function withExposure(hex: string): string {
  const message = decodeImageMetadata(Uint8Array.fromHex(hex));
  assert.deepEqual(message.detector, { kind: "eg", exptime: 0n });
  assert.equal(encodeImageMetadata(message).toHex(), hex);
  return encodeImageMetadata({ ...message, detector: { kind: "eg", exptime: EXPOSURE } }).toHex();
}

/** The file has what the recorded one had: the same types, chunks and values, and one dataset more. */
function assertSameFile(file: H5File, detector: string): void {
  const [shape, , chunks] = recording.h5.data;
  assert.deepEqual(file.objects, {
    [detector]: "group",
    [`${detector}/data`]: "dataset",
    [`${detector}/metadata`]: "dataset",
    [`${detector}/image_info`]: "dataset", // ours
  });
  assert.deepEqual(file.data, { shape, dtype: "<u2", chunks, sha256: pixels });
  assert.deepEqual(file.metadata.dtype, [["image_id", "<u8"], ["status", "<u8"]]);
  assert.deepEqual(file.metadata.records, recording.h5.metadata);
  assert.deepEqual(imageIds(file), [200, 201, 202]);
}
