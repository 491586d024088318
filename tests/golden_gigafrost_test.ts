/**
 * The recorded GigaFRoST of 504 × 252 px, two images: what std-daq's own services made of the packets.
 * 17 rows of 252 pixels go into a packet: an odd number that does not fill lines, so packets end with
 * 36 bytes of padding, and the last one is shorter.
 */
import assert from "node:assert/strict";
import {
  decodeImageMetadata,
  frameStreamAddress,
  imageRingName,
  imageStreamAddress,
  readGigafrostFrame,
} from "../lib/protocol/mod.ts";
import {
  type ConfigJson,
  imageIds,
  packetRecords,
  type Pipeline,
  readData,
  readJson,
  readWithH5py,
  type RecordedPacket,
  ringEntries,
  sendPackets,
  startRecorded,
  StreamListener,
} from "./harness/mod.ts";

interface Recording {
  config: ConfigJson;
  packets: { file: string };
  /** Frame structs of each module. */
  frames_hex: Record<string, string[]>;
  images: { metadata_hex: string; sha256: string }[];
}

const recording = readJson<Recording>("gigafrost/case.json");
const metadata = recording.images.map(({ metadata_hex }) => metadata_hex);
const pixels = recording.images.map(({ sha256 }) => sha256);
const packets = [...packetRecords(readData(`gigafrost/${recording.packets.file}`))];

/** Byte of the header whose bit 0 says that rows are swapped; it moves no pixel, as in the original. */
const QUADRANT_ROWS = 2;

/** Bit 15 of the image's status in a packet's header: the image is not to be stored. */
const STATUS_HIGH_BYTE = 13;

for (const order of ["in the order they were sent", "every module's in reverse"] as const) {
  Deno.test(`recorded GigaFRoST packets, ${order}, become the images and the messages of std-daq`, async () => {
    await using pipeline = await start();
    const stream = imageStreamAddress(pipeline.name);
    const frameStreams = Array.from({ length: 8 }, (_, m) => frameStreamAddress(pipeline.name, m));
    await using listener = await StreamListener.start([stream, ...frameStreams]);
    const { path } = await pipeline.write("golden.h5", pixels.length);

    sendPackets(
      pipeline,
      order === "every module's in reverse" ? reversedInFrames(packets) : packets,
    );
    await pipeline.finished();

    assert.deepEqual(await listener.take(stream, metadata.length), metadata);
    for (const [module, frames] of Object.entries(recording.frames_hex)) {
      assert.deepEqual(await listener.take(frameStreams[Number(module)]!, frames.length), frames);
    }
    const inRing = ringEntries(imageRingName(pipeline.name));
    assert.deepEqual(inRing.map(({ message }) => message), metadata);
    assert.deepEqual(inRing.map(({ sha256 }) => sha256), pixels);
    const file = await readWithH5py(path);
    assert.deepEqual([file.data.shape, file.data.dtype], [[2, 252, 504], "<u2"]);
    assert.deepEqual(file.data.sha256, pixels);
    assert.deepEqual(imageIds(file), [300, 301]);
    assert.deepEqual(file.metadata.records.map(([, status]) => status), [1, 1]);
  });
}

Deno.test("what a GigaFRoST's packets say of storing and of swapped rows is told on, and moves no pixel", async () => {
  await using pipeline = await start();
  const stream = imageStreamAddress(pipeline.name);
  const frameStream = frameStreamAddress(pipeline.name, 0);
  await using listener = await StreamListener.start([stream, frameStream]);
  const { path } = await pipeline.write("golden.h5", pixels.length);
  // Only the first image's; all packets were recorded with swapped rows.
  sendPackets(
    pipeline,
    packets.map(({ module, packet }, i) => ({
      module,
      packet: i < packets.length / 2
        ? packet.with(STATUS_HIGH_BYTE, 0x80).with(QUADRANT_ROWS, packet[QUADRANT_ROWS]! & 0xfe)
        : packet,
    })),
  );
  await pipeline.finished();
  const images = (await listener.take(stream, 2)).map((hex) =>
    decodeImageMetadata(Uint8Array.fromHex(hex)).detector
  );
  const stored = images.map((image) => image?.kind === "gf" && image.storeImage);
  assert.deepEqual(stored, [false, true]);
  const frames = (await listener.take(frameStream, 2)).map((hex) =>
    readGigafrostFrame(new DataView(Uint8Array.fromHex(hex).buffer), 0)
  );
  assert.deepEqual(frames.map(({ swappedRows }) => swappedRows), [0, 1]);
  // Both were asked for, and are in the file; which of them the camera would not have is, too.
  const file = await readWithH5py(path);
  assert.deepEqual(file.data.sha256, pixels);
  assert.deepEqual(file.image_info["do_not_store"], ["1", "0"]);
});

function start(): Promise<Pipeline> {
  return startRecorded(recording.config, "e2e-gf");
}

/** The same with the four packets of every frame of a module from the last to the first. */
function reversedInFrames(sent: readonly RecordedPacket[]): RecordedPacket[] {
  const frames: RecordedPacket[][] = [];
  for (let i = 0; i < sent.length; i += 4) frames.push(sent.slice(i, i + 4).reverse());
  return frames.flat();
}
