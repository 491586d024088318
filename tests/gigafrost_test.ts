/** GigaFRoSTs of all sizes, and as a user runs one, with the config of the documentation. */
import assert from "node:assert/strict";
import { parseConfig } from "../lib/config/mod.ts";
import { decodeImageMetadata, imageRingName } from "../lib/protocol/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import {
  DaqRun,
  freeUdpPorts,
  gigafrostConfig,
  imageIds,
  Pipeline,
  readWithH5py,
  ringEntries,
  sha256,
  simulate,
  uniqueName,
  until,
} from "./harness/mod.ts";

const EXAMPLE = new URL("../docs/examples/gigafrost-504x252.json", import.meta.url);
const IMAGES = 40;

Deno.test("daq runs a GigaFRoST: what daq simulate sends is in the file of daq write", async () => {
  const json = {
    ...JSON.parse(Deno.readTextFileSync(EXAMPLE)),
    detector_name: uniqueName("e2e-gf-run"),
    start_udp_port: freeUdpPorts(8),
  };
  const { daq, ready } = await DaqRun.start(json);
  await using _running = daq;
  assert.equal(ready.detector, json.detector_name);
  const path = daq.path("gigafrost.h5");
  const started = await daq.command("write", path, "-n", String(IMAGES));
  assert.equal(started.code, 0, started.err);
  const simulated = ["--images", String(IMAGES), "--rate", "200", "--pattern", "ramp"];
  const sent = await daq.command("simulate", daq.configPath, ...simulated);
  assert.equal(sent.code, 0, sent.err);
  await until(
    "end of the acquisition",
    async () => (await daq.client.status()).acquisition.state === "FINISHED",
  );

  const { accounting } = await daq.status();
  assert.equal(accounting["packets_accepted"], IMAGES * 8 * 4);
  assert.equal(accounting["packets_lost"], 0);
  const file = await readWithH5py(path);
  const ids = Array.from({ length: IMAGES }, (_, i) => i + 1);
  assert.deepEqual([file.data.shape, file.data.dtype], [[IMAGES, 252, 504], "<u2"]);
  assert.deepEqual(imageIds(file), ids);
  const { config } = parseConfig(json);
  assert.deepEqual(
    file.data.sha256,
    ids.map((id) => {
      const image = simulateImage(config, { pattern: "ramp", images: IMAGES }, BigInt(id));
      return sha256(new Uint8Array(image.buffer));
    }),
  );
  const each = (value: string): string[] => ids.map(() => value);
  const { scan_id, scan_time, sync_time, exposure_time, frame_timestamp } = file.image_info;
  assert.deepEqual([scan_id, scan_time, sync_time, exposure_time], [
    each("1"),
    each("100000"),
    each("200000"),
    each("1000"),
  ]);
  // 5 ms from one to the next, in 100 ns.
  assert.deepEqual(frame_timestamp, ids.map((id) => String((id - 1) * 50_000)));
  assert.deepEqual(file.image_info["frame_index"], ids.map(String));
  const [first] = ringEntries(imageRingName(json.detector_name));
  const { detector } = decodeImageMetadata(Uint8Array.fromHex(first?.message ?? ""));
  assert.ok(detector?.kind === "gf");
  assert.deepEqual([detector.scanId, detector.storeImage], [1, true]);
});

for (
  const [width, height, images, receive, send] of [
    [2016, 2016, 8, ["--gro"], ["--gso"]], // the largest, packets cut and brought together by the kernel
    [500, 12, 20, [], []], // a padded last packet, rows that are no multiple of a kernel's step
    [24, 4, 20, [], []], // the smallest
  ] as const
) {
  Deno.test(`images of a GigaFRoST of ${width} × ${height} px are in a file as they were simulated`, async () => {
    const size = { image_pixel_width: width, image_pixel_height: height };
    await using pipeline = await Pipeline.start(gigafrostConfig(size), {
      frameSlots: 24,
      imageSlots: 24,
      args: { std_udp_recv: receive },
    });
    const { path } = await pipeline.write("sized.h5", images);
    const options = ["--pattern", "ramp", "--images", String(images), "--rate", "50", ...send];
    const { expected } = await simulate(pipeline, ...options);
    await pipeline.finished();

    const file = await readWithH5py(path);
    assert.deepEqual(file.data.shape, [images, height, width]);
    assert.deepEqual(file.metadata.records.map(([, status]) => status), Array(images).fill(1));
    const hashes = Array.from({ length: images }, (_, i) => {
      const { buffer } = simulateImage(pipeline.config, { pattern: "ramp", images }, BigInt(i + 1));
      return sha256(new Uint8Array(buffer));
    });
    assert.deepEqual(file.data.sha256, hashes);
    const { packets_accepted, packets_lost } = await pipeline.account();
    assert.deepEqual([packets_accepted, packets_lost], [BigInt(expected.sent), 0n]);
  });
}
