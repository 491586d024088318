import assert from "node:assert/strict";
import { type DetectorConfig, imageBytes, parseConfig } from "../config/mod.ts";
import { instantiateKernels, JungfrauCorrector } from "../kernels/mod.ts";
import { mapFixed } from "../os/mod.ts";
import { SharedMemory } from "../ring/mod.ts";
import { moduleBorders } from "./borders.ts";
import {
  CalibrationFollower,
  CalibrationSwitch,
  makeCalibrationBoard,
} from "./calibration_board.ts";
import { type Bank, CalibrationBanks } from "./calibration_maps.ts";
import { blankModule, convertModule, scratchBytes } from "./convert_module.ts";
import { correctionSetup } from "./converter_setup.ts";
import { modulePlacements } from "./placement.ts";
import { detectorFor } from "../detector/mod.ts";

const ROWS = 512, COLUMNS = 1024, PIXELS = ROWS * COLUMNS;
const LIMIT_MS = 20_000;

Deno.test("a calibration is in force for the next image that begins, and the former one's bank is free when its images are done", async () => {
  const board = makeCalibrationBoard(2);
  const side = new CalibrationSwitch(board), follower = new CalibrationFollower(board);
  const banks: Bank[] = [];
  const load = (id: bigint, masked: number[]): Promise<void> =>
    side.load(id, (bank) => {
      banks.push(bank);
      return masked;
    }, LIMIT_MS);

  assert.throws(() => follower.take(), /before there was a calibration/);
  await load(11n, [1, 2]);
  assert.equal(side.inForce, 0n, "nobody has taken it over yet");
  follower.follow();
  await side.settled(LIMIT_MS);
  assert.equal(side.inForce, 11n);
  const old = follower.take();
  assert.deepEqual({ id: old.id, masked: [...old.masked] }, { id: 11n, masked: [1, 2] });

  await load(22n, [3, 4]);
  assert.equal(follower.take().id, 11n, "between two follow()s all images are alike");
  follower.release(old);
  follower.follow();
  const fresh = follower.take();
  assert.deepEqual({ id: fresh.id, masked: [...fresh.masked] }, { id: 22n, masked: [3, 4] });
  assert.notEqual(fresh.bank, old.bank);

  // One image of the first calibration is still in work: its bank must not be written.
  let third = false;
  const loading = load(33n, [5, 6]).then(() => third = true);
  await Promise.resolve();
  assert.equal(third, false);
  assert.equal(banks.length, 2);
  follower.release(old);
  await loading;
  assert.deepEqual(banks, [old.bank, fresh.bank, old.bank]);
});

Deno.test("load() gives up when images of the calibration before the last never end", async () => {
  const board = makeCalibrationBoard(1);
  const side = new CalibrationSwitch(board), follower = new CalibrationFollower(board);
  await side.load(1n, () => [0], LIMIT_MS);
  follower.follow();
  follower.take();
  await side.load(2n, () => [0], LIMIT_MS);
  follower.follow();
  await assert.rejects(side.load(3n, () => assert.fail("written"), 1), { name: "TimeoutError" });
});

Deno.test("corrected modules lie as module_positions and module_rotations say, with or without gaps", () => {
  const plain = picture(config({}));
  const at = (image: Float32Array, width: number, x: number, y: number): number =>
    image[y * width + x]!;
  const mirrored = picture(config({ module_positions: { "0": [1023, 511, 0, 0] } }));
  const turned = picture(config({
    image_pixel_height: 1024,
    image_pixel_width: 512,
    module_positions: { "0": [0, 0, 511, 1023] },
    module_rotations: { "0": 90 },
  }));
  const gaps = picture(config({
    image_pixel_height: 514,
    image_pixel_width: 1030,
    module_positions: { "0": [0, 0, 1029, 513] },
  }));
  const blanked = picture(config({}), { blanked: true });
  assert.ok(blanked.every(Number.isNaN));
  for (let y = 0; y < ROWS; y += 3) {
    for (let x = 0; x < COLUMNS; x += 7) {
      const value = at(plain, COLUMNS, x, y);
      assert.ok(Object.is(at(mirrored, COLUMNS, COLUMNS - 1 - x, ROWS - 1 - y), value));
      assert.ok(Object.is(at(turned, ROWS, ROWS - 1 - y, x), value), `turned ${x} ${y}`);
      const [gx, gy] = [x + 2 * Math.floor(x / 256), y + 2 * Math.floor(y / 256)];
      assert.ok(Object.is(at(gaps, 1030, gx, gy), value));
    }
  }
  assert.ok(plain.some(Number.isNaN) && plain.some((value) => value > 100));
});

/** Places and rotations of a module, and where its pixel (x, y) is in the image, of so many columns. */
const ORIENTATIONS: [Record<string, unknown>, number, (x: number, y: number) => number[]][] = [
  [{}, COLUMNS, (x, y) => [x, y]],
  [
    { module_positions: { "0": [0, 511, 1023, 0] } },
    COLUMNS,
    (x, y) => [x, ROWS - 1 - y],
  ],
  [
    { module_positions: { "0": [1023, 0, 0, 511] } },
    COLUMNS,
    (x, y) => [COLUMNS - 1 - x, y],
  ],
  [
    {
      image_pixel_height: 1030,
      image_pixel_width: 514,
      module_positions: { "0": [0, 0, 513, 1029] },
      module_rotations: { "0": 270 },
    },
    514,
    (x, y) => [y + 2 * Math.floor(y / 256), 1029 - x - 2 * Math.floor(x / 256)],
  ],
];

for (
  const [type, Pixels, invalid] of [
    ["float32", Float32Array, NaN],
    ["int16", Int16Array, -32_768],
    ["uint16", Uint16Array, 65_535],
    ["int32", Int32Array, -(2 ** 31)],
  ] as const
) {
  Deno.test(`${type} pixels of packets that never came have no value, wherever the module lies`, () => {
    const missing = [0, 3, 77, 127]; // four rows each
    for (const [orientation, columns, place] of ORIENTATIONS) {
      const settings = config({
        ...orientation,
        converted_pixel_type: type,
        photon_energy_kev: 1,
      });
      const whole = new Pixels(picture(settings).buffer);
      const image = new Pixels(picture(settings, { missing }).buffer);
      for (let y = 0; y < ROWS; y++) {
        for (let x = 0; x < COLUMNS; x += 5) {
          const [column, row] = place(x, y);
          const at = row! * columns + column!;
          const should = missing.includes(Math.floor(y / 4)) ? invalid : whole[at];
          if (!Object.is(image[at], should)) {
            assert.fail(`pixel ${x}, ${y} is ${image[at]}, not ${should}`);
          }
        }
      }
    }
  });
}

function config(more: Record<string, unknown>): DetectorConfig {
  return parseConfig({
    detector_name: "JF",
    detector_type: "jungfrau-converted",
    bit_depth: 16,
    n_modules: 1,
    image_pixel_height: ROWS,
    image_pixel_width: COLUMNS,
    start_udp_port: 50020,
    module_positions: { "0": [0, 0, COLUMNS - 1, ROWS - 1] },
    ...more,
  }).config;
}

/** The image of one module whose pixels all differ, but for packets that are missing. */
function picture(
  config: DetectorConfig,
  { blanked = false, missing = [] }: { blanked?: boolean; missing?: readonly number[] } = {},
): Float32Array<ArrayBuffer> {
  const setup = correctionSetup(config) ?? assert.fail("not corrected");
  using banks = new CalibrationBanks(setup);
  const [masked] = banks.write(1, [{
    gains: new Float32Array(3 * PIXELS).fill(40),
    pedestals: new Float32Array(3 * PIXELS).map((_, i) => (i % PIXELS) % 3000),
    mask: new Uint8Array(PIXELS).map((_, i) => i % 1000 === 0 ? 1 : 0),
  }]);
  assert.equal(masked, 525);
  const maps = banks.of(0);
  const layout = detectorFor(config).moduleLayout(config);
  const work = {
    conversion: { kind: "correct_jungfrau", setup, maps },
    placement: modulePlacements(config, layout)[0]!,
    borders: moduleBorders(config, layout)?.[0],
  } as const;
  const size = imageBytes(config);
  const memory = new SharedMemory(size + 2 * PIXELS + scratchBytes(work) + maps.bytes + 2 ** 18);
  const kernels = instantiateKernels(memory.memory);
  const from = memory.allocate(2 * PIXELS), image = memory.allocate(size);
  const mapsAt = memory.allocate(maps.bytes, 4096);
  mapFixed({
    address: memory.base + BigInt(mapsAt),
    bytes: maps.bytes,
    fd: maps.fd,
    fileOffset: maps.at[1],
    writable: false,
    populate: false,
  });
  const workBytes = JungfrauCorrector.workBytes(COLUMNS);
  const corrector = new JungfrauCorrector(
    memory.memory,
    kernels,
    memory.allocate(workBytes),
    COLUMNS,
  );
  const raw = new Uint16Array(memory.memory.buffer, from, PIXELS);
  for (let i = 0; i < PIXELS; i++) raw[i] = (i * 31 >>> 4) & 0x3fff;
  for (const packet of missing) raw.fill(0, 4096 * packet, 4096 * (packet + 1));
  convertModule(kernels, work, {
    from,
    image,
    scratch: memory.allocate(scratchBytes(work)),
    correction: { corrector, maps: mapsAt, missingPackets: missing.length },
  });
  if (blanked) blankModule(kernels, work, image);
  return new Float32Array(memory.memory.buffer, image, size / 4).slice();
}
