import assert from "node:assert/strict";
import { recordedConfig } from "../config/_test_configs.ts";
import { type DetectorConfig, imageBytes, parseConfig } from "../config/mod.ts";
import { jungfrau } from "../detector/jungfrau/jungfrau.ts";
import { instantiateKernels } from "../kernels/mod.ts";
import { eigerConfig, jungfrauConfig } from "../simulate/_testing.ts";
import { finishBorders, moduleBorders } from "./borders.ts";
import { assemble, imagePicture, type Picture, pixelsOfPicture } from "./_pictures.ts";

/** Pixel types of converted images, a view of memory, and the value of pixels that are none. */
const CONVERTED = [
  ["float32", (b: ArrayBufferLike, at: number, n: number) => new Float32Array(b, at, n / 4), NaN],
  ["uint16", (b: ArrayBufferLike, at: number, n: number) => new Uint16Array(b, at, n / 2), 65_535],
  [
    "int16",
    (b: ArrayBufferLike, at: number, n: number) => new Int16Array(b, at, n / 2),
    -(2 ** 15),
  ],
  [
    "int32",
    (b: ArrayBufferLike, at: number, n: number) => new Int32Array(b, at, n / 4),
    -(2 ** 31),
  ],
] as const;

/** Counts of saturated pixels of an Eiger: 16 bit are sent of a counter of 12. */
const EIGER_LIMITS = { 4: 15, 8: 255, 16: 4095, 32: 2 ** 32 - 1 } as const;

/** What a module sends: every seventh pixel is saturated. */
const counts = (limit: number) => (module: number, i: number): number =>
  i % 7 === 0 ? limit : (Math.imul(i + 1, 2654435761) ^ (module * 40503)) >>> 9 & limit;

/** Whether there are two pixels of gap beside a pixel, and a chip beyond. */
function isBorder(picture: Picture, x: number, y: number, dx: number, dy: number): boolean {
  const at = (n: number): number | undefined => picture[y + n * dy]?.[x + n * dx];
  return at(1) === undefined && at(2) === undefined && at(3) !== undefined;
}

/** Shares the pixels of a picture with the gaps on one side of them, or masks both. */
function pass(
  picture: Picture,
  sources: Picture,
  [dx, dy]: readonly [number, number],
  change: (border: number) => [border: number, gap: number],
  sourceOf: (x: number, y: number) => readonly [number, number],
): void {
  picture.map((row) => [...row]).forEach((row, y) =>
    row.forEach((pixel, x) => {
      const [sourceX, sourceY] = sourceOf(x, y);
      if (pixel === undefined || !isBorder(sources, sourceX, sourceY, dx, dy)) return;
      const [border, gap] = change(pixel);
      picture[y]![x] = border;
      picture[y + dy]![x + dx] = gap;
    })
  );
}

/** What becomes of a border pixel and its gap pixel, in counts. */
function changeOf(config: DetectorConfig): (v: number) => [border: number, gap: number] {
  const mask = pixelMask(config);
  const limit = config.detector_type === "eiger"
    ? EIGER_LIMITS[config.bit_depth]
    : 2 ** config.bit_depth - 1;
  return (v) => {
    if (config.double_pixels === "mask") return [mask, mask];
    const half = v === limit ? limit : Math.floor(v / 2);
    return [v === limit ? limit : v - half, half];
  };
}

/** Double pixels by the definition: along rows first, then along columns, gap pixels as their source. */
function handled(config: DetectorConfig, picture: Picture, change = changeOf(config)): Picture {
  const result = picture.map((row) => [...row]);
  for (const side of [[1, 0], [-1, 0]] as const) {
    pass(result, picture, side, change, (x, y) => [x, y]);
  }
  const source = (x: number, y: number): [number, number] => {
    if (picture[y]?.[x] !== undefined) return [x, y];
    return picture[y]?.[x - 1] !== undefined ? [x - 1, y] : [x + 1, y];
  };
  for (const side of [[0, 1], [0, -1]] as const) pass(result, picture, side, change, source);
  return result;
}

function pixelMask(config: DetectorConfig): number {
  return 2 ** (8 * Math.max(1, config.bit_depth / 8)) - 1;
}

function assertImage(config: DetectorConfig, picture: Picture, value = counts(255)): void {
  const is = assemble(config, false, value);
  const should = pixelsOfPicture(config, picture);
  const wrong = is.findIndex((pixel, i) => pixel !== should[i]);
  const { image_pixel_width: width } = config;
  const place = `${wrong % width}, ${Math.floor(wrong / width)}`;
  assert.equal(wrong, -1, `pixel ${place} is ${is[wrong]}, not ${should[wrong]}`);
}

/** The four half modules of an Eiger module, as they lie in the recorded 0.5M. */
async function eigerModule(changes: Record<string, unknown>): Promise<DetectorConfig> {
  return parseConfig({ ...await recordedConfig("eiger05m_out"), ...changes }).config;
}

for (const bit_depth of [4, 8, 16, 32] as const) {
  for (const double_pixels of ["interpolate", "mask"]) {
    Deno.test(`double pixels of an Eiger of ${bit_depth} bit: ${double_pixels}, also between half modules`, async () => {
      const config = await eigerModule({ bit_depth, double_pixels });
      const value = counts(EIGER_LIMITS[bit_depth]);
      const picture = imagePicture(config, value);
      const should = handled(config, picture);
      assert.ok(should.every((row) => row.every((pixel) => pixel !== undefined)), "no gap is left");
      assertImage(config, should, value);
    });
  }
}

Deno.test("interpolated Eiger images have as many counts as were sent", async () => {
  const config = await eigerModule({ bit_depth: 32, double_pixels: "interpolate" });
  const value = (module: number, i: number): number => (i * 31 + module) % 1000;
  const sum = (pixels: Iterable<number>): number => [...pixels].reduce((a, b) => a + b, 0);
  const sent = imagePicture(config, value).flat().map((pixel) => pixel ?? 0);
  assert.equal(sum(assemble(config, false, value)), sum(sent));
});

Deno.test("double pixels of half modules that lie on their side, or have no neighbour", () => {
  const turned = eigerConfig({
    n_modules: 3,
    image_pixel_height: 1030,
    image_pixel_width: 800,
    module_positions: { 0: [0, 0, 255, 513], 1: [255, 1029, 0, 516], 2: [258, 0, 513, 513] },
    module_rotations: { 0: 90, 1: 270, 2: 270 },
    double_pixels: "interpolate",
  });
  const apart = eigerConfig({
    n_modules: 3,
    image_pixel_height: 600,
    image_pixel_width: 1040,
    // 8 px apart; 2 px apart, but not in line.
    module_positions: { 0: [0, 0, 513, 255], 1: [522, 0, 1035, 255], 2: [1, 258, 514, 513] },
    double_pixels: "interpolate",
  });
  const value = counts(65_535);
  assertImage(turned, handled(turned, imagePicture(turned, value)), value);
  const only = imagePicture(apart, value);
  const inside = only.map((row) => [...row]);
  // Only the gaps inside the modules: the definition, on each module by itself.
  for (const module of [0, 1, 2]) {
    const alone = eigerConfig({
      ...apart,
      n_modules: 1,
      module_positions: { 0: apart.module_positions[String(module)] },
    });
    const picture = imagePicture(alone, (_, i) => value(module, i));
    handled(alone, picture).forEach((row, y) =>
      row.forEach((pixel, x) => inside[y]![x] = pixel ?? inside[y]![x])
    );
  }
  assertImage(apart, inside, value);
});

Deno.test("a blanked module leaves nothing in the gaps, and stays masked", async () => {
  const shared = await eigerModule({ double_pixels: "interpolate" });
  assert.ok(assemble(shared, true, () => 77).every((pixel) => pixel === 0));
  const masked = await eigerModule({ double_pixels: "mask" });
  const zeros = handled(masked, imagePicture(masked, () => 0));
  assert.deepEqual(assemble(masked, true), pixelsOfPicture(masked, zeros));
});

Deno.test("double pixels of a raw Jungfrau without gaps are masked at columns 255 to 768 and rows 255, 256", () => {
  const config = jungfrauConfig({ double_pixels: "mask" });
  const value = counts(9999);
  const isDouble = (x: number, y: number): boolean =>
    [255, 256, 511, 512, 767, 768].includes(x) || [255, 256].includes(y % 512);
  const masked = imagePicture(config, value).map((row, y) =>
    row.map((pixel, x) => isDouble(x, y) ? 65_535 : pixel)
  );
  assertImage(config, masked, value);
});

for (const double_pixels of ["keep", "mask"]) {
  Deno.test(`Jungfrau modules placed with gaps between their chips: ${double_pixels}`, () => {
    const config = jungfrauConfig({
      n_modules: 3,
      image_pixel_height: 1030,
      image_pixel_width: 1030 + 514 + 2,
      module_positions: {
        0: [0, 0, 1029, 513],
        1: [1032, 0, 1545, 1029],
        2: [1029, 1029, 0, 516],
      },
      module_rotations: { 1: 90 },
      double_pixels,
    });
    const value = counts(9999);
    const picture = imagePicture(config, value);
    // Modules that lie side by side are none the nearer for it: a Jungfrau's sensor is one module.
    const should = double_pixels === "keep" ? picture : maskedByModule(config, value);
    assertImage(config, should, value);
  });
}

for (const [type, make, invalid] of CONVERTED) {
  for (const double_pixels of ["interpolate", "mask"] as const) {
    Deno.test(`double pixels of a converted Jungfrau in ${type}: ${double_pixels}`, () => {
      const { config } = parseConfig({
        detector_name: "borders",
        detector_type: "jungfrau-converted",
        n_modules: 1,
        bit_depth: 16,
        image_pixel_height: 1030,
        image_pixel_width: 514,
        start_udp_port: 50_000,
        module_positions: { 0: [0, 0, 513, 1029] },
        module_rotations: { 0: 90 },
        double_pixels,
        converted_pixel_type: type,
        photon_energy_kev: 12.4,
      });
      const picture = imagePicture(
        config,
        (_, i) => i % 7 === 0 ? invalid : (i % 501) - (type === "uint16" ? 0 : 200),
      );
      const whole = type !== "float32";
      const share = (v: number): [number, number] => {
        if (Object.is(v, invalid)) return [invalid, invalid];
        const half = whole ? Math.floor(v / 2) : Math.fround(v / 2);
        return [whole ? v - half : half, half];
      };
      const should = handled(
        config,
        picture,
        double_pixels === "mask" ? () => [invalid, invalid] : share,
      );

      const size = imageBytes(config);
      const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
      const at = 65_536;
      const image = make(memory.buffer, at, size);
      image.set(picture.flat().map((pixel) => pixel ?? 0));
      const [borders] = moduleBorders(config, jungfrau.moduleLayout(config)) ?? [];
      assert.ok(borders !== undefined);
      finishBorders(instantiateKernels(memory), borders, at);
      const flat = should.flat();
      const wrong = flat.findIndex((pixel, i) => !Object.is(image[i], pixel));
      assert.equal(wrong, -1, `pixel ${wrong} is ${image[wrong]}, not ${flat[wrong]}`);
    });
  }
}

/** Each module masked as though it were alone. */
function maskedByModule(
  config: DetectorConfig,
  value: (module: number, i: number) => number,
): Picture {
  const image: Picture = Array.from(
    { length: config.image_pixel_height },
    () => Array(config.image_pixel_width).fill(undefined),
  );
  for (let module = 0; module < config.n_modules; module++) {
    const alone = jungfrauConfig({
      ...config,
      n_modules: 1,
      module_positions: { 0: config.module_positions[String(module)] },
      module_rotations: { 0: config.module_rotations[String(module)] ?? 0 },
    });
    handled(alone, imagePicture(alone, (_, i) => value(module, i))).forEach((row, y) =>
      row.forEach((pixel, x) => image[y]![x] = pixel ?? image[y]![x])
    );
  }
  return image;
}
