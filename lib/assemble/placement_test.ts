import assert from "node:assert/strict";
import { recordedConfig } from "../config/_test_configs.ts";
import {
  type DetectorConfig,
  imageBytes,
  imageShape,
  moduleRectangles,
  parseConfig,
} from "../config/mod.ts";
import { detectorFor } from "../detector/mod.ts";
import { moduleConfig } from "../detector/_testing.ts";
import { eigerConfig, gigafrostConfig, jungfrauConfig } from "../simulate/_testing.ts";
import { assemble, expectedImage, sent } from "./_pictures.ts";
import { moduleBorders } from "./borders.ts";
import { geometryHash, modulePlacements, placementSpan } from "./placement.ts";

function sentOf4Bit(module: number, i: number): number {
  return sent(module, i) >>> 9 & 15;
}

/** The 72 half modules of an Eiger 9M as they really lie. */
async function recordedEiger9m(bit_depth: number): Promise<[string, DetectorConfig]> {
  const { config } = parseConfig({ ...await recordedConfig("eiger9m_real"), bit_depth });
  return [`the recorded Eiger 9M with ${bit_depth} bit`, config];
}

const four = { n_modules: 4, image_pixel_height: 512, image_pixel_width: 1028 };
const upright = { 0: [0, 0, 513, 255], 1: [514, 0, 1027, 255] };
const flips = {
  ...four,
  module_positions: {
    0: [0, 0, 513, 255],
    1: [1027, 0, 514, 255], // columns mirrored
    2: [0, 511, 513, 256], // rows reversed
    3: [1027, 511, 514, 256], // both
  },
};

/** Jungfrau modules in a grid with gaps of 8 and 36 px, every second one upside down. */
function jungfrauTiling(across: number, down: number): DetectorConfig {
  const at = (module: number): number[] => {
    const x = (module % across) * 1032, y = Math.floor(module / across) * 548;
    return module % 2 === 0 ? [x, y, x + 1023, y + 511] : [x + 1023, y + 511, x, y];
  };
  return jungfrauConfig({
    n_modules: across * down,
    image_pixel_width: across * 1032 - 8,
    image_pixel_height: down * 548 - 36,
    module_positions: Object.fromEntries(
      Array.from({ length: across * down }, (_, module) => [module, at(module)]),
    ),
  });
}

/** Eight square modules in a row, flipped and turned in all ways. */
function moenchTurned(): DetectorConfig {
  const corners = (module: number): number[] => {
    const left = module * 401, right = left + 399;
    return [
      ...(module & 1 ? [right] : [left]),
      ...(module & 2 ? [399] : [0]),
      ...(module & 1 ? [left] : [right]),
      ...(module & 2 ? [0] : [399]),
    ];
  };
  const modules = Array.from({ length: 16 }, (_, module) => module);
  return moduleConfig("moench", {
    n_modules: 16,
    image_pixel_height: 400,
    image_pixel_width: 16 * 401,
    module_positions: Object.fromEntries(modules.map((m) => [m, corners(m)])),
    module_rotations: Object.fromEntries(modules.map((m) => [m, 90 * (m >> 2)])),
  });
}

/** Half modules turned by 0, 90, 180 and 270°, the second and the last of them flipped, too. */
function eigerTurned(bit_depth: number): DetectorConfig {
  return eigerConfig({
    bit_depth,
    n_modules: 4,
    image_pixel_height: 516,
    image_pixel_width: 1100,
    module_positions: {
      0: [0, 0, 513, 255],
      1: [1099, 513, 844, 0],
      2: [0, 256, 513, 511],
      3: [520, 514, 775, 1],
    },
    module_rotations: { 1: 90, 2: 180, 3: 270 },
  });
}

function jungfrauTurned(): DetectorConfig {
  return jungfrauConfig({
    n_modules: 3,
    image_pixel_height: 1026,
    image_pixel_width: 2100,
    module_positions: { 0: [1, 1, 512, 1024], 1: [520, 0, 1031, 1023], 2: [1040, 3, 2063, 514] },
    module_rotations: { 0: 90, 1: 270, 2: 180 },
  });
}

function gotthard2Turned(): DetectorConfig {
  return moduleConfig("gotthard2", {
    n_modules: 3,
    image_pixel_height: 1280,
    image_pixel_width: 3,
    module_positions: { 0: [0, 0, 0, 1279], 1: [1, 0, 1, 1279], 2: [2, 1279, 2, 0] },
    module_rotations: { 0: 90, 1: 270, 2: 90 },
  });
}

for (
  const [name, config] of [
    ["eiger 8 bit, all flips", eigerConfig({ ...flips, bit_depth: 8 })],
    ["eiger 16 bit, all flips", eigerConfig({ ...flips, bit_depth: 16 })],
    ["eiger 32 bit, all flips", eigerConfig({ ...flips, bit_depth: 32 })],
    [
      "eiger modules side by side with room around them",
      eigerConfig({
        n_modules: 2,
        image_pixel_height: 300,
        image_pixel_width: 1100,
        module_positions: { 0: [3, 7, 516, 262], 1: [1099, 299, 586, 44] },
      }),
    ],
    ["eiger modules in a row", eigerConfig({ ...four, n_modules: 2, module_positions: upright })],
    ["jungfrau, one above the other", jungfrauConfig()],
    [
      "jungfrau, one upside down",
      jungfrauConfig({ module_positions: { 0: [0, 511, 1023, 0], 1: [0, 512, 1023, 1023] } }),
    ],
    ["jungfrau, tiling of 4 side by side", jungfrauTiling(4, 1)],
    ["jungfrau, tiling of 2 × 2", jungfrauTiling(2, 2)],
    ["jungfrau, 32 modules, 4 side by side", jungfrauTiling(4, 8)],
    ["a single jungfrau", jungfrauTiling(1, 1)],
    ["moench, all ways to lie", moenchTurned()],
    ["eiger 4 bit, all flips", eigerConfig({ ...flips, bit_depth: 4 })],
    ["eiger 4 bit, turned", eigerTurned(4)],
    ["eiger 8 bit, turned", eigerTurned(8)],
    ["eiger 16 bit, turned", eigerTurned(16)],
    ["eiger 32 bit, turned", eigerTurned(32)],
    ["jungfrau, turned", jungfrauTurned()],
    ["gotthard2 beside each other, on their side", gotthard2Turned()],
    ["the recorded Eiger 0.5M", parseConfig(await recordedConfig("eiger05m_out")).config],
    ...await Promise.all([4, 32].map(recordedEiger9m)),
  ] as const
) {
  Deno.test(`modulePlacements() puts every pixel where the config says: ${name}`, () => {
    const value = config.bit_depth === 4 ? sentOf4Bit : sent;
    const is = assemble(config, false, value);
    const should = expectedImage(config, value);
    const wrong = is.findIndex((pixel, i) => pixel !== should[i]);
    assert.equal(wrong, -1, `pixel ${wrong} is ${is[wrong]}, not ${should[wrong]}`);
  });
}

Deno.test("placementSpan() is from the first row of a module to its last, however it lies", () => {
  const configs = [eigerTurned(16), jungfrauTurned(), gotthard2Turned(), moenchTurned()];
  for (const config of [...configs, eigerConfig(flips), jungfrauTiling(2, 2)]) {
    const [height, width] = imageShape(config);
    const pixel = imageBytes(config) / (height * width);
    const placements = modulePlacements(config, detectorFor(config).moduleLayout(config));
    assert.deepEqual(
      placements.map(placementSpan),
      moduleRectangles(config).map(({ x, y, width: across, height: down }) => ({
        from: (y * width + x) * pixel,
        to: ((y + down - 1) * width + x + across) * pixel,
      })),
    );
  }
});

Deno.test("blankModule() zeroes what convertModule() writes, however a module lies", () => {
  for (const config of [eigerTurned(16), jungfrauTurned(), eigerConfig(flips)]) {
    const is = assemble(config, true);
    const should = expectedImage(config, () => 0);
    assert.equal(is.findIndex((pixel, i) => pixel !== should[i]), -1);
  }
});

Deno.test("modulePlacements() gives every row of a GigaFRoST to one link, from the middle of the image on", () => {
  const config = gigafrostConfig();
  const layout = detectorFor(config).moduleLayout(config);
  const owners = new Map<number, [module: number, row: number]>(); // by the first pixel of a row
  modulePlacements(config, layout).forEach((p, module) => {
    assert.deepEqual([p.rows, p.chips, p.run, p.gap, p.mirrored], [63, 1, 504, 0, false]);
    for (let row = 0; row < p.rows; row++) {
      const pixel = (p.to + row * p.stride) / 2;
      assert.ok(!owners.has(pixel), `pixel ${pixel} belongs to two links`);
      owners.set(pixel, [module, row]);
    }
  });
  assert.equal(owners.size, 2 * 252);
  const owner = (x: number, y: number): [number, number] | undefined => owners.get(y * 504 + x);
  assert.deepEqual([owner(0, 126), owner(0, 127), owner(0, 251)], [[0, 0], [1, 0], [1, 62]]);
  assert.deepEqual([owner(252, 126), owner(252, 250)], [[2, 0], [2, 62]]);
  assert.deepEqual([owner(0, 125), owner(0, 124), owner(0, 0)], [[4, 0], [5, 0], [5, 62]]);
  assert.deepEqual([owner(252, 125), owner(252, 1)], [[6, 0], [6, 62]]);
});

Deno.test("geometryHash() differs when a module lies elsewhere or is flipped", () => {
  const hashes = [
    flips,
    { ...flips, bit_depth: 32 },
    { ...flips, double_pixels: "interpolate" },
    { ...flips, module_positions: { ...flips.module_positions, 0: [513, 0, 0, 255] } },
    { ...flips, module_positions: { ...flips.module_positions, 0: [0, 255, 513, 0] } },
  ].map((changes) => {
    const config = eigerConfig(changes);
    const layout = detectorFor(config).moduleLayout(config);
    const borders = moduleBorders(config, layout);
    return geometryHash(
      modulePlacements(config, layout).map((placement, m) => ({
        placement,
        borders: borders?.[m],
      })),
    );
  });
  assert.equal(new Set(hashes).size, hashes.length);
  assert.ok(hashes.every((hash) => hash >= 0n && hash < 1n << 64n));
});
