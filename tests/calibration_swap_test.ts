/** A calibration is exchanged between two images, without a restart, and every image says which it has. */
import assert from "node:assert/strict";
import { decodeImageMetadata, formatCalibrationId, imageRingName } from "../lib/protocol/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import {
  moduleConfig,
  Pipeline,
  ringEntries,
  ROOT,
  sha256,
  simulatorReport,
  startSimulator,
  TestProcess,
  uniqueName,
} from "./harness/mod.ts";
import { TestCalibration } from "./harness/calibration.ts";

const CONVERSION = { type: "int16", photonEnergyKev: 0.01 } as const;
/** Slow: all images of the run are to stay in the ring, however long the loading takes. */
const IMAGES_PER_SECOND = 4;

/** Runs `daq calibration …` with the permissions of the task; returns its exit status and output. */
async function daqCalibration(
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  await using process = new TestProcess("daq calibration", Deno.execPath(), [
    ...["run", "--quiet", "--no-prompt", "-P=daq", "services/daq/main.ts", "calibration"],
    ...args,
  ], { cwd: ROOT });
  const { code } = await process.end(60_000);
  return { code, out: process.out.join("\n"), err: process.err.join("\n") };
}

Deno.test("daq calibration load in mid-run: every image is wholly of one calibration and says which", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "calibration_" });
  try {
    const before = new TestCalibration(2), after = new TestCalibration(2, 3);
    const files = before.write(folder);
    const { pedestal } = after.write(folder, "-new");
    // The new pedestal file has no gains: the config's stay.
    const changed = before.withPedestalsOf(after);
    await using pipeline = await Pipeline.start(
      moduleConfig("jungfrau-converted", 2, {
        detector_name: uniqueName("e2e-swap"),
        calibration: files,
        converted_pixel_type: CONVERSION.type,
        photon_energy_kev: CONVERSION.photonEnergyKev,
      }),
      {
        services: ["std_udp_recv", "std_assembler", "writer_agent"],
        imageSlots: 101,
        args: { std_assembler: ["--workers", "2"] },
      },
    );
    const { configPath, config } = pipeline;
    const first = JSON.parse((await daqCalibration("status", configPath, "--json")).out);
    assert.equal(first.pedestal, files.pedestal);

    const refused = await daqCalibration("load", configPath, `${folder}/none.h5`);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /the calibration stays as it is: .*none\.h5/);
    const forbidden = await daqCalibration("load", configPath, "/etc/passwd");
    assert.equal(forbidden.code, 1);
    assert.match(
      forbidden.err,
      /\/etc\/passwd is not where calibrations may be read.*: put it into \/.*calibration_/,
    );

    await using simulator = startSimulator(
      pipeline,
      ...["--pattern", "flat", "--rate", String(IMAGES_PER_SECOND)],
    );
    await pipeline.images(10);
    const loaded = await daqCalibration("load", configPath, pedestal, "--json");
    assert.equal(loaded.code, 0, loaded.err);
    const second = JSON.parse(loaded.out);
    assert.equal(second.pedestal, pedestal);
    assert.equal(second.gains, files.gains);
    assert.notEqual(second.calibration_id, first.calibration_id);
    const { images_good } = await pipeline.account();
    await pipeline.images(Number(images_good) + 10);
    simulator.kill("SIGTERM");
    const { images } = await simulatorReport(simulator);
    await pipeline.images(images);

    const raw = simulateImage(config, { pattern: "flat", images: 1 }, 1n);
    const hash = (calibration: TestCalibration): string =>
      sha256(new Uint8Array(calibration.convert(raw, CONVERSION).pixels.buffer));
    const pixelsOf: Record<string, string> = {
      [first.calibration_id]: hash(before),
      [second.calibration_id]: hash(changed),
    };
    assert.equal(new Set(Object.values(pixelsOf)).size, 2, "the two make different images");
    const entries = ringEntries(imageRingName(pipeline.name));
    assert.equal(entries.length, images);
    const ids = entries.map((entry) => {
      const id = formatCalibrationId(entry.calibrationId);
      const { calibrationId } = decodeImageMetadata(Uint8Array.fromHex(entry.message));
      assert.equal(calibrationId, entry.calibrationId);
      assert.equal(entry.sha256, pixelsOf[id], `image ${entry.imageId}, calibration ${id}`);
      return id;
    });
    const change = ids.indexOf(second.calibration_id);
    assert.ok(change >= 10, `changed at ${change}`);
    assert.ok(ids.slice(0, change).every((id) => id === first.calibration_id));
    assert.ok(ids.slice(change).every((id) => id === second.calibration_id), "changed once");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("daq calibration says when no assembler runs, or none can have a calibration", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "calibration_" });
  try {
    const path = `${folder}/config.json`;
    const write = (type: "jungfrau-converted" | "jungfrau-raw"): void =>
      Deno.writeTextFileSync(path, JSON.stringify(moduleConfig(type, 1)));
    write("jungfrau-converted");
    const absent = await daqCalibration("status", path);
    assert.equal(absent.code, 4);
    assert.match(absent.err, /no answer from the assembler of .*: start it \(daq run\)/);
    write("jungfrau-raw");
    const raw = await daqCalibration("status", path);
    assert.equal(raw.code, 2);
    assert.match(raw.err, /whose images are not corrected/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
