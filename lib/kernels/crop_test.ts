import assert from "node:assert/strict";
import fc from "fast-check";
import { cropImage, IMAGE_PIXEL_BYTES, kernelMemory } from "./mod.ts";
import { anyImage, pixelsOf, putImage, takeImage, TestMemory } from "./_testing.ts";

const on = kernelMemory(new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true }));
const memory = new TestMemory(on);

const part = fc.double({ min: 0, max: 1, noNaN: true });

Deno.test("cropImage() copies exactly the region", () => {
  fc.assert(
    fc.property(anyImage, part, part, part, part, (image, a, b, c, d) => {
      memory.reset();
      const x = Math.floor(a * image.width), y = Math.floor(b * image.height);
      const width = Math.round(c * (image.width - x)), height = Math.round(d * (image.height - y));
      const from = putImage(memory, image);
      const to = memory.room(width * height * IMAGE_PIXEL_BYTES[image.pixel], image.skew);
      const cropped = cropImage(on, from, { x, y, width, height }, to.at);
      memory.checkCanaries();
      assert.deepEqual(cropped, { at: to.at, width, height, pixel: image.pixel });
      const expected = pixelsOf(image.pixel, width * height);
      for (let row = 0; row < height; row++) {
        const first = (y + row) * image.width + x;
        expected.set(image.pixels.subarray(first, first + width), row * width);
      }
      assert.deepEqual(takeImage(on, cropped), expected);
      assert.deepEqual(takeImage(on, from), image.pixels);
    }),
    { numRuns: 400 },
  );
});

Deno.test("cropImage() refuses regions that are not in the image", () => {
  memory.reset();
  const image = { at: memory.room(100).at, width: 10, height: 10, pixel: "uint8" as const };
  const to = memory.room(100).at;
  for (
    const [x, y, width, height] of [
      [8, 0, 3, 1],
      [0, 8, 1, 3],
      [-1, 0, 1, 1],
      [0, 0.5, 1, 1],
      [0, 0, NaN, 1],
    ] as const
  ) {
    assert.throws(() => cropImage(on, image, { x, y, width, height }, to), {
      name: "RangeError",
      message: /is not in the image of 10 × 10 px/,
    });
  }
  assert.throws(() => cropImage(on, image, { x: 0, y: 0, width: 10, height: 9 }, image.at + 1), {
    name: "RangeError",
    message: /overlaps the image/,
  });
});
