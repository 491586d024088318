import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { ConfigError, type DetectorConfig, parseConfig } from "../config/mod.ts";
import { TestFolder } from "../hdf5/_testing.ts";
import { ArrayFile, encodeArrayFile, readImageFile } from "../hdf5/mod.ts";
import { NexusLayouts } from "./nexus_layouts.ts";
import { gapMask, pixelMask } from "./pixel_mask.ts";
import { smallConfig, writeNexusFile } from "./_testing.ts";

const DETECTOR = "/entry/instrument/detector";

Deno.test("a NeXus file has one place for its images, and more names for it", () => {
  using folder = new TestFolder();
  for (const format of ["nexus", "both"] as const) {
    const path = folder.file(`${format}.h5`);
    writeNexusFile(path, smallConfig(), { format });
    using file = new ArrayFile(path);
    assert.deepEqual(file.names("/"), format === "both" ? ["GF", "entry"] : ["entry"]);
    for (const name of ["/entry/data/data", `${DETECTOR}/data`, "/entry/collection/GF/data"]) {
      assert.deepEqual([...file.numbers(name, [[2, 3], [0, 1], [0, 2]])], [3, 3], name);
    }
    assert.deepEqual(file.attributes("/entry/data/data"), {
      ...{ units: "ADU", long_name: "images (ADU)", interpretation: "image" },
    });
    using reader = readImageFile(path);
    assert.deepEqual([...reader.imageIds()], [1n, 2n, 3n]);
    assert.equal(reader.attributes()["run_id"], 7n);
    assert.ok(Deno.statSync(path).size < 3 * 4096 + 160_000, "images are in it once");
  }
});

Deno.test("times are those of the run; the end is unknown until it is there", () => {
  const config = smallConfig();
  const run = { format: "nexus", runId: 7n, startTime: 1_767_323_045.5, images: 100 } as const;
  const { tree } = new NexusLayouts(config, "std-daq test").of(run)("images.h5");
  const fields = tree.groups?.["entry"]?.fields ?? {};
  const start = "2026-01-02T03:04:05.500Z";
  assert.deepEqual(fields["start_time"], { textBytes: 24, text: start });
  assert.deepEqual(fields["end_time"], { textBytes: 24 });
  // 100 frames of 10 ms.
  const text = "2026-01-02T03:04:06.500Z";
  assert.deepEqual(fields["end_time_estimated"], { textBytes: 24, text });
  using folder = new TestFolder();
  writeNexusFile(folder.file(), config);
  using file = new ArrayFile(folder.file());
  assert.equal(file.text("/entry/end_time"), "2026-01-02T03:04:06.000Z");
});

Deno.test("what a request says of the experiment comes before the config, member by member", () => {
  using folder = new TestFolder();
  const request = JSON.stringify({ sample: { name: "insulin" }, detector: { distance: 0.5 } });
  writeNexusFile(folder.file(), smallConfig(), { request });
  using file = new ArrayFile(folder.file());
  assert.equal(file.text("/entry/sample/name"), "insulin");
  assert.equal(file.text("/entry/instrument/name"), "SLS BEAMLINE X06SA");
  assert.deepEqual([...file.numbers(`${DETECTOR}/distance`)], [0.5]);
  assert.deepEqual([...file.numbers(`${DETECTOR}/transformations/detector_z`)], [0.5]);
  const layouts = new NexusLayouts(smallConfig(), "std-daq test");
  const run = { format: "nexus", runId: 7n, startTime: 0, images: 1 } as const;
  for (
    const [bad, expected] of [
      ['{"sample": {"nmae": "x"}}', /nexus\.sample: expected an object with none but: name, temp/],
      ['{"detector": {"distance": -1}}', /nexus\.detector\.distance: expected a number above 0, m/],
      // A request names no file that the writer would read.
      ['{"detector": {"pixel_mask": "/etc/passwd"}}', /nexus\.detector: expected an object with/],
    ] as const
  ) {
    assert.throws(() => layouts.of({ ...run, request: bad }), expected);
  }
});

Deno.test("wrong members of the config's nexus are named", () => {
  const base = { ...smallConfig(), calibration: undefined };
  const wrong = { beam: { incident_wavelength: 0 }, detector: { fast_axis: [1, 0], colour: 1 } };
  assert.throws(
    () => parseConfig({ ...base, nexus: wrong }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.issues.map(({ path }) => path), [
        "nexus.beam.incident_wavelength",
        "nexus.detector.fast_axis",
        "nexus.detector",
      ]);
      return true;
    },
  );
});

Deno.test("geometry: pixels begin where the beam centre and the pixel size put them", () => {
  using folder = new TestFolder();
  writeNexusFile(folder.file(), smallConfig());
  using file = new ArrayFile(folder.file());
  const module = `${DETECTOR}/detector_module`;
  assert.deepEqual([...file.numbers(`${module}/data_size`)], [8, 24]);
  assert.deepEqual([...file.numbers(`${module}/fast_pixel_direction`)], [11e-6]);
  const chain = [`${module}/fast_pixel_direction`];
  for (let next = "";;) {
    next = String(file.attributes(chain.at(-1)!)["depends_on"]);
    if (next === ".") break;
    chain.push(next);
  }
  assert.deepEqual(chain.slice(1), [
    `${module}/module_offset`,
    `${DETECTOR}/transformations/detector_z`,
  ]);
});

Deno.test("each module that the config places has its place in the image, and its own offset", () => {
  const { config } = parseConfig(JSON.parse(
    Deno.readTextFileSync(new URL("../../docs/examples/jungfrau-1m.json", import.meta.url)),
  ));
  const run = { format: "nexus", runId: 7n, startTime: 0, images: 0 } as const;
  const modules = (request: string): Record<string, unknown>[] => {
    const { tree } = new NexusLayouts(config, "x").of({ ...run, request })("images.h5");
    const { instrument } = tree.groups?.["entry"]?.groups ?? {};
    return Object.entries(instrument?.groups?.["detector"]?.groups ?? {})
      .filter(([name]) => name.startsWith("detector_module"))
      .map(([name, { fields = {} }]) => {
        const { data_origin: origin, data_size: size, module_offset, fast_pixel_direction } =
          fields;
        const place = (field: unknown): unknown => Reflect.get(Object(field), "value");
        const attributes = (field: unknown): unknown => Reflect.get(Object(field), "attributes");
        return {
          name,
          origin: place(origin),
          size: place(size),
          offset: Reflect.get(Object(attributes(module_offset)), "offset"),
          along: Reflect.get(Object(attributes(fast_pixel_direction)), "depends_on"),
        };
      });
  };
  const expected = (beamY: number): unknown[] =>
    [0, 1].map((i) => {
      const [, y0, , y1] = config.module_positions[i]!;
      const top = Math.min(y0, y1);
      return {
        name: `detector_module_${i}`,
        origin: [BigInt(top), 0n],
        size: [512n, 1024n],
        offset: [0, -(top - beamY) * 75e-6, 0],
        along: `${DETECTOR}/detector_module_${i}/module_offset`,
      };
    });
  const close = (is: Record<string, unknown>[], expected: unknown): void =>
    assert.deepEqual(JSON.parse(text(is)), JSON.parse(text(expected)));
  // Numbers as far as doubles are exact, and without a sign of zero.
  const text = (value: unknown): string =>
    JSON.stringify(
      value,
      (_, each) =>
        typeof each === "bigint"
          ? String(each)
          : typeof each === "number"
          ? Math.round(each * 1e12) + 0
          : each,
    );
  close(modules("{}"), expected(0));
  close(modules('{"detector": {"beam_center_x": 0, "beam_center_y": 100}}'), expected(100));
});

Deno.test("the wavelength of a config that counts photons is that of its photons", () => {
  const { config } = parseConfig({
    ...JSON.parse(
      Deno.readTextFileSync(new URL("../../docs/examples/jungfrau-1m.json", import.meta.url)),
    ),
    detector_type: "jungfrau-converted",
    photon_energy_kev: 12.4,
  });
  const run = { format: "nexus", runId: 7n, startTime: 0, images: 0 } as const;
  const { tree, datasetAttributes } = new NexusLayouts(config, "x").of(run)("images.h5");
  const { instrument } = tree.groups?.["entry"]?.groups ?? {};
  const wavelength = instrument?.groups?.["beam"]?.fields?.["incident_wavelength"];
  assert.ok(wavelength !== undefined && "value" in wavelength);
  assert.ok(Math.abs(Number(wavelength.value) - 0.99987) < 1e-5);
  assert.equal(datasetAttributes.data?.["units"], "keV");
  assert.equal(datasetAttributes.data?.["long_name"], "images (keV)");
  // Nobody said how long a frame takes: not before its start.
  const estimate = tree.groups?.["entry"]?.fields?.["end_time_estimated"];
  assert.deepEqual(estimate, { textBytes: 24, text: "1970-01-01T00:00:00.000Z" });
});

Deno.test("the pixel mask has the gaps between modules and between chips", () => {
  const eiger = (more: Record<string, unknown>): Uint32Array =>
    gapMask(
      parseConfig({
        ...{ detector_name: "EG", detector_type: "eiger", bit_depth: 16, n_modules: 1 },
        ...{ image_pixel_height: 260, image_pixel_width: 516, start_udp_port: 50_000 },
        ...{ module_positions: { 0: [1, 2, 514, 257] }, ...more },
      }).config,
    );
  const mask = eiger({});
  const expected = (gap: number): Uint32Array =>
    Uint32Array.from({ length: 260 * 516 }, (_, i) => {
      const row = Math.floor(i / 516) - 2, column = i % 516 - 1;
      if (row < 0 || row >= 256 || column < 0 || column >= 514) return 1;
      return column === 256 || column === 257 ? gap : 0;
    });
  assert.deepEqual(mask, expected(1));
  const masked = eiger({ double_pixels: "mask" });
  masked.forEach((bits, i) => {
    const row = Math.floor(i / 516) - 2, column = i % 516 - 1;
    const isBorder = row >= 0 && row < 256 && (column === 255 || column === 258);
    if (bits !== (isBorder ? 256 : mask[i])) assert.fail(`${bits} at ${column}, ${row}`);
  });
  assert.deepEqual(eiger({ double_pixels: "interpolate" }), expected(2 ** 31));
});

Deno.test("the gaps of a module that lies on its side are across", () => {
  const mask = gapMask(
    parseConfig({
      ...{ detector_name: "EG", detector_type: "eiger", bit_depth: 16, n_modules: 1 },
      ...{ image_pixel_height: 514, image_pixel_width: 256, start_udp_port: 50_000 },
      ...{ module_positions: { 0: [0, 0, 255, 513] }, module_rotations: { 0: 90 } },
    }).config,
  );
  mask.forEach((bits, i) => {
    const row = Math.floor(i / 256);
    if (bits !== (row === 256 || row === 257 ? 1 : 0)) assert.fail(`${bits} in row ${row}`);
  });
});

Deno.test("gaps between the halves of an Eiger module hold shared values, too", () => {
  const mask = gapMask(
    parseConfig({
      ...{ detector_name: "EG", detector_type: "eiger", bit_depth: 16, n_modules: 2 },
      ...{ image_pixel_height: 514, image_pixel_width: 514, start_udp_port: 50_000 },
      module_positions: { 0: [0, 0, 513, 255], 1: [0, 258, 513, 513] },
      double_pixels: "interpolate",
    }).config,
  );
  assert.ok(mask.subarray(256 * 514, 258 * 514).every((bits) => bits === 2 ** 31));
  assert.equal(mask.reduce((n, bits) => n + Number(bits === 1), 0), 0, "no other gap");
});

Deno.test("pixels that the calibration masks are masked where they are in the image", () => {
  using folder = new TestFolder();
  const pixels = 512 * 1024;
  const gains = new Float32Array(2 * 3 * pixels).fill(40);
  const pixel_mask = new Uint32Array(2 * pixels);
  pixel_mask[0] = 1; // module 0, row 0, column 0: masked, for whatever reason
  pixel_mask[pixels + 3 * 1024 + 700] = 2 + 16; // module 1: dead and noisy
  gains[pixels * 3 + 5 * 1024 + 300] = NaN; // its G0, row 5, column 300
  const shape = [3, 2 * 512, 1024];
  // Stages come first: [stage, modules × rows, columns].
  const stacked = new Float32Array(gains.length);
  for (let module = 0; module < 2; module++) {
    for (let stage = 0; stage < 3; stage++) {
      const from = (module * 3 + stage) * pixels;
      stacked.set(gains.subarray(from, from + pixels), (stage * 2 + module) * pixels);
    }
  }
  const pedestal = new Float32Array(stacked.length).fill(1000);
  const datasets = {
    "/gains": { data: stacked, shape },
    "/pedestal": { data: pedestal, shape },
    "/pixel_mask": { data: pixel_mask, shape: [2 * 512, 1024] },
  };
  const path = folder.file("calibration.h5");
  Deno.writeFileSync(path, encodeArrayFile({ datasets }));
  const config = (file: string): DetectorConfig =>
    parseConfig({
      ...{ detector_name: "JF", detector_type: "jungfrau-converted", bit_depth: 16, n_modules: 2 },
      ...{ image_pixel_height: 1030, image_pixel_width: 1030, start_udp_port: 50_000 },
      // With gaps between chips; module 1 upside down.
      module_positions: { 0: [0, 0, 1029, 513], 1: [1029, 1029, 0, 516] },
      calibration: { gains: file, pedestal: file },
    }).config;
  const notes: string[] = [];
  const { deflated, attributes } = pixelMask(config(path), (note) => notes.push(note));
  const mask = new Uint32Array(Uint8Array.from(inflateSync(deflated)).buffer);
  const found = [...mask].flatMap((bits, i) =>
    bits > 1 ? [[i % 1030, Math.floor(i / 1030), bits]] : []
  );
  // Columns 256, 512, 768 of a module are two further each; module 1 is turned by half a turn.
  assert.deepEqual(found, [
    [0, 0, 2],
    [1029 - 302, 1029 - 5, 1024],
    [1029 - 704, 1029 - 3, 18],
  ]);
  assert.match(String(attributes["calibration_id"]), /^[0-9a-f]{16}$/);
  assert.equal(notes.length, 0);
  assert.deepEqual(pixelMask(config("/nowhere/c.h5"), (note) => notes.push(note)).attributes, {});
  assert.match(
    notes.join(),
    /pixel_mask is without the pixels that the calibration masks: .*nowhere/,
  );
});

Deno.test("the bits of a mask file are added, and one of another size is refused", () => {
  using folder = new TestFolder();
  const write = (name: string, rows: number): string => {
    const data = new Uint32Array(rows * 24);
    data[30] = 256;
    const datasets = { "/pixel_mask": { data, shape: [rows, 24] } };
    Deno.writeFileSync(folder.file(name), encodeArrayFile({ datasets }));
    return folder.file(name);
  };
  const config = (pixel_mask: string) => smallConfig({ nexus: { detector: { pixel_mask } } });
  const path = folder.file("images.h5");
  writeNexusFile(path, config(write("mask.h5", 8)));
  using file = new ArrayFile(path);
  const mask = [...file.numbers(`${DETECTOR}/pixel_mask`)];
  assert.deepEqual([mask.length, mask.indexOf(256), mask.filter(Boolean).length], [192, 30, 1]);
  assert.throws(
    () => pixelMask(config(write("small.h5", 7))),
    /\/pixel_mask has the shape \(7, 24\), the image is \(8, 24\)/,
  );
  assert.throws(() => pixelMask(config(folder.file("none.h5"))), { code: "ENOENT" });
});
