/** A GigaFRoST as a user runs it, with the config of the documentation. */
import assert from "node:assert/strict";
import { parseConfig } from "../lib/config/mod.ts";
import { decodeImageMetadata, imageRingName } from "../lib/protocol/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import {
  DaqRun,
  freeUdpPorts,
  imageIds,
  readWithH5py,
  ringEntries,
  sha256,
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
  const [first] = ringEntries(imageRingName(json.detector_name));
  const { detector } = decodeImageMetadata(Uint8Array.fromHex(first?.message ?? ""));
  assert.ok(detector?.kind === "gf");
  assert.deepEqual([detector.scanId, detector.storeImage], [1, true]);
});
