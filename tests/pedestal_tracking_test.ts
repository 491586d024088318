/** Pedestals of G0 that follow pixels without photons while images are corrected. */
import assert from "node:assert/strict";
import { parseConfig } from "../lib/config/mod.ts";
import { encodeArrayFile } from "../lib/hdf5/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import { askAssembler } from "../services/daq/calibration_client.ts";
import { moduleConfig, Pipeline, readPixels, simulate, uniqueName } from "./harness/mod.ts";

const PIXELS = 512 * 1024;
const IMAGES = 6;
const LIGHT = 1000; // a pixel with light
const DRIFT = 3; // ADU that the pedestals have moved since they were taken
const PHOTON = 500; // ADU
const shape = [3, 512, 1024];

/** Gains of 1 ADU/keV; pedestals from which a constant dark frame has drifted away. */
function writeCalibration(folder: string, raw: ArrayLike<number>, withNoise: boolean): string {
  const pedestals = new Float32Array(3 * PIXELS).fill(15_000);
  for (let i = 0; i < PIXELS; i++) pedestals[i] = raw[i]! - (i === LIGHT ? PHOTON : DRIFT);
  const path = `${folder}/pedestal.h5`;
  Deno.writeFileSync(
    path,
    encodeArrayFile({
      datasets: {
        "/gains": { data: new Float32Array(3 * PIXELS).fill(1), shape },
        "/pedestal": { data: pedestals, shape },
        ...(withNoise
          ? { "/pedestal_rms": { data: new Float32Array(3 * PIXELS).fill(4), shape } }
          : {}),
      },
    }),
  );
  return path;
}

function trackingConfig(path: string): ReturnType<typeof moduleConfig> {
  return moduleConfig("jungfrau-converted", 1, {
    detector_name: uniqueName("e2e-track"),
    calibration: { gains: path, pedestal: path, pedestal_tracking: { frames: 2 } },
  });
}

/** A folder with a calibration; removed afterwards. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "tracking_" });

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const options = { pattern: "dark", sourceImages: 1, images: IMAGES } as const;
const { config } = parseConfig(trackingConfig("/none"));
const raw = simulateImage(config, options, 1n);

Deno.test("pedestals follow pixels without photons, image by image, from every calibration that is loaded", async () => {
  using folder = new Folder();
  const path = writeCalibration(folder.path, raw, true);
  await using pipeline = await Pipeline.start(trackingConfig(path));
  await check(pipeline, "tracked.h5", IMAGES, "1");
  const context = { env: () => undefined, signal: new AbortController().signal };
  await askAssembler(pipeline.config, { command: "load", file: path }, context);
  await check(pipeline, "again.h5", 2, "100");

  // A frame with a gap moves nothing, not even the pixels that it has.
  await askAssembler(pipeline.config, { command: "load", file: path }, context);
  await simulate(
    pipeline,
    ...["--pattern", "dark", "--source-images", "1", "--images", "1", "--start-id", "200"],
    ...["--drop", "0.1"],
  );
  await pipeline.images(IMAGES + 3);
  assert.equal((await pipeline.account()).images_incomplete, 1n);
  await check(pipeline, "whole.h5", 2, "300");
});

/** Has images written, and compares every pixel. */
async function check(
  pipeline: Pipeline,
  name: string,
  images: number,
  firstId: string,
): Promise<void> {
  const file = await pipeline.write(name, images);
  await simulate(
    pipeline,
    ...["--pattern", "dark", "--source-images", "1", "--images", String(images)],
    ...["--start-id", firstId, "--rate", "20"],
  );
  await pipeline.finished();
  const pixels = new Float32Array((await readPixels(file.path)).buffer);
  assert.equal(pixels.length, images * PIXELS);
  for (let image = 0; image < images; image++) {
    // Averaged over two frames, half of the distance is left after each.
    const dark = DRIFT / 2 ** image;
    const own = pixels.subarray(image * PIXELS, (image + 1) * PIXELS);
    const wrong = own.findIndex((energy, i) => energy !== (i === LIGHT ? PHOTON : dark));
    assert.equal(wrong, -1, `pixel ${wrong} of image ${image} is ${own[wrong]}, not ${dark}`);
  }
}

Deno.test("std_assembler says that pedestals without their RMS cannot be tracked", async () => {
  using folder = new Folder();
  const path = writeCalibration(folder.path, raw, false);
  await using pipeline = await Pipeline.start(trackingConfig(path), { services: [] });
  const process = pipeline.spawn("std_assembler");
  assert.notEqual((await process.end()).code, 0);
  assert.match(process.tail(), /pedestal\.h5 has no dataset \/pedestal_rms/);
});
