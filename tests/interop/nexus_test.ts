/**
 * NeXus files of the services in other hands: h5py, h5dump, the HDF5 library that h5web reads with, and
 * our own checker.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as h5wasm from "h5wasm";
import { DETECTOR_TYPES, type DetectorType, parseConfig } from "../../lib/config/mod.ts";
import { ArrayFile, readImageFile } from "../../lib/hdf5/mod.ts";
import { TestFolder } from "../../lib/hdf5/_testing.ts";
import { checkFile } from "../../lib/files/mod.ts";
import { checkNxmx } from "../../lib/nexus/mod.ts";
import { COMPLETE, writeNexusFile } from "../../lib/nexus/_testing.ts";
import { imageInfoFields } from "../../lib/writer/mod.ts";
import { testContext } from "../../services/daq/_test_context.ts";
import { runDaq } from "../../services/daq/program.ts";
import { DaqRun, jungfrauConfig, Pipeline, simulate, until } from "../harness/mod.ts";

const PYTHON = "/usr/bin/python3";
const SCRIPT = new URL("h5_nexus.py", import.meta.url).pathname;
const UNITS_SCRIPT = new URL("h5_units.py", import.meta.url).pathname;

interface Looked {
  shape: number[];
  units: string;
  max: number;
  same: boolean;
  mask: [set: number, shape: number[]];
  definition: string;
  end_time: string;
  sample: string;
  chain: [path: string, value: number, vector: number[], units: string][];
  modules: [origin: number[], size: number[], offset: number[]][];
  classes: Record<string, string>;
  root: string[];
  sha256: string;
}

/** Units by path, as `h5_units.py` finds them. */
type Units = Record<string, string | null>;

async function output(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const text = new TextDecoder();
  assert.ok(success, `${command}: ${text.decode(stderr)}`);
  assert.equal(text.decode(stderr), "", `${command} warns`);
  return text.decode(stdout);
}

async function lookWithH5py(path: string): Promise<Looked> {
  return JSON.parse(await output(PYTHON, SCRIPT, path));
}

async function unitsOf(...paths: string[]): Promise<Units[]> {
  const lines = (await output(PYTHON, UNITS_SCRIPT, ...paths)).trim().split("\n");
  return lines.map((line): Units => JSON.parse(line));
}

/** What a number is called: the last name of its path, or of an axis's attribute this one. */
function shortName(path: string): string {
  return /@vector$/.exec(path)?.[0] ?? path.slice(path.lastIndexOf("/") + 1);
}

/** All numbers of our files that have no units, and what they are. */
const DIMENSIONLESS: Readonly<Record<string, string>> = {
  "metadata.image_id": "an id",
  "metadata.status": "a code",
  "image_info.missing_packets": "a number of packets",
  "image_info.module_mask_low": "bits",
  "image_info.module_mask_high": "bits",
  "image_info.frame_index": "an id",
  "image_info.calibration_id": "an id",
  pixel_mask: "bits",
  bit_depth_readout: "a number of bits",
  distance_derived: "true or false",
  beam_center_derived: "true or false",
  data_origin: "indices",
  data_size: "numbers of pixels",
  "@vector": "a direction",
};

/** Likewise, of what kinds of detectors tell themselves. */
const OWN_DIMENSIONLESS: Partial<Record<DetectorType, Readonly<Record<string, string>>>> = {
  "jungfrau-raw": { "image_info.daq_rec": "a word of the detector's" },
  "jungfrau-converted": { "image_info.daq_rec": "a word of the detector's" },
  gigafrost: { "image_info.scan_id": "an id", "image_info.do_not_store": "true or false" },
};

/** What h5web's reader makes of a file. */
interface Viewed {
  shape: number[] | null;
  units: unknown;
  /** Of all pixels; why they cannot be read, where they cannot. */
  pixels: string;
}

/** Follows `default` and `signal` as h5web does, with the library that it reads files with. */
async function lookWithH5wasm(path: string): Promise<Viewed> {
  const { FS } = await h5wasm.ready;
  FS.writeFile("/nexus_test.h5", await Deno.readFile(path));
  const file = new h5wasm.File("/nexus_test.h5", "r");
  try {
    const next = (group: unknown, attribute: string): unknown => {
      assert.ok(group instanceof h5wasm.Group);
      return group.get(String(group.attrs[attribute]?.value));
    };
    const plot = next(next(file, "default"), "default");
    assert.ok(plot instanceof h5wasm.Group);
    assert.equal(plot.attrs["NX_class"]?.value, "NXdata");
    const signal = next(plot, "signal");
    assert.ok(signal instanceof h5wasm.Dataset);
    const { shape, attrs } = signal;
    return { shape, units: attrs["units"]?.value, pixels: pixelsOf(signal) };
  } finally {
    file.close();
    FS.unlink("/nexus_test.h5");
  }
}

function pixelsOf(signal: h5wasm.Dataset): string {
  try {
    const { value } = signal;
    assert.ok(value instanceof Uint16Array);
    return sha256(value);
  } catch (error) {
    return String(error);
  }
}

function sha256(pixels: Uint16Array): string {
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test("NeXus files open in h5py, h5dump and h5wasm without a warning, and have all that NXmx requires", async (t) => {
  await using pipeline = await Pipeline.start(
    jungfrauConfig(1, { file_format: "both", nexus: COMPLETE, number_of_writers: 1 }),
  );
  const runs = [
    ["both formats, by the config", {}, [pipeline.name, "entry"].sort()],
    ["NeXus, compressed, by the request", {
      file_format: "nexus",
      compression: "bitshuffle-lz4",
      nexus: { sample: { name: "insulin" } },
    }, ["entry"]],
    ["NeXus, in several files", { file_format: "nexus", images_per_file: 3 }, ["entry"]],
    ["std-daq's alone", { file_format: "std-daq" }, [pipeline.name]],
  ] as const;
  for (const [i, [what, more, root]] of runs.entries()) {
    await t.step(what, async () => {
      const { path } = await pipeline.write(`run${i}_x.h5`, 5, more);
      const sending = ["--images", "5", "--rate", "50", "--start-id", String(100 * i + 1)];
      await simulate(pipeline, "--pattern", "ramp", ...sending);
      const { acquisition } = await pipeline.finished();
      assert.equal(acquisition.message, "Completed.");
      if (what === "std-daq's alone") {
        using file = new ArrayFile(path);
        assert.deepEqual(file.names("/"), root);
        const [found = {}] = await unitsOf(path);
        const numbers = Object.entries(found)
          .map(([path, units]) => [path.replace(pipeline.name, "DET"), units] as const);
        assert.deepEqual(Object.fromEntries(numbers.filter(([, units]) => units !== null)), {
          ...{ "DET@start_time": "s", "DET@end_time": "s", "DET/data": "ADU" },
          "DET/image_info.first_packet_ns": "ns",
          "DET/image_info.complete_ns": "ns",
          "DET/image_info.published_ns": "ns",
        });
        const without = numbers.filter(([, units]) => units === null)
          .map(([path]) => shortName(path));
        const listed = { ...DIMENSIONLESS, ...OWN_DIMENSIONLESS["jungfrau-raw"] };
        assert.deepEqual(without.filter((name) => !(name in listed)), []);
        return;
      }
      const looked = await lookWithH5py(path);
      assert.deepEqual(looked.shape, [5, 512, 1024]);
      assert.deepEqual(looked.root, root);
      assert.equal(looked.definition, "NXmx");
      assert.equal(looked.units, "ADU");
      assert.ok(looked.same, "one dataset of two names");
      assert.deepEqual(looked.mask, [0, [512, 1024]]);
      assert.match(looked.end_time, /^2\d{3}-\d\d-\d\dT[\d:.]+Z$/);
      assert.equal(looked.sample, i === 1 ? "insulin" : "lysozyme");
      assert.deepEqual(looked.chain.map(([path, value, , units]) => [path, value, units]), [
        ["/entry/instrument/detector/detector_module_0/fast_pixel_direction", 75e-6, "m"],
        ["/entry/instrument/detector/detector_module_0/module_offset", 0, "m"],
        ["/entry/instrument/detector/transformations/detector_z", 0.25, "m"],
      ]);
      assert.equal(looked.classes["entry/instrument/detector"], "NXdetector");
      const [origin, size, offset] = looked.modules[0]!;
      assert.deepEqual([looked.modules.length, origin, size], [1, [0, 0], [512, 1024]]);
      assert.deepEqual(offset.map((m) => Math.round(m * 1e9) + 0), [787_500, 300_000, 0]);
      await output("h5dump", "-A", path);
      assert.match(await output("h5dump", "-d", "/entry/definition", path), /"NXmx"/);
      assert.ok(looked.max > 0);
      const { shape, units, pixels } = await lookWithH5wasm(path);
      assert.equal(units, "ADU");
      // As docs/how-to/open-files.md says: of a master file it sees no images, it is in one file only.
      assert.deepEqual(shape, [what === "NeXus, in several files" ? 0 : 5, 512, 1024]);
      if (what === "NeXus, compressed, by the request") assert.match(pixels, /bitshuf/);
      else assert.equal(pixels, shape[0] === 0 ? sha256(new Uint16Array()) : looked.sha256);
      using file = new ArrayFile(path);
      assert.deepEqual(checkNxmx(file), []);
      using reader = readImageFile(path);
      assert.equal(reader.detector, pipeline.name);
      assert.deepEqual([...reader.statuses()], [1n, 1n, 1n, 1n, 1n]);
    });
  }
  await t.step("daq write --format --nexus says what is in the file", async () => {
    const path = pipeline.path("by_hand.h5"), api = `http://127.0.0.1:${pipeline.apiPort}`;
    const write = ["write", path, "-n", "2", "--api", api, "--format", "nexus", "--nexus"];
    const wrong = testContext();
    assert.equal(await runDaq([...write, '{"beam": {"profile": "round"}}'], wrong), 2);
    assert.match(wrong.stderr, /beam\.profile: expected one of "Gaussian"/);
    const context = testContext();
    assert.equal(await runDaq([...write, '{"title": "By hand"}'], context), 0, context.stderr);
    await simulate(pipeline, "--images", "2", "--rate", "50", "--start-id", "500");
    await pipeline.finished();
    using file = new ArrayFile(path);
    assert.equal(file.text("/entry/title"), "By hand");
    assert.equal(file.text("/entry/sample/name"), "lysozyme");
  });
  await t.step("a request that says nonsense is refused, with what is wrong", async () => {
    await assert.rejects(
      pipeline.write("refused.h5", 1, { nexus: { detector: { distance: -1 } } }),
      /nexus\.detector\.distance: expected a number above 0, m/,
    );
  });
});

/** A config of each kind of detector that is received, and what its pixels are in. */
function everyKind(): [json: Record<string, unknown>, units: string][] {
  const examples = new URL("../../docs/examples/", import.meta.url);
  const raw = [...Deno.readDirSync(examples)].filter(({ name }) => name.endsWith(".json"))
    .map(({ name }) => JSON.parse(Deno.readTextFileSync(new URL(name, examples))));
  const jungfrau = raw.find((json) => json.detector_type === "jungfrau-raw");
  const converted = { ...jungfrau, detector_type: "jungfrau-converted", photon_energy_kev: 12.4 };
  return [
    ...raw.map((json): [Record<string, unknown>, string] => [
      json,
      ["eiger", "mythen3"].includes(json.detector_type) ? "counts" : "ADU",
    ]),
    [{ ...converted, converted_pixel_type: "float32" }, "keV"],
    [{ ...converted, converted_pixel_type: "int16" }, "counts"],
  ];
}

Deno.test("every number in a NeXus file has units, but for those listed, of each kind of detector", async () => {
  using folder = new TestFolder();
  const size = { x_pixel_size: 50e-6, y_pixel_size: 50e-6 };
  const nexus = { ...COMPLETE, detector: { ...COMPLETE.detector, ...size } };
  const files = everyKind().map(([json, pixels], i) => {
    const { config } = parseConfig({ ...json, nexus });
    const type = config.detector_type, path = folder.file(`${i}.h5`);
    const options = { info: imageInfoFields(type) };
    writeNexusFile(path, config, { format: "nexus", images: 0, options });
    return { path, type, pixels };
  });
  const types = new Set(files.map(({ type }) => type));
  assert.deepEqual(DETECTOR_TYPES.filter((type) => !types.has(type)), ["pco", "bsread"]);
  const found = await unitsOf(...files.map(({ path }) => path));
  assert.equal(found.length, files.length);
  // A boolean of h5py's is one for our checker, too.
  const booleans = "import h5py, sys; f = h5py.File(sys.argv[1], 'r+'); " +
    "p = '/entry/instrument/detector/distance_derived'; del f[p]; f[p] = False";
  await output(PYTHON, "-c", booleans, files[0]!.path);
  using file = new ArrayFile(files[0]!.path);
  assert.equal(file.kind("/entry/instrument/detector/distance_derived"), "boolean");
  assert.deepEqual(checkNxmx(file), []);
  files.forEach(({ type, pixels }, i) => {
    const without = Object.entries(found[i]!).filter(([, units]) => units === null)
      .map(([path]) => shortName(path));
    const expected = { ...DIMENSIONLESS, ...OWN_DIMENSIONLESS[type] };
    assert.deepEqual([...new Set(without)].sort(), Object.keys(expected).sort(), type);
    const named = Object.fromEntries(
      Object.entries(found[i]!).map(([path, units]) => [shortName(path), units]),
    );
    const { data, saturation_value, underload_value, temperature, threshold_energy } = named;
    assert.deepEqual(
      { data, saturation_value, underload_value, temperature, threshold_energy },
      {
        ...{ data: pixels, saturation_value: pixels, underload_value: pixels },
        ...{ temperature: "K", threshold_energy: "eV" },
      },
      type,
    );
    assert.equal(named["image_info.complete_ns"], "ns");
    if (type === "eiger") assert.equal(named["image_info.exptime"], "100 ns");
    if (type === "gigafrost") assert.equal(named["image_info.scan_time"], "ticks");
  });
});

Deno.test("several writers make NeXus files of compressed images, and one that shows them all", async () => {
  const more = { number_of_writers: 2, compression: "bitshuffle-lz4", file_format: "nexus" };
  const { daq } = await DaqRun.start(jungfrauConfig(1, { ...more, nexus: COMPLETE }));
  await using _running = daq;
  const path = daq.path("run.h5");
  const written = await daq.command("write", path, "-n", "6");
  assert.equal(written.code, 0, written.err);
  const sending = ["--images", "6", "--rate", "50", "--pattern", "ramp"];
  const sent = await daq.command("simulate", daq.configPath, ...sending);
  assert.equal(sent.code, 0, sent.err);
  const { acquisition } = await daq.client.waitForEnd(await daq.client.status());
  assert.equal(acquisition.message, "Completed.");
  const master = await lookWithH5py(path);
  assert.deepEqual(master.shape, [6, 512, 1024]);
  assert.deepEqual(master.root, ["entry"]);
  assert.equal((await lookWithH5py(daq.path("run1.h5"))).shape[0], 3);
  await output("h5dump", "-A", path);
  const report = await checkFile(path, { pixels: "all" });
  assert.deepEqual([report.problems, report.images, report.pixels.images_read], [[], 6, 6]);
  assert.ok((report.pixels.max ?? 0) > 0, "pixels of compressed parts are read");
});

Deno.test("a NeXus file whose writer is killed opens, with what was visible and without an end", async () => {
  const json = jungfrauConfig(1, { file_format: "both", nexus: COMPLETE });
  await using pipeline = await Pipeline.start(json);
  const { path } = await pipeline.write("killed.h5", 1000);
  await simulate(pipeline, "--images", "40", "--rate", "200");
  await until("40 images on file", () => {
    using reader = readImageFile(path);
    return reader.shape[0] === 40;
  });
  await pipeline.kill("std_h5_writer");
  const looked = await lookWithH5py(path);
  assert.deepEqual([looked.shape[0], looked.end_time], [40, ""]);
  await output("h5dump", "-A", path);
  const { closed, problems } = await checkFile(path, { pixels: "all" });
  assert.equal(closed, false);
  assert.match(problems.map(({ message }) => message).join(), /was not closed.*40 images of 1000/);
  assert.ok(!problems.some(({ message }) => message.includes("cannot be read")));
});
