import assert from "node:assert/strict";
import { ArrayFile } from "../hdf5/mod.ts";
import { GAIN_STAGES } from "./gain_stages.ts";
import { encodePedestalFile, type ModulePedestals } from "./pedestal_file.ts";
import { DEFAULT_PEDESTAL_LIMITS, makePedestalMask } from "./pedestal_mask.ts";
import { readCalibration } from "./read_calibration.ts";

const ROWS = 2, COLUMNS = 4, PIXELS = ROWS * COLUMNS, FRAMES = 3;
const SHAPE = { modules: 2, rows: ROWS, columns: COLUMNS };

/** Pedestals that differ by module, gain and pixel; pixel 5 of module 1 never had G1. */
function modulePedestals(module: number): ModulePedestals {
  const stages = GAIN_STAGES.map((_, gain) => {
    const never = (i: number): boolean => module === 1 && gain === 1 && i === 5;
    const map = (value: (i: number) => number): Float32Array<ArrayBuffer> =>
      Float32Array.from({ length: PIXELS }, (_, i) => never(i) ? NaN : value(i));
    return {
      pedestal: {
        means: map((i) => (gain === 0 ? 2800 : 15_000) + 100 * module + 10 * gain + i),
        noises: map((i) => 4 + i / 8),
        wrong: Uint32Array.from({ length: PIXELS }, (_, i) => never(i) ? FRAMES : 0),
        frames: FRAMES,
      },
      imageIds: BigUint64Array.from(
        { length: FRAMES },
        (_, i) => BigInt(1000 * module + 100 * gain + i),
      ),
      firstNs: BigInt(1e9 * gain + 1e6 * module),
      lastNs: BigInt(1e9 * gain + 5e8 + 1e6 * module),
      skipped: { incomplete: module, overwritten: 2, otherGain: gain, settling: 4 },
    };
  });
  return { stages, mask: makePedestalMask(stages.map(({ pedestal }) => pedestal)) };
}

const modules = [modulePedestals(0), modulePedestals(1)];
const BYTES = encodePedestalFile(modules, ROWS, {
  detectorName: "JF",
  detectorType: "jungfrau-raw",
  settle: 7,
  limits: DEFAULT_PEDESTAL_LIMITS,
  configName: "jf.json",
  configSha256: "ab".repeat(32),
  version: "1.2.3",
});

/** A folder with the file, and gains for it; it goes with the test. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "pedestal_file_test_" });
  readonly file = `${this.path}/pedestals.h5`;
  readonly gains = `${this.path}/gains.f32`;

  constructor() {
    Deno.writeFileSync(this.file, BYTES);
    const gains = new Float32Array(GAIN_STAGES.length * SHAPE.modules * PIXELS).fill(40);
    Deno.writeFileSync(this.gains, new Uint8Array(gains.buffer));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

Deno.test("a pedestal file is read as the pedestals and mask of a calibration", () => {
  using folder = new Folder();
  const calibration = readCalibration({
    gains: { path: folder.gains, dataset: "/gains" },
    pedestal: { path: folder.file, dataset: "/pedestal" },
  }, SHAPE);
  modules.forEach(({ stages, mask }, m) => {
    const { pedestals, mask: read } = calibration.maps[m]!;
    stages.forEach(({ pedestal }, gain) =>
      assert.deepEqual(
        pedestals.slice(gain * PIXELS, (gain + 1) * PIXELS),
        new Float64Array(pedestal.means),
      )
    );
    assert.deepEqual(read.map((bits) => bits === 0 ? 0 : 1), mask.mask.map((bits) => bits && 1));
  });
  assert.deepEqual(calibration.masked, { mask: 1, gain: 0, pedestal: 0 });
});

Deno.test("a pedestal file tells where it comes from", () => {
  using folder = new Folder();
  using file = new ArrayFile(folder.file);
  assert.deepEqual(file.shape("/provenance/image_ids"), [2, 3, FRAMES]);
  assert.deepEqual(
    [...file.numbers("/provenance/image_ids")].filter((_, i) => i % FRAMES === 0),
    [0, 100, 200, 1000, 1100, 1200],
  );
  assert.deepEqual(
    [...file.numbers("/provenance/skipped_frames")].slice(12),
    [1, 2, 0, 4, 1, 2, 1, 4, 1, 2, 2, 4],
  );
  assert.deepEqual(file.attributes("/provenance"), {
    detector_name: "JF",
    detector_type: "jungfrau-raw",
    modules: 2n,
    started: "1970-01-01T00:00:00.000Z",
    finished: "1970-01-01T00:00:02.501Z",
    frames_per_gain: 3n,
    settle_frames: 7n,
    config_name: "jf.json",
    config_sha256: "ab".repeat(32),
    std_daq_version: "1.2.3",
    limit_g0_low: 500,
    limit_g0_high: 10_000,
    limit_g1_low: 8000,
    limit_g1_high: 16_300,
    limit_g2_low: 8000,
    limit_g2_high: 16_300,
    limit_noise: 5,
    limit_wrong_gain: 0.01,
    masked_pixels: 1n,
    dead_pixels: 0n,
    noisy_pixels: 0n,
    wrong_gain_pixels: 1n,
  });
  assert.deepEqual(file.attributes("/pedestal"), { units: "ADU", axes: "gain, y, x" });
  assert.deepEqual(file.attributes("/pixel_mask"), {
    axes: "y, x",
    dead: 2n,
    noisy: 16n,
    wrong_gain: 512n,
  });
});
