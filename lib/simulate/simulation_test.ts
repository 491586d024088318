import assert from "node:assert/strict";
import { eigerConfig, gigafrostConfig, jungfrauConfig } from "./_testing.ts";
import {
  createSimulation,
  distinctImages,
  SimulationError,
  type SimulationOptions,
  sourceOf,
} from "./simulation.ts";

const WRONG: [what: string, options: SimulationOptions, message: RegExp][] = [
  ["no images", { images: 0 }, /images is 0; give an integer from 1/],
  ["half a frame number", { startId: 0.5 }, /startId is 0\.5/],
  ["a negative rate", { rate: -1 }, /rate is -1; give 0 to 1000000/],
  ["a module the detector has not", { modules: [2] }, /module is 2; give an integer from 0 to 1/],
  ["a module twice", { modules: [1, 1] }, /1, 1 name one twice/],
  ["no module", { modules: [] }, /name at least one/],
  ["a probability above 1", { faults: { drop: 1.5 } }, /drop is 1\.5; give a probability/],
  ["probabilities above 1 in all", { faults: { drop: 0.7, late: 0.7 } }, /add up to 1\.4/],
  ["gains on an Eiger", { pattern: "gain" }, /"gain" needs a detector that switches gains/],
  ["darkness with forced gains on an Eiger", { pattern: "dark" }, /"dark" needs a detector that/],
  ["no forced gain", { gains: [] }, /no gain is forced; name at least one/],
  ["no frames of a gain", { gains: [0, 1], framesPerGain: 0 }, /framesPerGain is 0; give/],
  [
    "more bad pixels than fit",
    { badPixels: { dead: 0, noisy: 1e6, wrongGain: 0 } },
    /badPixels\.noisy is 1000000; give an integer from 0 to 16384/,
  ],
  ["a stall of an unknown module", { stalls: [{ module: 9, from: 0, count: 1 }] }, /module 9/],
  ["too many source images", { sourceImages: 65_536 }, /use fewer/],
];

for (const [what, options, message] of WRONG) {
  Deno.test(`createSimulation() refuses ${what}`, () => {
    assert.throws(() => createSimulation(eigerConfig(), options), (error) => {
      assert.ok(error instanceof SimulationError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("createSimulation() begins with image 1 and has all modules send", () => {
  const simulation = createSimulation(eigerConfig());
  assert.equal(simulation.firstImageId, 1n);
  assert.deepEqual(simulation.modules, [0, 1]);
});

Deno.test("createSimulation() adds the bunch offset to a Jungfrau's image ids only", () => {
  const options = { startId: 10, bunchOffset: 1000 };
  assert.equal(createSimulation(jungfrauConfig(), options).firstImageId, 1010n);
  assert.equal(createSimulation(eigerConfig(), options).firstImageId, 10n);
});

Deno.test("createSimulation() keeps source images of every forced gain", () => {
  const options = { pattern: "dark", sourceImages: 3, images: 100 } as const;
  const one = createSimulation(jungfrauConfig(), options);
  assert.equal(distinctImages(one), 3);
  assert.deepEqual([0, 4, 99].map((frame) => sourceOf(one, frame)), [0, 1, 0]);
  const three = createSimulation(jungfrauConfig(), {
    ...options,
    gains: [2, 0, 1],
    framesPerGain: 4,
  });
  assert.equal(distinctImages(three), 9);
  assert.deepEqual(
    [0, 3, 4, 7, 8, 11, 12].map((frame) => sourceOf(three, frame)),
    [0, 0, 4, 4, 8, 8, 0],
  );
});

Deno.test("createSimulation() keeps a GigaFRoST's frame numbers within their 32 bits", () => {
  const last = { startId: 2 ** 32 - 10, images: 10 };
  assert.equal(createSimulation(gigafrostConfig(), last).firstImageId, 2n ** 32n - 10n);
  assert.throws(
    () => createSimulation(gigafrostConfig(), { ...last, images: 11 }),
    /startId is 4294967286; give an integer from 0 to 4294967285/,
  );
});
