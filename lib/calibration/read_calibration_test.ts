import assert from "node:assert/strict";
import { ArrayFileError, encodeArrayFile } from "../hdf5/mod.ts";
import {
  instantiateKernels,
  JungfrauCorrector,
  jungfrauMapBytes,
  packJungfrauMaps,
  SATURATED,
} from "../kernels/mod.ts";
import { formatCalibrationId } from "../protocol/mod.ts";
import {
  type Calibration,
  CALIBRATION_DATASETS,
  CalibrationError,
  type CalibrationSources,
  makeCalibration,
  readCalibration,
  UNCALIBRATED_BIT,
  withPedestalFile,
} from "./mod.ts";

const SHAPE = { modules: 2, rows: 2, columns: 3 };
const PIXELS = SHAPE.rows * SHAPE.columns;
const GOLDEN = new URL("testdata/jungfrau_golden/", import.meta.url).pathname;

/** A folder for files, removed afterwards. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "calibration_" });

  write(name: string, bytes: Uint8Array): string {
    const path = `${this.path}/${name}`;
    Deno.writeFileSync(path, bytes);
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Maps of both modules, stacked: gain 40 + …, −1.4 …, −0.1 …; every number differs. */
function stacked(): { gains: Float64Array; pedestals: Float32Array } {
  const n = 3 * SHAPE.modules * PIXELS;
  return {
    gains: Float64Array.from({ length: n }, (_, i) => (i + 1) * (i < n / 3 ? 1 : -0.01)),
    pedestals: Float32Array.from({ length: n }, (_, i) => 2000 + i / 4),
  };
}

function sources(gains: string | string[], pedestal: string | string[]): CalibrationSources {
  const { gains: g, pedestal: p } = CALIBRATION_DATASETS;
  return { gains: { path: gains, dataset: g }, pedestal: { path: pedestal, dataset: p } };
}

/** Writes the stacked maps as two HDF5 files and reads them. */
function readStacked(folder: Folder, mask?: Uint32Array | Float64Array): Calibration {
  const { gains, pedestals } = stacked();
  const shape = [3, SHAPE.modules * SHAPE.rows, SHAPE.columns];
  const masks = mask === undefined ? {} : { "/pixel_mask": { data: mask, shape: shape.slice(1) } };
  return readCalibration(
    sources(
      folder.write("g.h5", encodeArrayFile({ datasets: { "/gains": { data: gains, shape } } })),
      folder.write(
        "p.h5",
        encodeArrayFile({ datasets: { "/pedestal": { data: pedestals, shape }, ...masks } }),
      ),
    ),
    SHAPE,
  );
}

Deno.test("readCalibration() takes stacked modules apart and finds the pedestal file's own mask", () => {
  using folder = new Folder();
  const mask = new Uint32Array(2 * PIXELS);
  mask[7] = 16;
  const { maps, masked, provenance, id } = readStacked(folder, mask);
  const { gains, pedestals } = stacked();
  maps.forEach((module, m) => {
    for (let stage = 0; stage < 3; stage++) {
      for (let pixel = 0; pixel < PIXELS; pixel++) {
        const from = (stage * SHAPE.modules + m) * PIXELS + pixel;
        assert.equal(module.gains[stage * PIXELS + pixel], gains[from]);
        assert.equal(module.pedestals[stage * PIXELS + pixel], pedestals[from]);
      }
    }
  });
  assert.deepEqual([...maps[0]!.mask], [0, 0, 0, 0, 0, 0]);
  assert.deepEqual([...maps[1]!.mask], [0, 16, 0, 0, 0, 0]);
  assert.deepEqual(masked, { mask: 1, gain: 0, pedestal: 0 });
  assert.deepEqual(provenance.pixelMasks, [
    { path: `${folder.path}/p.h5`, dataset: "/pixel_mask" },
  ]);
  assert.match(formatCalibrationId(id), /^[0-9a-f]{16}$/);
});

Deno.test("readCalibration() masks whatever is not 0, also if it has none of the 32 bits", () => {
  using folder = new Folder();
  const mask = Float64Array.of(0, -0, 0.5, NaN, 2 ** 40, -1, Infinity, 2 ** 31, 0, 0, 0, 0);
  const { maps, masked } = readStacked(folder, mask);
  assert.deepEqual([...maps[0]!.mask], [0, 0, 1, 1, 1, 0xffffffff]);
  assert.deepEqual([...maps[1]!.mask], [1, 2 ** 31, 0, 0, 0, 0]);
  assert.equal(masked.mask, 6);
});

Deno.test("a pixel is masked if the mask says so, or that of the pedestal file it is in", () => {
  using folder = new Folder();
  const { maps } = readStacked(folder);
  const file = (module: number, bad?: number): string => {
    const shape = [3, SHAPE.rows, SHAPE.columns];
    const datasets = { "/pedestal": { data: maps[module]!.pedestals, shape } };
    const mask = { data: Uint8Array.from({ length: PIXELS }, (_, i) => i === bad ? 16 : 0) };
    const masks = bad === undefined ? {} : { "/pixel_mask": { ...mask, shape: shape.slice(1) } };
    return folder.write(`m${module}.h5`, encodeArrayFile({ datasets: { ...datasets, ...masks } }));
  };
  const byHand = new Uint8Array(2 * PIXELS);
  byHand[2] = byHand[PIXELS + 4] = 1;
  const mask = folder.write("mask.bin", byHand);
  const gains = `${folder.path}/g.h5`;
  // Of the files per module, only the second one has a mask.
  const perModule = sources(gains, [file(0), file(1, 4)]);
  const own = readCalibration(perModule, SHAPE);
  assert.deepEqual(own.maps.map((map) => [...map.mask]), [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 16, 0]]);
  assert.deepEqual(own.provenance.pixelMasks, [
    { path: `${folder.path}/m1.h5`, dataset: "/pixel_mask" },
  ]);
  const both = readCalibration({ ...perModule, pixelMask: { path: mask, dataset: "" } }, SHAPE);
  assert.deepEqual(both.maps.map((map) => [...map.mask]), [
    [0, 0, 1, 0, 0, 0],
    [0, 0, 0, 0, 17, 0],
  ]);
  assert.equal(both.masked.mask, 2);
  assert.deepEqual(both.provenance.pixelMasks.map(({ path }) => path), [
    mask,
    `${folder.path}/m1.h5`,
  ]);
});

for (
  const [count, high] of [[3, [0, 1, 2]], [4, [3, 3, 3]], [6, [3, 4, 5]]] as const
) {
  Deno.test(`of maps with ${count} stages those of the detector's gain are read`, () => {
    using folder = new Folder();
    const stage = SHAPE.modules * PIXELS;
    const shape = [count, SHAPE.modules * SHAPE.rows, SHAPE.columns];
    const map = (first: number, step: number) => ({
      data: Float64Array.from({ length: count * stage }, (_, i) => first + step * i),
      shape,
    });
    const path = folder.write(
      "maps.h5",
      encodeArrayFile({
        datasets: { "/gains": map(1, 2), "/pedestal": map(2000, 3), "/rms": map(1, 0.25) },
      }),
    );
    for (const highGain of [false, true]) {
      const noises = { path, dataset: "/rms" };
      const { maps, firstNoises } = readCalibration(
        { ...sources(path, path), noises, highGain },
        SHAPE,
      );
      (highGain ? high : [0, 1, 2]).forEach((from, to) =>
        maps.forEach(({ gains, pedestals }, module) => {
          for (let pixel = 0; pixel < PIXELS; pixel++) {
            const i = from * stage + module * PIXELS + pixel;
            assert.equal(gains[to * PIXELS + pixel], 1 + 2 * i);
            assert.equal(pedestals[to * PIXELS + pixel], 2000 + 3 * i);
            if (to === 0) assert.equal(firstNoises![module]![pixel], 1 + 0.25 * i);
          }
        })
      );
    }
  });
}

Deno.test("withPedestalFile() takes the gains of a file, but not pedestals that are called gains", () => {
  using folder = new Folder();
  const shape = [3, SHAPE.modules * SHAPE.rows, SHAPE.columns];
  const { gains, pedestals } = stacked();
  const file = (name: string, datasets: Record<string, Float32Array | Float64Array>): string =>
    folder.write(
      name,
      encodeArrayFile({
        datasets: Object.fromEntries(
          Object.entries(datasets).map(([dataset, data]) => [dataset, { data, shape }]),
        ),
      }),
    );
  const config = sources("/config/gains.h5", "/config/pedestal.h5");
  const both = file("both.h5", { "/gains": gains, "/pedestal": pedestals });
  const { gains: g, pedestal: p } = withPedestalFile(config, both);
  assert.deepEqual([g, p], [{ path: both, dataset: "/gains" }, {
    path: both,
    dataset: "/pedestal",
  }]);

  // As jungfrau_utils has them: the pedestals are /gains.
  const called = { ...config, pedestal: { path: "/config/pedestal.h5", dataset: "/gains" } };
  const theirs = file("theirs.h5", { "/gains": pedestals });
  assert.deepEqual(withPedestalFile(called, theirs), {
    gains: config.gains,
    pedestal: { path: theirs, dataset: "/gains" },
  });
  // Their RMS, too, has a name of its own; a file of ours has none of that name.
  const noises = { path: "/config/pedestal.h5", dataset: "/gainsRMS" };
  const noisesIn = (path: string): unknown => withPedestalFile({ ...called, noises }, path).noises;
  const rms = file("rms.h5", { "/gains": pedestals, "/gainsRMS": pedestals });
  assert.deepEqual(noisesIn(rms), { path: rms, dataset: "/gainsRMS" });
  const ours = file("ours.h5", { "/pedestal": pedestals, "/pedestal_rms": pedestals });
  assert.deepEqual(noisesIn(ours), { path: ours, dataset: "/pedestal_rms" });
  // Others are refused, and not taken for gains.
  assert.throws(
    () => readCalibration(sources(theirs, both), SHAPE),
    /no pixel would have a value: 0 are masked, 12 have no usable gain in .*theirs\.h5 \/gains, 0 no/,
  );
});

Deno.test("raw numbers, files per module and HDF5 are the same calibration", () => {
  using folder = new Folder();
  const inOne = readStacked(folder);
  const part = (map: Float64Array, name: string): string =>
    folder.write(name, new Uint8Array(Float64Array.from(map).buffer));
  const [a, b] = inOne.maps;
  const perModule = readCalibration(
    sources([part(a!.gains, "g0"), part(b!.gains, "g1")], [
      part(a!.pedestals, "p0"),
      part(b!.pedestals, "p1"),
    ]),
    SHAPE,
  );
  const { gains, pedestals } = stacked();
  const raw = readCalibration(
    {
      ...sources(
        folder.write("gains.bin", new Uint8Array(gains.buffer)),
        folder.write("pedestal.bin", new Uint8Array(pedestals.buffer)), // float32
      ),
      pixelMask: { path: folder.write("mask.bin", new Uint8Array(2 * PIXELS)), dataset: "" },
    },
    SHAPE,
  );
  assert.deepEqual(perModule.maps, inOne.maps);
  assert.deepEqual(raw.maps, inOne.maps);
  assert.equal(perModule.id, inOne.id);
  assert.equal(raw.id, inOne.id);
  assert.equal(raw.provenance.gains.dataset, undefined);
});

Deno.test("the id changes with any number of any map, and only with those", () => {
  const blank = () =>
    [0, 1].map(() => ({
      gains: new Float64Array(3 * PIXELS).fill(40),
      pedestals: new Float64Array(3 * PIXELS).fill(2500),
      mask: new Uint32Array(PIXELS),
    }));
  const nowhere = { path: "", dataset: undefined };
  const provenance = { gains: nowhere, pedestal: nowhere, pixelMasks: [] };
  const idWith = (change: (maps: ReturnType<typeof blank>) => void): bigint => {
    const maps = blank();
    change(maps);
    return makeCalibration(SHAPE, maps, provenance).id;
  };
  const ids = [
    idWith(() => {}),
    idWith((maps) => maps[1]!.gains[17] = 40.0000001),
    idWith((maps) => maps[0]!.pedestals[0] = 2500.5),
    idWith((maps) => maps[1]!.mask[5] = 1),
    idWith((maps) => maps[0]!.mask[5] = 1),
  ];
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(idWith((maps) => maps[0]!.mask[5] = 256), ids[4], "why it is masked is no matter");
  assert.ok(ids.every((id) => id > 0n && id < 2n ** 64n));
});

Deno.test("pixels without usable gain or pedestal are masked and counted once", () => {
  const maps = {
    gains: Float64Array.of(
      40,
      NaN,
      40,
      40,
      40,
      40,
      -1,
      -1,
      0,
      -1,
      -1,
      -1,
      -0.1,
      1e9,
      -0.1,
      -0.1,
      -0.1,
      -0.1,
    ),
    pedestals: new Float64Array(3 * PIXELS).fill(3000),
    mask: new Uint32Array(PIXELS),
  };
  maps.pedestals[3] = NaN;
  maps.pedestals[PIXELS + 4] = 16384;
  maps.pedestals[1] = -1; // its gain is none either
  maps.mask[0] = 2;
  const nowhere = { path: "", dataset: undefined };
  const { masked, maps: [module] } = makeCalibration({ ...SHAPE, modules: 1 }, [maps], {
    gains: nowhere,
    pedestal: nowhere,
    pixelMasks: [],
  });
  assert.deepEqual(masked, { mask: 1, gain: 2, pedestal: 2 });
  const bad = UNCALIBRATED_BIT;
  assert.deepEqual([...module!.mask], [2, bad, bad, bad, bad, 0]);
});

Deno.test("a map of another size is refused with both sizes", () => {
  using folder = new Folder();
  const { gains } = stacked();
  const shape = [3, 3, 4];
  const wrong = folder.write(
    "w.h5",
    encodeArrayFile({ datasets: { "/gains": { data: gains, shape } } }),
  );
  const short = folder.write("short.bin", new Uint8Array(100));
  const cases: [string | string[], RegExp][] = [
    [
      wrong,
      /w\.h5: \/gains is 3 × 3 × 4 numbers, 3 × 4 × 3 are needed: G0, G1, G2, and HG0 or HG0 to HG2 if any, of 2 modules, stacked, of 2 rows/,
    ],
    [short, /short\.bin is no HDF5 file and has 100 bytes, 144 or 288 are needed/],
    [[wrong], /1 files for 2 modules: give one for each/],
  ];
  for (const [path, message] of cases) {
    assert.throws(() => readCalibration(sources(path, wrong), SHAPE), (error) => {
      assert.ok(error instanceof CalibrationError);
      assert.match(error.message, message);
      return true;
    });
  }
  const other = { path: wrong, dataset: "/gainz" };
  assert.throws(
    () => readCalibration({ gains: other, pedestal: other }, SHAPE),
    (error) =>
      error instanceof ArrayFileError &&
      /has no dataset \/gainz, only: \/gains/.test(error.message),
  );
});

Deno.test("the original's arithmetic, but for gain code 3 (its map of G0) and code 2 (none)", async () => {
  const [rows, columns] = [8, 1024];
  const pixels = rows * columns;
  const path = `${GOLDEN}gains_pedestals.h5`;
  const read = readCalibration({
    gains: { path, dataset: "/gains" },
    pedestal: { path, dataset: "/gainsRMS" }, // where the original has its pedestals
  }, { modules: 1, rows, columns });
  assert.deepEqual(read.masked, { mask: 0, gain: 0, pedestal: 0 });
  const { gains: factors, pedestals, mask } = read.maps[0]!;
  const gains = factors.map((factor) => 1 / factor); // the original multiplies
  const raw = new Uint16Array(await gunzip(`${GOLDEN}raw_u16le.bin.gz`));
  const golden = new Float32Array(await gunzip(`${GOLDEN}images_f32le.bin.gz`));

  const memory = new WebAssembly.Memory({ initial: 32, maximum: 32, shared: true });
  const f32 = new Float32Array(memory.buffer);
  const bytes = jungfrauMapBytes(rows, columns);
  const [from, to, g0, switched] = [2 ** 16, 2 ** 17, 2 ** 18, 2 ** 19];
  packJungfrauMaps(
    { rows, columns, gains, pedestals, mask },
    { pixelType: "float32", photonEnergyKev: 1 },
    f32.subarray(g0 / 4, (g0 + bytes.g0) / 4),
    f32.subarray(switched / 4, (switched + bytes.switched) / 4),
  );
  const corrector = new JungfrauCorrector(memory, instantiateKernels(memory), 1024, columns);
  const seen = [0, 0, 0, 0];
  for (const frame of [0, 1]) {
    new Uint16Array(memory.buffer, from, pixels).set(
      raw.subarray(frame * pixels, (frame + 1) * pixels),
    );
    corrector.correct("float32", {
      ...{ to, stride: 4 * columns, from, rows, columns, g0, switched },
      saturated: SATURATED.dynamic,
    });
    for (let pixel = 0; pixel < pixels; pixel++) {
      const value = raw[frame * pixels + pixel]!, code = value >> 14;
      const ours = f32[to / 4 + pixel]!, theirs = golden[frame * pixels + pixel]!;
      const inStage = (stage: number): number => {
        const i = stage * pixels + pixel;
        return Math.fround(
          Math.fround((value & 0x3fff) - pedestals[i]!) * Math.fround(factors[i]!),
        );
      };
      seen[code]!++;
      assert.equal(theirs, inStage(code % 3), "the original");
      if (code === 2) assert.ok(Number.isNaN(ours));
      else assert.equal(ours, code === 3 ? inStage(2) : theirs);
    }
  }
  assert.deepEqual(seen, [4096, 4096, 4096, 4096]);
});

async function gunzip(path: string): Promise<ArrayBuffer> {
  const file = await Deno.open(path);
  return await new Response(file.readable.pipeThrough(new DecompressionStream("gzip")))
    .arrayBuffer();
}
