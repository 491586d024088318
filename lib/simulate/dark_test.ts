import assert from "node:assert/strict";
import { jungfrauConfig } from "./_testing.ts";
import { badPixels, FORCED_GAIN_CODES } from "./dark.ts";
import { simulateImage } from "./simulate_image.ts";
import { createSimulation, type SimulationOptions } from "./simulation.ts";

const PIXELS = 512 * 1024;
const SEQUENCE: SimulationOptions = {
  pattern: "dark",
  seed: 3,
  sourceImages: 4,
  gains: [0, 1, 2],
  framesPerGain: 6,
  badPixels: { dead: 6, noisy: 5, wrongGain: 7 },
};
const config = jungfrauConfig({ n_modules: 1 });
const simulation = createSimulation(config, SEQUENCE);
const bad = badPixels(simulation, 0, PIXELS);
const anyBad = new Set(Object.values(bad).flat());

/** Frames of one gain's block, one after the other. */
function frames(block: number): Uint16Array[] {
  return Array.from({ length: 4 }, (_, i) => {
    const image = simulateImage(config, SEQUENCE, BigInt(1 + 6 * block + i));
    assert.ok(image instanceof Uint16Array);
    return image;
  });
}

const blocks = [0, 1, 2].map(frames);

/** Mean and RMS of a pixel's charges. */
function statistics(images: readonly Uint16Array[], pixel: number): { mean: number; rms: number } {
  const charges = images.map((image) => image[pixel]! & 0x3fff);
  const mean = charges.reduce((a, b) => a + b) / charges.length;
  const rms = Math.sqrt(charges.reduce((a, b) => a + (b - mean) ** 2, 0) / charges.length);
  return { mean, rms };
}

Deno.test("a dark simulation forces one gain after the other, over and over", () => {
  blocks.forEach((images, block) => {
    const code = FORCED_GAIN_CODES[block];
    for (const image of images) {
      assert.ok(image.every((raw, pixel) => anyBad.has(pixel) || raw >> 14 === code));
    }
  });
  const first = simulateImage(config, SEQUENCE, 1n);
  assert.deepEqual(simulateImage(config, SEQUENCE, 5n), first, "source images are sent in turn");
  assert.notDeepEqual(simulateImage(config, SEQUENCE, 19n), first);
  assert.deepEqual(simulateImage(config, SEQUENCE, 21n), first, "G0 again, frame 20 of 4 sources");
});

Deno.test("every pixel has its own pedestal, the same in every frame, and noise of 4 or 8 ADU", () => {
  for (const [block, middle] of [2800, 15_000, 14_500].entries()) {
    let sum = 0, squares = 0;
    const samples = Array.from({ length: 4000 }, (_, i) => 131 * i).filter((i) => !anyBad.has(i));
    for (const pixel of samples) {
      const { mean, rms } = statistics(blocks[block]!, pixel);
      assert.ok(Math.abs(mean - middle) < 225, `pixel ${pixel} has a pedestal of ${mean}`);
      sum += mean;
      squares += rms ** 2;
    }
    assert.ok(Math.abs(sum / samples.length - middle) < 15);
    // 3/4 of (4² + 8²)/2: four frames know their mean
    assert.ok(Math.abs(squares / samples.length - 30) < 3, String(squares / samples.length));
  }
});

Deno.test("bad pixels are as many as asked for, each of one kind, at the same places in all gains", () => {
  assert.deepEqual(Object.values(bad).map(({ length }) => length), [6, 5, 7]);
  assert.equal(anyBad.size, 18);
  assert.notDeepEqual(badPixels(simulation, 1, PIXELS), bad);
  blocks.forEach((images, block) => {
    bad.dead.forEach((pixel, i) => {
      const { mean, rms } = statistics(images, pixel);
      if (i % 2 === 0) assert.equal(rms, 0);
      else assert.ok(mean >= 100 && mean < 108, `dead pixel with a pedestal of ${mean}`);
    });
    for (const pixel of bad.noisy) assert.ok(statistics(images, pixel).rms > 20);
    for (const pixel of bad.wrongGain) {
      const right = images.map((image) => image[pixel]! >> 14 === FORCED_GAIN_CODES[block]);
      assert.deepEqual(right, [true, false, true, false]);
    }
  });
});
