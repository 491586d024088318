/** Jungfrau converted: from packets to a file of energies or photons, against the plain formula. */
import assert from "node:assert/strict";
import { readCalibration } from "../lib/calibration/mod.ts";
import { parseConfig } from "../lib/config/mod.ts";
import { decodeImageMetadata, imageRingName, imageStreamAddress } from "../lib/protocol/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import {
  imageIds,
  moduleConfig,
  Pipeline,
  readWithH5py,
  ringEntries,
  sha256,
  simulate,
  StreamListener,
  TestDetector,
  uniqueName,
} from "./harness/mod.ts";
import { TestCalibration } from "./harness/calibration.ts";

/** A folder for calibrations; removed afterwards. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "calibration_" });

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function convertedConfig(
  modules: number,
  more: Record<string, unknown>,
): ReturnType<typeof moduleConfig> {
  return moduleConfig("jungfrau-converted", modules, {
    detector_name: uniqueName("e2e-jfc"),
    ...more,
  });
}

Deno.test("two modules, one upside down, by two workers: keV in the file to the last bit", async () => {
  using folder = new Folder();
  const calibration = new TestCalibration(2);
  const files = calibration.write(folder.path);
  const positions = { "0": [0, 0, 1023, 511], "1": [0, 1023, 1023, 512] };
  await using pipeline = await Pipeline.start(
    convertedConfig(2, { calibration: files, module_positions: positions }),
    { args: { std_assembler: ["--workers", "2"] } },
  );
  const address = imageStreamAddress(pipeline.name, "/tmp");
  await using stream = await StreamListener.start([address]);
  const images = 3;
  const { path } = await pipeline.write("kev.h5", images);
  const options = { pattern: "gain", seed: 3, images } as const;
  await simulate(pipeline, "--pattern", "gain", "--seed", "3", "--images", "3", "--rate", "20");
  await pipeline.finished();

  const file = await readWithH5py(path);
  assert.equal(file.data.dtype, "<f4");
  const counts = { masked: 0, saturated: 0, invalidGain: 0 };
  const expected = imageIds(file).map((id) => {
    const raw = simulateImage(pipeline.config, options, BigInt(id));
    const image = calibration.convert(raw, { type: "float32", photonEnergyKev: 1 }, [1]);
    for (const why of ["masked", "saturated", "invalidGain"] as const) {
      counts[why] += image.counts[why];
    }
    return sha256(new Uint8Array(image.pixels.buffer));
  });
  assert.equal(expected.length, images);
  assert.deepEqual(file.data.sha256, expected);

  const account = await pipeline.account();
  assert.deepEqual(
    {
      masked: Number(account["pixels_masked"]),
      saturated: Number(account["pixels_saturated"]),
      invalidGain: Number(account["pixels_invalid_gain"]),
    },
    counts,
  );
  assert.ok(counts.masked > 0);

  // Every message names the calibration.
  const { gains, pedestal } = files;
  const { id } = readCalibration(
    {
      gains: { path: gains, dataset: "/gains" },
      pedestal: { path: pedestal, dataset: "/pedestal" },
    },
    { modules: 2, rows: 512, columns: 1024 },
  );
  const { calibration_id, daq_rec, missing_packets } = file.image_info;
  assert.deepEqual(calibration_id, Array.from({ length: images }, () => String(id)));
  assert.deepEqual(daq_rec, imageIds(file).map(String)); // as the simulator counts it
  assert.deepEqual(missing_packets, ["0", "0", "0"]);
  for (const message of await stream.take(address, images)) {
    assert.equal(decodeImageMetadata(Uint8Array.fromHex(message)).calibrationId, id);
  }
});

Deno.test("photons as int16: what did not come is the invalid value, in rows and whole modules", async () => {
  using folder = new Folder();
  const calibration = new TestCalibration(2, 7);
  await using pipeline = await Pipeline.start(
    convertedConfig(2, {
      calibration: calibration.write(folder.path),
      converted_pixel_type: "int16",
      photon_energy_kev: 6.2,
    }),
    { services: ["std_udp_recv", "std_assembler", "writer_agent"] },
  );
  using detector = new TestDetector(pipeline.config);
  detector.send(1, 1);
  detector.sendPart(2, 100); // of 128 packets of 4 rows
  detector.send(3, 3);
  await pipeline.images(3);

  const conversion = { type: "int16", photonEnergyKev: 6.2 } as const;
  const whole = (id: number): Int16Array => {
    const { pixels } = calibration.convert(detector.raw(id), conversion);
    assert.ok(pixels instanceof Int16Array);
    return pixels;
  };
  const part = whole(2);
  for (const module of [0, 1]) {
    part.fill(-32768, (module * 512 + 400) * 1024, (module + 1) * 512 * 1024);
  }
  const entries = ringEntries(imageRingName(pipeline.name));
  assert.deepEqual(
    entries.map(({ status, sha256 }) => ({ status, sha256 })),
    [whole(1), part, whole(3)].map(({ buffer }, i) => ({
      status: i === 1 ? 2 : 1,
      sha256: sha256(new Uint8Array(buffer)),
    })),
  );
});

for (
  const [type, dtype, photonEnergyKev] of [
    ["uint16", "<u2", 0.5], // what G2 measures is beyond the type
    ["int32", "<i4", 0.1], // … and here it is not
  ] as const
) {
  Deno.test(`photons as ${type} are in a file as the plain formula counts them`, async () => {
    using folder = new Folder();
    const calibration = new TestCalibration(1, 3);
    await using pipeline = await Pipeline.start(convertedConfig(1, {
      calibration: calibration.write(folder.path),
      converted_pixel_type: type,
      photon_energy_kev: photonEnergyKev,
    }));
    const { path } = await pipeline.write("photons.h5", 2);
    await simulate(pipeline, "--pattern", "gain", "--images", "2", "--rate", "20");
    await pipeline.finished();

    const file = await readWithH5py(path);
    assert.equal(file.data.dtype, dtype);
    let beyond = 0; // what 16 bits cannot say
    const expected = imageIds(file).map((id) => {
      const raw = simulateImage(pipeline.config, { pattern: "gain", images: 2 }, BigInt(id));
      const { pixels, counts } = calibration.convert(raw, { type, photonEnergyKev });
      for (const pixel of pixels) if (pixel >= 65535) beyond++;
      if (type === "uint16") beyond -= counts.masked + counts.saturated + counts.invalidGain;
      return sha256(new Uint8Array(pixels.buffer));
    });
    assert.equal(expected.length, 2);
    assert.deepEqual(file.data.sha256, expected);
    assert.ok(beyond > 0, "no pixel has more photons than 16 bits can count");
  });
}

Deno.test("std_assembler says what a config of converted images lacks, and what does not fit", async () => {
  using folder = new Folder();
  const files = new TestCalibration(1).write(folder.path);
  const cases: [Record<string, unknown>, number, RegExp][] = [
    [{}, 3, /calibration is missing; expected gains and pedestals.*: add .*calibration/],
    [{ calibration: { ...files, gains: `${folder.path}/none.h5` } }, 4, /none\.h5/],
    [
      { calibration: { ...files, pedestal_dataset: "/gainsRMS" } },
      3,
      /pedestal\.h5 has no dataset \/gainsRMS, only: \/pedestal, \/pixel_mask/,
    ],
  ];
  for (const [more, code, message] of cases) {
    await using pipeline = await Pipeline.start(convertedConfig(1, more), { services: [] });
    const process = pipeline.spawn("std_assembler");
    assert.equal((await process.end()).code, code);
    assert.match(process.tail(), message);
  }
});

Deno.test("a module on its side, with gaps, shares the energies of its double pixels", async () => {
  using folder = new Folder();
  const calibration = new TestCalibration(1);
  const files = calibration.write(folder.path);
  await using pipeline = await Pipeline.start(convertedConfig(1, {
    calibration: files,
    image_pixel_height: 1030,
    image_pixel_width: 514,
    module_positions: { "0": [0, 0, 513, 1029] },
    module_rotations: { "0": 90 },
    double_pixels: "interpolate",
  }));
  const { path } = await pipeline.write("shared.h5", 2);
  await simulate(pipeline, "--pattern", "gain", "--images", "2", "--rate", "20");
  await pipeline.finished();

  const file = await readWithH5py(path);
  assert.deepEqual(file.data.shape, [2, 1030, 514]);
  const upright = parseConfig(moduleConfig("jungfrau-converted", 1)).config;
  const expected = imageIds(file).map((id) => {
    const raw = simulateImage(upright, { pattern: "gain", images: 2 }, BigInt(id));
    const { pixels } = calibration.convert(raw, { type: "float32", photonEnergyKev: 1 }, []);
    return sha256(new Uint8Array(turnedWithGaps(pixels).buffer));
  });
  assert.deepEqual(file.data.sha256, expected);
});

/** 1024 × 512 px turned clockwise, 2 px between the chips, their borders shared: first across columns. */
function turnedWithGaps(pixels: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const WIDTH = 514;
  const image = new Float32Array(WIDTH * 1030);
  const withGaps = (i: number): number => i + 2 * Math.floor(i / 256);
  for (let row = 0; row < 512; row++) {
    for (let column = 0; column < 1024; column++) {
      const at = withGaps(column) * WIDTH + 513 - withGaps(row);
      image[at] = pixels[row * 1024 + column]!;
    }
  }
  const share = (border: number, gap: number): void => {
    image[gap] = image[border] = image[border]! / 2;
  };
  for (let y = 0; y < 1030; y++) {
    share(y * WIDTH + 255, y * WIDTH + 256);
    share(y * WIDTH + 258, y * WIDTH + 257);
  }
  for (const y of [255, 513, 771]) {
    for (let x = 0; x < WIDTH; x++) {
      share(y * WIDTH + x, (y + 1) * WIDTH + x);
      share((y + 3) * WIDTH + x, (y + 2) * WIDTH + x);
    }
  }
  return image;
}
