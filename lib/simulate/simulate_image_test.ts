import assert from "node:assert/strict";
import { eigerConfig, gigafrostConfig, jungfrauConfig } from "./_testing.ts";
import { PATTERNS } from "./pattern.ts";
import { simulateImage } from "./simulate_image.ts";

Deno.test("simulateImage() leaves the chip gap of an Eiger 0", () => {
  const image = simulateImage(eigerConfig(), { pattern: "flat" }, 1n);
  assert.equal(image.length, 512 * 514);
  for (let y = 0; y < 512; y++) {
    assert.deepEqual([...image.subarray(y * 514 + 255, y * 514 + 259)], [100, 0, 0, 100]);
  }
});

Deno.test("simulateImage() puts modules where the config says, rows and columns reversed", () => {
  const ramp = simulateImage(eigerConfig({ n_modules: 1 }), { pattern: "ramp" }, 1n);
  for (
    const [position, at] of [
      [[0, 255, 513, 0], (x: number, y: number) => (255 - y) * 514 + x],
      [[513, 0, 0, 255], (x: number, y: number) => y * 514 + 513 - x],
    ] as const
  ) {
    const config = eigerConfig({ n_modules: 1, module_positions: { "0": position } });
    const image = simulateImage(config, { pattern: "ramp" }, 1n);
    for (const [x, y] of [[0, 0], [513, 0], [255, 17], [258, 255], [300, 200]] as const) {
      assert.equal(image[at(x, y)], ramp[y * 514 + x], `pixel ${x},${y}`);
    }
  }
});

Deno.test("simulateImage() repeats the source images and shows the same for the same seed", () => {
  const options = { sourceImages: 3, seed: 5 };
  const image = (id: bigint, seed = 5): string => {
    const { buffer } = simulateImage(eigerConfig({ n_modules: 1 }), { ...options, seed }, id);
    return new Uint8Array(buffer).toBase64();
  };
  assert.equal(image(1n), image(4n));
  assert.notEqual(image(1n), image(2n));
  assert.notEqual(image(1n), image(1n, 6));
});

Deno.test("simulateImage() gives each module its number with the pattern module-id", () => {
  const image = simulateImage(jungfrauConfig(), { pattern: "module-id" }, 1n);
  assert.ok(image.subarray(0, 512 * 1024).every((pixel) => pixel === 1));
  assert.ok(image.subarray(512 * 1024).every((pixel) => pixel === 2));
});

Deno.test("simulateImage() lets the links of a GigaFRoST's quadrant take turns, upwards in the upper ones", () => {
  const image = simulateImage(gigafrostConfig(), { pattern: "module-id" }, 1n);
  const links = (x: number, y: number): [number, number] =>
    [y, y + 1].map((row) => image[row * 504 + x]! - 1) as [number, number];
  assert.deepEqual([links(0, 126), links(503, 126), links(251, 250)], [[0, 1], [2, 3], [0, 1]]);
  assert.deepEqual([links(0, 124), links(503, 124), links(252, 0)], [[5, 4], [7, 6], [7, 6]]);
});

Deno.test("simulateImage() keeps a GigaFRoST's pixels within 12 bit", () => {
  for (const pattern of PATTERNS) {
    if (pattern === "gain" || pattern === "dark") continue;
    const image = simulateImage(gigafrostConfig(), { pattern }, 1n);
    assert.ok(image.every((pixel) => pixel < 4096), pattern);
  }
});

Deno.test("simulateImage() keeps an Eiger's 16 bit within its counters of 12, and saturates some", () => {
  for (const pattern of ["flat", "ramp", "photons"] as const) {
    const image = simulateImage(eigerConfig({ bit_depth: 16 }), { pattern }, 1n);
    assert.ok(image.every((pixel) => pixel < 4096), pattern);
    assert.equal(image.includes(4095), pattern !== "flat", pattern);
  }
});

Deno.test("simulateImage() switches a Jungfrau's gain through the codes 0, 1 and 3", () => {
  const image = simulateImage(jungfrauConfig(), { pattern: "gain" }, 1n);
  const codes = new Map<number, number>();
  for (const pixel of image) codes.set(pixel >> 14, (codes.get(pixel >> 14) ?? 0) + 1);
  assert.deepEqual([...codes.keys()].sort(), [0, 1, 3]);
  for (const [code, share] of [[0, 0.7], [1, 0.2], [3, 0.1]] as const) {
    assert.ok(Math.abs(codes.get(code)! / image.length - share) < 0.01, `code ${code}`);
  }
});

Deno.test("simulateImage() shows Poisson noise and spots with the pattern photons", () => {
  const image = simulateImage(eigerConfig({ n_modules: 1, bit_depth: 32 }), {}, 1n);
  const pixels = 512 * 256;
  const zeros = image.filter((pixel) => pixel === 0).length - 2 * 256;
  assert.ok(Math.abs(zeros / pixels - Math.exp(-1)) < 0.03, `${zeros} pixels without a photon`);
  assert.ok(image.some((pixel) => pixel > 100), "no spots");
});

Deno.test("simulateImage() fits every pattern into 8 bits", () => {
  const config = eigerConfig({ n_modules: 1, bit_depth: 8 });
  for (const pattern of PATTERNS.filter((name) => name !== "gain" && name !== "dark")) {
    assert.ok(simulateImage(config, { pattern }, 1n) instanceof Uint8Array);
  }
});

Deno.test("simulateImage() refuses an image that is not sent", () => {
  const config = eigerConfig();
  assert.throws(() => simulateImage(config, { images: 3, startId: 5 }, 8n), RangeError);
  assert.throws(() => simulateImage(config, { startId: 5 }, 4n), /3|images begin at 5/);
});
