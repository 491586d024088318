import assert from "node:assert/strict";
import fc from "fast-check";
import { applyMask, bytesOf, type ImageAt, kernelMemory } from "./mod.ts";
import { anyImage, pixelsOf, putImage, takeImage, TestMemory } from "./_testing.ts";

const on = kernelMemory(new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true }));
const memory = new TestMemory(on);

Deno.test("applyMask() sets bad pixels to the value and leaves the others", () => {
  const value = fc.constantFrom(0, 1, 200, 255);
  fc.assert(
    fc.property(anyImage, value, (image, value) => {
      memory.reset();
      const at = putImage(memory, image);
      const mask = memory.put(image.mask, image.skew ^ 1);
      applyMask(on, at, mask.at, value);
      memory.checkCanaries();
      assert.deepEqual(bytesOf(on, mask), image.mask);
      // Bytes, so that NaNs are compared bit by bit.
      const expected = pixelsOf(image.pixel, image.pixels.slice().buffer);
      image.mask.forEach((bad, i) => {
        if (bad) expected[i] = value;
      });
      assert.deepEqual(
        new Uint8Array(takeImage(on, at).buffer),
        new Uint8Array(expected.buffer),
      );
    }),
    { numRuns: 400 },
  );
});

Deno.test("applyMask() takes the largest values of each type, and NaN for float32", () => {
  const cases = [
    ["uint8", 255],
    ["uint16", 65535],
    ["uint32", 2 ** 32 - 1],
    ["float32", -1.5],
    ["float32", NaN],
  ] as const;
  for (const [pixel, value] of cases) {
    memory.reset();
    const n = 83;
    const image: ImageAt = { at: memory.room(4 * n).at, width: n, height: 1, pixel };
    bytesOf(on, { at: image.at, bytes: 4 * n }).fill(0);
    const mask = memory.put(Uint8Array.from({ length: n }, (_, i) => i % 5 === 3 ? 255 : 0));
    applyMask(on, image, mask.at, value);
    assert.deepEqual(
      [...takeImage(on, image)],
      Array.from({ length: n }, (_, i) => i % 5 === 3 ? value : 0),
    );
  }
});

Deno.test("applyMask() refuses values that no pixel has, and masks that do not fit", () => {
  memory.reset();
  const image: ImageAt = { at: memory.room(100).at, width: 10, height: 5, pixel: "uint16" };
  const mask = memory.room(50).at;
  const refuse = (message: RegExp, ...[value, maskAt]: [number, number?]): void =>
    assert.throws(() => applyMask(on, image, maskAt ?? mask, value), {
      name: "RangeError",
      message,
    });
  refuse(/cannot be 65536: expected a whole number from 0 to 65535/, 65536);
  refuse(/cannot be -1/, -1);
  refuse(/cannot be NaN/, NaN);
  refuse(/cannot be 0\.5/, 0.5);
  refuse(/image .* overlaps the mask/, 0, image.at + 60);
  refuse(/mask of 50 bytes at 524280 ends outside the memory/, 0, 524280);
});
