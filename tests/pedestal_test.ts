/** A pedestal run, from packets to the file, against the simulated frames themselves. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { parseConfig } from "../lib/config/mod.ts";
import { formatCalibrationId, frameRingName, imageRingName } from "../lib/protocol/mod.ts";
import { RingReader, RingRecord, SharedMemory } from "../lib/ring/mod.ts";
import { badPixels, createSimulation, simulateImage } from "../lib/simulate/mod.ts";
import {
  DaqRun,
  imageIds,
  jungfrauConfig,
  moduleConfig,
  readArraysWithH5py,
  readPixels,
  readWithH5py,
  ringEntries,
  uniqueName,
  until,
} from "./harness/mod.ts";
import { TestCalibration } from "./harness/calibration.ts";

const FRAMES = 24;
const SETTLE = 3;
const SPARE = 20; // frames that daq pedestal has the simulator send beyond those
const SOURCES = 8n; // different images of a gain, sent in turn
const PIXELS = 512 * 1024;
const CODES = [0, 1, 3];

Deno.test("daq pedestal --simulate finds mean and RMS of every pixel to the last bit, and every bad pixel", async () => {
  const json = jungfrauConfig(1);
  const { config } = parseConfig(json);
  const { daq } = await DaqRun.start(json);
  await using _running = daq;
  const path = daq.path("pedestals.h5");
  const report = await simulatedPedestal(
    daq,
    ...["--output", path, "--frames", String(FRAMES), "--settle", String(SETTLE)],
    "--simulator-options",
    "--seed 4 --dead-pixels 6 --noisy-pixels 5 --wrong-gain-pixels 7 --rate 60",
  );
  assert.equal(report.file, path);
  assert.equal(report.masked_pixels, 18);

  const { attributes, datasets } = await readArraysWithH5py(path);
  const ids = new BigUint64Array(datasets["/provenance/image_ids"]!.buffer);
  assert.deepEqual(datasets["/provenance/image_ids"]!.shape, [1, 3, FRAMES]);
  const means = new Float32Array(datasets["/pedestal"]!.buffer);
  const noises = new Float32Array(datasets["/pedestal_rms"]!.buffer);
  assert.deepEqual(datasets["/pedestal"]!.shape, [3, 512, 1024]);
  assert.deepEqual(datasets["/pedestal_rms"]!.shape, [3, 512, 1024]);
  const played = {
    pattern: "dark",
    seed: 4,
    gains: [0, 1, 2],
    framesPerGain: FRAMES + SETTLE + SPARE,
    badPixels: { dead: 6, noisy: 5, wrongGain: 7 },
  } as const;
  for (const gain of [0, 1, 2]) {
    const own = ids.subarray(gain * FRAMES, (gain + 1) * FRAMES);
    assert.equal(new Set(own).size, FRAMES);
    const sources = new Map<bigint, ReturnType<typeof simulateImage>>();
    const frames = [...own].map((id) => {
      const source = (id - 1n) % SOURCES;
      const frame = sources.get(source) ?? simulateImage(config, played, id);
      sources.set(source, frame);
      return frame;
    });
    const expected = pedestalOf(frames, CODES[gain]!);
    const of = (map: Float32Array): Float32Array =>
      map.subarray(gain * PIXELS, (gain + 1) * PIXELS);
    assert.equal(firstDifference(of(means), expected.means), undefined, `means of G${gain}`);
    assert.equal(firstDifference(of(noises), expected.noises), undefined, `RMS of G${gain}`);
  }

  const bad = badPixels(createSimulation(config, played), 0, PIXELS);
  const mask = new Uint32Array(datasets["/pixel_mask"]!.buffer);
  const { dead, noisy, wrong_gain } = attributes["/pixel_mask"]!;
  for (
    const [bit, pixels] of [[dead, bad.dead], [noisy, bad.noisy], [
      wrong_gain,
      bad.wrongGain,
    ]] as const
  ) {
    const marked = [...mask.entries()].filter(([, bits]) => bits === bit).map(([pixel]) => pixel);
    assert.deepEqual(marked, pixels);
  }
  assert.equal(mask.filter((bits) => bits !== 0).length, 18);

  const { started, finished, ...provenance } = attributes["/provenance"]!;
  assert.ok(Date.parse(String(started)) < Date.parse(String(finished)));
  const configBytes = await Deno.readFile(daq.configPath);
  assert.deepEqual(provenance, {
    detector_name: config.detector_name,
    detector_type: "jungfrau-raw",
    modules: 1,
    frames_per_gain: FRAMES,
    settle_frames: SETTLE,
    config_name: "config.json",
    config_sha256: createHash("sha256").update(configBytes).digest("hex"),
    std_daq_version: JSON.parse(await Deno.readTextFile("deno.json")).version,
    limit_g0_low: 500,
    limit_g0_high: 10_000,
    limit_g1_low: 8000,
    limit_g1_high: 16_300,
    limit_g2_low: 8000,
    limit_g2_high: 16_300,
    limit_noise: 5,
    limit_wrong_gain: 0.01,
    masked_pixels: 18,
    dead_pixels: 6,
    noisy_pixels: 5,
    wrong_gain_pixels: 7,
  });
});

Deno.test("daq pedestal --apply: the next images are made with what was just recorded", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "calibration_" });
  try {
    const name = uniqueName("e2e-apply");
    const config = moduleConfig("jungfrau-converted", 1, {
      detector_name: name,
      calibration: new TestCalibration(1).write(folder),
    });
    const { daq } = await DaqRun.start(config);
    await using _running = daq;
    const dark = ["--pattern", "dark", "--gain", "0", "--images", "3", "--rate", "20"];
    const before = await spread(daq, name, "before.h5", dark, "1");
    const report = await simulatedPedestal(
      daq,
      ...["--apply", "--frames", "16", "--settle", "2"],
      ...["--simulator-options", "--rate 60 --start-id 100"],
    );
    assert.equal(dirname(String(report.file)), folder, "beside the former");
    const status = await daq.command("calibration", "status", daq.configPath, "--json");
    assert.equal(JSON.parse(status.out).pedestal, report.file);
    assert.equal(JSON.parse(status.out).calibration_id, report.calibration_id);
    const after = await spread(daq, name, "after.h5", dark, "100000");
    const newest = ringEntries(imageRingName(name)).at(-1);
    assert.equal(formatCalibrationId(newest?.calibrationId ?? 0n), report.calibration_id);
    // Pedestals differ by ±200 ADU from pixel to pixel, noise is 4 or 8 ADU, gains are 41 ADU/keV.
    assert.ok(before > 2, `${before} keV with the former pedestals`);
    assert.ok(after < 0.3, `${after} keV with the new ones`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

/** Runs `daq pedestal --simulate … --json`, however long it takes; returns its report. */
async function simulatedPedestal(
  daq: DaqRun,
  ...options: string[]
): Promise<Record<string, unknown>> {
  await using process = daq.spawn("pedestal", daq.configPath, "--simulate", "--json", ...options);
  const { code } = await process.end(120_000);
  assert.equal(code, 0, process.tail());
  return JSON.parse(process.out[0] ?? assert.fail(process.tail()));
}

/** Writes dark images and returns the spread of their energies, keV. */
async function spread(
  daq: DaqRun,
  detector: string,
  file: string,
  dark: readonly string[],
  firstId: string,
): Promise<number> {
  const path = daq.path(file);
  await until(
    "the image of the last frame",
    () => newestId(frameRingName(detector, 0)) === newestId(imageRingName(detector)),
  );
  assert.equal((await daq.command("write", path, "-n", "3")).code, 0);
  const sent = await daq.command("simulate", daq.configPath, ...dark, "--start-id", firstId);
  assert.equal(sent.code, 0, sent.err);
  await until(
    "three images",
    async () => (await daq.client.status()).acquisition.state === "FINISHED",
  );
  assert.equal(imageIds(await readWithH5py(path)).length, 3);
  const energies = new Float32Array((await readPixels(path)).buffer).filter(Number.isFinite);
  const square = energies.reduce((sum, energy) => sum + energy ** 2, 0) / energies.length;
  return Math.sqrt(square);
}

/** Id of the newest entry of a ring. */
function newestId(ring: string): bigint | undefined {
  using reader = RingReader.open(new SharedMemory(2 ** 24), ring);
  const record = new RingRecord();
  const { head } = reader;
  return head > 0n && reader.read(head - 1n, record) === "ok" ? record.imageId : undefined;
}

/** Mean and RMS of every pixel over the frames in which it has the gain code, without any kernel. */
function pedestalOf(
  frames: readonly (Uint8Array | Uint16Array | Uint32Array)[],
  code: number,
): { means: Float32Array; noises: Float32Array } {
  const means = new Float32Array(PIXELS), noises = new Float32Array(PIXELS);
  for (let i = 0; i < PIXELS; i++) {
    let n = 0, sum = 0, squares = 0;
    for (const frame of frames) {
      const raw = frame[i]!;
      if (raw >> 14 !== code) continue;
      n++;
      sum += raw & 0x3fff;
      squares += (raw & 0x3fff) ** 2;
    }
    // Relative to a whole number near the mean: whole numbers below 2⁵³, exact.
    const k = Math.floor(sum / n);
    const s = sum - n * k, q = squares - 2 * k * sum + n * k * k;
    means[i] = sum / n;
    noises[i] = Math.sqrt((q - s * s / n) / n);
  }
  return { means, noises };
}

/** The first pixel that differs by a bit, with both values. */
function firstDifference(
  found: Float32Array,
  expected: Float32Array,
): [pixel: number, found: number, expected: number] | undefined {
  const pixel = found.findIndex((value, i) => !Object.is(value, expected[i]));
  return pixel < 0 ? undefined : [pixel, found[pixel]!, expected[pixel]!];
}
