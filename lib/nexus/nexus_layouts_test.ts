import assert from "node:assert/strict";
import { imageShape, parseConfig } from "../config/mod.ts";
import { assertOldFormat, TestFolder } from "../hdf5/_testing.ts";
import { ArrayFile } from "../hdf5/mod.ts";
import { checkNxmx } from "./check_nxmx.ts";
import { missingFields } from "./missing_fields.ts";
import { NexusLayouts } from "./nexus_layouts.ts";
import { COMPLETE, smallConfig, writeNexusFile } from "./_testing.ts";

const RUN = { format: "nexus", runId: 7n, startTime: 1e9, images: 3 } as const;

Deno.test("missingFields() knows before a file is written what checkNxmx() finds in it", () => {
  using folder = new TestFolder();
  for (const [i, nexus] of [{}, { sample: { name: "x" } }, COMPLETE].entries()) {
    const config = smallConfig({ nexus });
    const { tree } = new NexusLayouts(config, "std-daq test").of(RUN)("images.h5");
    const path = folder.file(`${i}.h5`);
    writeNexusFile(path, config, { format: "nexus" });
    using file = new ArrayFile(path);
    const found = checkNxmx(file).filter(({ level }) => level === "required");
    assert.deepEqual(missingFields(tree).sort(), found.map(({ path }) => path).sort());
  }
});

Deno.test("fields that nobody gave are told once, and again when they are others", () => {
  const told: (readonly string[])[] = [];
  const layouts = new NexusLayouts(
    smallConfig({
      nexus: {
        ...{ ...COMPLETE, sample: {}, source: {} },
        detector: { ...COMPLETE.detector, x_pixel_size: 11e-6, y_pixel_size: 11e-6 },
      },
    }),
    "std-daq test",
    (fields) => told.push(fields),
  );
  const both = ["/entry/sample/name", "/entry/source/name"];
  layouts.of(RUN);
  layouts.of(RUN);
  assert.deepEqual(told, [both]);
  layouts.of({ ...RUN, request: '{"sample": {"name": "lysozyme"}}' });
  assert.deepEqual(told, [both, ["/entry/source/name"]]);
  const all = '{"sample": {"name": "lysozyme"}, "source": {"name": "SLS"}}';
  layouts.of({ ...RUN, request: all });
  layouts.of(RUN);
  assert.deepEqual(told.length, 3);
});

Deno.test("every kind of detector makes a NeXus file, with a mask of its image", () => {
  using folder = new TestFolder();
  const examples = new URL("../../docs/examples/", import.meta.url);
  for (const { name } of Deno.readDirSync(examples)) {
    if (!name.endsWith(".json")) continue;
    const json = JSON.parse(Deno.readTextFileSync(new URL(name, examples)));
    const { config } = parseConfig({ ...json, nexus: COMPLETE });
    const path = folder.file(`${name}.h5`);
    writeNexusFile(path, config, { images: 1 });
    assert.ok(assertOldFormat(path) > 20, "HDF5 1.8 reads it");
    using file = new ArrayFile(path);
    const required = checkNxmx(file).filter(({ level }) => level === "required");
    // A pitch that depends on the sensor has to be given.
    const withoutPitch = ["gotthard2", "mythen3", "gigafrost"].includes(config.detector_type);
    const modules = config.detector_type === "gigafrost" ? 1 : config.n_modules;
    assert.equal(
      required.length,
      withoutPitch ? 2 * modules : 0,
      `${name}: ${JSON.stringify(required)}`,
    );
    const mask = file.numbers("/entry/instrument/detector/pixel_mask");
    const [height, width] = imageShape(config);
    assert.equal(mask.length, height * width);
    assert.ok(mask.some((bits) => bits === 0), "there is a sensor");
  }
});
