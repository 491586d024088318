/** Detectors that are a folder with a packet format and a geometry: what is sent is in the file. */
import assert from "node:assert/strict";
import { decodeImageMetadata, frameRingName, imageRingName } from "../lib/protocol/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import {
  imageIds,
  moduleConfig,
  Pipeline,
  readWithH5py,
  ringEntries,
  sha256,
  simulate,
} from "./harness/mod.ts";

const IMAGES = 20;

Deno.test("double pixels of an Eiger share their counts with the gap between the chips, but saturated ones", async () => {
  await using pipeline = await Pipeline.start(
    moduleConfig("eiger", 2, { bit_depth: 16, double_pixels: "interpolate" }),
  );
  const { path } = await pipeline.write("shared.h5", 8);
  await simulate(pipeline, ...["--pattern", "ramp", "--images", "8", "--rate", "50"]);
  await pipeline.finished();

  const file = await readWithH5py(path);
  const hashes = Array.from({ length: 8 }, (_, i) => {
    const image = simulateImage(pipeline.config, { pattern: "ramp", images: 8 }, BigInt(1 + i));
    for (let at = 0; at < image.length; at += 514) {
      for (const [border, gap] of [[255, 256], [258, 257]] as const) {
        const count = image[at + border]!;
        const isSaturated = count === 4095; // of a counter of 12 bit
        image[at + gap] = isSaturated ? count : Math.floor(count / 2);
        image[at + border] = isSaturated ? count : Math.ceil(count / 2);
      }
    }
    return sha256(new Uint8Array(image.buffer));
  });
  assert.deepEqual(file.data.sha256, hashes);
});

for (
  const [type, modules, shape, dtype, depth] of [
    ["moench", 2, [800, 400], "<u2"],
    ["gotthard2", 5, [5, 1280], "<u2"],
    ["mythen3", 3, [3, 3840], "<u4"],
    ["mythen3", 2, [2, 3840], "<u2", 16],
    ["mythen3", 2, [2, 3840], "|u1", 8],
    ["eiger", 2, [512, 514], "|u1", 4],
  ] as const
) {
  const bits = depth === undefined ? "" : ` of ${depth} bit`;
  Deno.test(`images of ${modules} ${type} modules${bits} are in a file as they were simulated`, async () => {
    const settings = depth === undefined ? {} : { bit_depth: depth };
    await using pipeline = await Pipeline.start(moduleConfig(type, modules, settings));
    const { path } = await pipeline.write("raw.h5", IMAGES);
    const options = ["--pattern", "ramp", "--seed", "3", "--start-id", "700"];
    const { expected } = await simulate(
      pipeline,
      ...options,
      ...["--images", String(IMAGES), "--rate", "100"],
    );
    await pipeline.finished();

    assert.equal(expected.imagesGood, IMAGES);
    const file = await readWithH5py(path);
    const ids = Array.from({ length: IMAGES }, (_, i) => 700 + i);
    assert.deepEqual(file.data.shape, [IMAGES, ...shape]);
    assert.equal(file.data.dtype, dtype);
    assert.deepEqual(imageIds(file), ids);
    assert.deepEqual(file.metadata.records.map(([, status]) => status), ids.map(() => 1));
    const simulated = { pattern: "ramp", seed: 3, startId: 700, images: IMAGES } as const;
    const hashes = ids.map((id) => {
      const { buffer } = simulateImage(pipeline.config, simulated, BigInt(id));
      return sha256(new Uint8Array(buffer));
    });
    assert.deepEqual(file.data.sha256, hashes);
    assert.equal(new Set(hashes).size, 8, "the pattern has eight different images");

    const [frame] = ringEntries(frameRingName(pipeline.name, modules - 1));
    assert.equal(
      frame?.message.slice(0, 4),
      "bc02",
      "a frame struct begins with the image id, 700",
    );
    const [image] = ringEntries(imageRingName(pipeline.name));
    const metadata = decodeImageMetadata(Uint8Array.fromHex(image?.message ?? ""));
    assert.equal(metadata.imageId, 700n);
    assert.equal(metadata.detector?.kind, type === "eiger" ? "eg" : undefined);
    const { packets_accepted, packets_lost } = await pipeline.account();
    assert.equal(packets_accepted, BigInt(expected.sent));
    assert.equal(packets_lost, 0n);
  });
}
