import assert from "node:assert/strict";
import fc from "fast-check";
import { FEWEST_SLOTS, fitRings, ringBytes, type RingNeeds, RingSpaceError } from "./mod.ts";

const GIB = 2 ** 30;

/** Any detector from one tiny module to several 9M ones. */
const needs: fc.Arbitrary<RingNeeds> = fc.record({
  modules: fc.integer({ min: 1, max: 72 }),
  frameBytes: fc.integer({ min: 64, max: 2 ** 21 }),
  imageBytes: fc.integer({ min: 64, max: 2 ** 26 }),
  imageRings: fc.constantFrom(1, 2),
  maxFrameSlots: fc.integer({ min: 16, max: 2000 }),
  maxImageSlots: fc.integer({ min: 16, max: 20000 }),
  budgetBytes: fc.option(fc.integer({ min: 2 ** 20, max: 2 ** 37 }), { nil: undefined }),
});
const free = fc.integer({ min: 2 ** 20, max: 2 ** 37 });

function fewest(n: RingNeeds): number {
  const { modules, frameBytes, imageBytes, imageRings = 1 } = n;
  return modules * ringBytes(frameBytes, FEWEST_SLOTS) +
    imageRings * ringBytes(imageBytes, FEWEST_SLOTS);
}

Deno.test("fitRings() keeps within the budget, or throws when not even 16 slots fit, or it is not free", () => {
  fc.assert(
    fc.property(needs, free, (n, freeBytes) => {
      const room = n.budgetBytes ?? freeBytes;
      const fills = n.budgetBytes !== undefined && fewest(n) <= room;
      const wanted = fills ? fitRings(n, 2 ** 38).bytes : fewest(n);
      if (wanted > Math.min(room, freeBytes)) {
        assert.throws(
          () => fitRings(n, freeBytes),
          (error) =>
            error instanceof RingSpaceError && error.message.includes(`${n.frameBytes} bytes`) &&
            error.message.includes(`${n.imageBytes} bytes`) &&
            error.message.includes((freeBytes / GIB).toFixed(2) + " GiB free") &&
            error.message.includes((wanted / GIB).toFixed(2) + " GiB"),
        );
        return;
      }
      const fit = fitRings(n, freeBytes);
      assert.ok(fit.bytes <= Math.min(room, freeBytes), `${fit.bytes} > ${room}`);
      assert.ok(fit.frameSlots >= FEWEST_SLOTS && fit.frameSlots <= n.maxFrameSlots);
      assert.ok(fit.imageSlots >= FEWEST_SLOTS && fit.imageSlots <= n.maxImageSlots);
      assert.equal(
        fit.bytes,
        n.modules * ringBytes(n.frameBytes, fit.frameSlots) +
          (n.imageRings ?? 1) * ringBytes(n.imageBytes, fit.imageSlots),
      );
      const quarter = n.budgetBytes === undefined && fewest(n) <= freeBytes / 4;
      if (quarter) assert.ok(fit.bytes <= freeBytes / 4);
    }),
    { numRuns: 500 },
  );
});

Deno.test("fitRings() makes rings no smaller than the budget says: it refuses one that is not free", () => {
  const needs = {
    modules: 2,
    frameBytes: 2 ** 20,
    imageBytes: 2 ** 21,
    maxFrameSlots: 1000,
    maxImageSlots: 1000,
  };
  assert.throws(
    () => fitRings({ ...needs, budgetBytes: 2 * GIB }, GIB),
    (error) =>
      error instanceof RingSpaceError &&
      /^The rings are to have 1\.9\d GiB .* budget is 2\.00 GiB .* has 1\.00 GiB free\. Give a smaller --ram,/
        .test(error.message),
  );
  // A budget that the config leaves half unused does not have to be free.
  const few = { ...needs, maxFrameSlots: 16, maxImageSlots: 64, budgetBytes: 2 * GIB };
  assert.ok(fitRings(few, GIB).bytes < GIB / 2);
});

Deno.test("fitRings() gives a 9M Eiger of 32 bit rings that fit a machine of 24 GB", () => {
  const fit = fitRings({
    modules: 72,
    frameBytes: 512 * 256 * 4,
    imageBytes: 3264 * 3106 * 4,
    maxFrameSlots: 1000,
    maxImageSlots: 1000,
  }, 12 * GIB);
  assert.ok(fit.bytes <= 3 * GIB && fit.bytes > 2.8 * GIB, `${fit.bytes}`);
  assert.deepEqual([fit.frameSlots, fit.imageSlots], [16, 61]);
});

Deno.test("fitRings() gives prime slot counts, so that ids in steps use every slot", () => {
  const fit = fitRings({
    modules: 2,
    frameBytes: 2 ** 20,
    imageBytes: 2 ** 21,
    maxFrameSlots: 1000,
    maxImageSlots: 1000,
    budgetBytes: 64 * GIB,
  }, 64 * GIB);
  assert.deepEqual([fit.frameSlots, fit.imageSlots], [241, 997]);
});
