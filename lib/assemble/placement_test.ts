import assert from "node:assert/strict";
import { recordedConfig } from "../config/_test_configs.ts";
import { type DetectorConfig, imageBytes, imageShape, parseConfig } from "../config/mod.ts";
import { detectorFor, frameBytes } from "../detector/mod.ts";
import { instantiateKernels } from "../kernels/mod.ts";
import { eigerConfig, jungfrauConfig } from "../simulate/_testing.ts";
import { geometryHash, modulePlacements } from "./placement.ts";

const NEVER_WRITTEN = 0xa5;

type Pixels = Uint8Array | Uint16Array | Uint32Array;

function pixelsOf(bytes: Uint8Array, size: number): Pixels {
  const { buffer, byteOffset, byteLength } = bytes;
  if (size === 1) return bytes;
  return size === 2
    ? new Uint16Array(buffer, byteOffset, byteLength / 2)
    : new Uint32Array(buffer, byteOffset, byteLength / 4);
}

/** The pixel a module sends at a place: differs between neighbours and modules. */
function sent(module: number, i: number): number {
  return Math.imul(i + 1, 2654435761) ^ (module * 40503);
}

/** The image by the kernels. */
function assemble(config: DetectorConfig): Pixels {
  const detector = detectorFor(config);
  const layout = detector.moduleLayout(config);
  const frame = frameBytes(detector.packetFormat(config));
  const size = imageBytes(config);
  const pages = Math.ceil((size + frame) / 65536) + 3;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const kernels = instantiateKernels(memory);
  const from = 65536;
  const image = from + Math.ceil(frame / 65536) * 65536;
  const bytes = new Uint8Array(memory.buffer);
  bytes.fill(NEVER_WRITTEN, image, image + size);
  modulePlacements(config, layout).forEach((p, module) => {
    const pixels = pixelsOf(bytes.subarray(from, from + frame), layout.pixelBytes);
    for (let i = 0; i < pixels.length; i++) pixels[i] = sent(module, i);
    const to = image + p.to;
    if (p.mirrored) {
      kernels.assembleMirrored(to, from, p.rows, p.chips, p.run, p.gap, p.stride, p.pixel);
    } else kernels.assembleModule(to, from, p.rows, p.chips, p.run, p.gap, p.stride);
  });
  return pixelsOf(bytes.slice(image, image + size), layout.pixelBytes);
}

/** The image by the config's corners, pixel by pixel. */
function expected(config: DetectorConfig): Pixels {
  const { rows, chips, runPixels, gapPixels, pixelBytes } = detectorFor(config).moduleLayout(
    config,
  );
  const width = imageShape(config)[1];
  const image = pixelsOf(new Uint8Array(imageBytes(config)).fill(NEVER_WRITTEN), pixelBytes);
  for (let module = 0; module < config.n_modules; module++) {
    const [x0, y0, x1, y1] = config.module_positions[String(module)]!;
    let i = 0;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < chips * runPixels; column++) {
        const across = column + Math.floor(column / runPixels) * gapPixels;
        const x = x1 < x0 ? x0 - across : x0 + across;
        const y = y1 < y0 ? y0 - row : y0 + row;
        image[y * width + x] = sent(module, i++);
      }
    }
  }
  return image;
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
    ["the recorded Eiger 0.5M", parseConfig(await recordedConfig("eiger05m_out")).config],
    ["the recorded Eiger 9M", parseConfig(await recordedConfig("eiger9m_real")).config],
  ] as const
) {
  Deno.test(`modulePlacements() puts every pixel where the config says: ${name}`, () => {
    const is = assemble(config);
    const should = expected(config);
    const wrong = is.findIndex((pixel, i) => pixel !== should[i]);
    assert.equal(wrong, -1, `pixel ${wrong} is ${is[wrong]}, not ${should[wrong]}`);
  });
}

Deno.test("geometryHash() differs when a module lies elsewhere or is flipped", () => {
  const hashes = [
    flips,
    { ...flips, bit_depth: 32 },
    { ...flips, module_positions: { ...flips.module_positions, 0: [513, 0, 0, 255] } },
    { ...flips, module_positions: { ...flips.module_positions, 0: [0, 255, 513, 0] } },
  ].map((changes) => {
    const config = eigerConfig(changes);
    return geometryHash(modulePlacements(config, detectorFor(config).moduleLayout(config)));
  });
  assert.equal(new Set(hashes).size, hashes.length);
  assert.ok(hashes.every((hash) => hash >= 0n && hash < 1n << 64n));
});
