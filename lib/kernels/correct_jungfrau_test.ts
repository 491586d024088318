import assert from "node:assert/strict";
import fc from "fast-check";
import { plainPixel } from "./_jungfrau_formula.ts";
import {
  CONVERTED_PIXEL_BYTES,
  CONVERTED_PIXEL_TYPES,
  type ConvertedPixelType,
  instantiateKernels,
  INVALID_PIXEL,
  JungfrauCorrector,
  jungfrauMapBytes,
  packJungfrauMaps,
  SATURATED,
} from "./mod.ts";

const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
const WORK = 1024;
const corrector = new JungfrauCorrector(memory, instantiateKernels(memory), WORK, 1024);
const u8 = new Uint8Array(memory.buffer);
const u16 = new Uint16Array(memory.buffer);
const f32 = new Float32Array(memory.buffer);
const view = new DataView(memory.buffer);

/** Where things lie. */
const RAW = 65536, G0 = 2 ** 20, SWITCHED = 3 * 2 ** 19, IMAGE = 3 * 2 ** 20;
const CANARY = 0xa5;

/** What a module's pixels are like. */
interface Case {
  type: ConvertedPixelType;
  rows: number;
  columns: number;
  /** Pixels of the image to the right of the module. */
  besides: number;
  reversed: boolean;
  /** Displacement of the image, bytes. */
  skew: number;
  photonEnergyKev: number;
  gainMode: keyof typeof SATURATED;
  /** One pixel in so many is not in G0. */
  switchedOneIn: number;
  seed: number;
}

const GAINS = [41.5, 38.2, -1.39, -0.103, 1, -7.77, 1e-3, 3e38, 1e-38, NaN, 0, Infinity];
const PEDESTALS = [2600, 13500.25, 0, 16383, -12.5, 8191.5, 1e30, NaN, -Infinity];
const RAWS = [0, 1, 0x3ffe, 0x3fff, 0x4000, 0x7fff, 0x8000, 0xbfff, 0xc000, 0xc001, 0xffff];

const cases: fc.Arbitrary<Case> = fc.record({
  type: fc.constantFrom(...CONVERTED_PIXEL_TYPES),
  rows: fc.integer({ min: 1, max: 7 }),
  columns: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constantFrom(8, 64, 128, 256)),
  besides: fc.integer({ min: 0, max: 9 }),
  reversed: fc.boolean(),
  skew: fc.integer({ min: 0, max: 15 }),
  photonEnergyKev: fc.constantFrom(1, 12.4, 0.5, 1e-4),
  gainMode: fc.constantFrom("dynamic", "high"),
  switchedOneIn: fc.constantFrom(1, 2, 10, 40, 100, 100_000),
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
});

Deno.test("the correction agrees with the plain formula to the last bit, and writes nothing else", () => {
  fc.assert(fc.property(cases, check), { numRuns: 300 });
});

for (const type of CONVERTED_PIXEL_TYPES) {
  for (const switchedOneIn of [1, 35, 100_000]) {
    Deno.test(`a whole row of 1024 px, ${type}, one in ${switchedOneIn} switched`, () => {
      for (const gainMode of ["dynamic", "high"] as const) {
        check({
          type,
          rows: 6,
          columns: 1024,
          besides: 3,
          reversed: true,
          skew: 5,
          photonEnergyKev: 12.4,
          gainMode,
          switchedOneIn,
          seed: 20260701,
        });
      }
    });
  }
}

Deno.test("every raw value, at each of the types", () => {
  const gain = [41, -1.4, -0.1], pedestal = [2600, 14000.5, 13000.25];
  for (const type of CONVERTED_PIXEL_TYPES) {
    const [rows, columns] = [64, 1024];
    const pixels = rows * columns;
    const plane = (values: number[]): Float32Array =>
      Float32Array.from({ length: 3 * pixels }, (_, i) => values[Math.floor(i / pixels)]!);
    place(
      {
        rows,
        columns,
        gains: plane(gain),
        pedestals: plane(pedestal),
        mask: new Uint8Array(pixels),
      },
      type,
      0.25,
    );
    for (let raw = 0; raw < pixels; raw++) u16[RAW / 2 + raw] = raw;
    const bytes = CONVERTED_PIXEL_BYTES[type];
    const counts = corrector.correct(type, {
      to: IMAGE,
      stride: columns * bytes,
      from: RAW,
      rows,
      columns,
      g0: G0,
      switched: SWITCHED,
      saturated: SATURATED.dynamic,
    });
    assert.deepEqual(counts, { saturated: 1, invalidGain: 16384 });
    const maps = {
      gain: [Math.fround(gain[0]!), Math.fround(gain[1]!), Math.fround(gain[2]!)],
      pedestal: [pedestal[0]!, pedestal[1]!, pedestal[2]!],
      masked: false,
    } as const;
    for (let raw = 0; raw < pixels; raw++) {
      const { value } = plainPixel(raw, maps, type, 0.25, SATURATED.dynamic);
      const found = read(type, IMAGE + raw * bytes);
      assert.ok(Object.is(found, value), `${type}, raw ${raw}: ${found} instead of ${value}`);
    }
  }
});

Deno.test("a masked pixel is never counted, whatever its raw value", () => {
  for (const type of CONVERTED_PIXEL_TYPES) {
    const maps = {
      rows: 1,
      columns: 16,
      gains: new Float32Array(48).fill(40),
      pedestals: new Float32Array(48).fill(2000),
      mask: new Uint8Array(16).fill(1),
    };
    assert.equal(place(maps, type, 1), 16);
    RAWS.forEach((raw, i) => u16[RAW / 2 + i] = raw);
    const counts = corrector.correct(type, {
      to: IMAGE,
      stride: 0,
      from: RAW,
      rows: 1,
      columns: 16,
      g0: G0,
      switched: SWITCHED,
      saturated: SATURATED.dynamic,
    });
    assert.deepEqual(counts, { saturated: 0, invalidGain: 0 });
    for (let x = 0; x < 16; x++) {
      const found = read(type, IMAGE + x * CONVERTED_PIXEL_BYTES[type]);
      assert.ok(Object.is(found, INVALID_PIXEL[type]), `${type}: ${found}`);
    }
  }
});

Deno.test("places outside the memory and senseless sizes are refused before the kernel runs", () => {
  const good = {
    to: IMAGE,
    stride: 64,
    from: RAW,
    rows: 2,
    columns: 16,
    g0: G0,
    switched: SWITCHED,
    saturated: 0xc000,
  };
  const end = memory.buffer.byteLength;
  const wrong: [Partial<typeof good>, RegExp][] = [
    [{ to: end - 64 }, /rows of the image of 128 bytes at \d+ ends outside the memory/],
    [{ to: 32, stride: -64 }, /rows of the image is 128 bytes at -32/],
    [{ from: end - 32 }, /raw pixels of 64 bytes/],
    [{ g0: end - 64 }, /map of G0 of 256 bytes/],
    [{ switched: -128 }, /map of switched pixels is 512 bytes at -128/],
    [{ stride: 60 }, /64 bytes, 60 apart, lie over each other/],
    [{ stride: 64.5 }, /stride is 64.5; give a whole number/],
    [{ columns: 1025 }, /up to 1024/],
    [{ columns: 3.5 }, /columns is 3.5/],
    [{ rows: 0 }, /rows is 0; give 1 or more/],
    [{ rows: 1.5 }, /rows is 1.5/],
    [{ saturated: 0 }, /No raw pixel is 0/],
    [{ to: RAW + 60 }, /rows of the image .* overlaps the raw pixels/],
    [{ to: RAW - 200, stride: 200 }, /overlaps the raw pixels/],
    [{ to: G0 + 255 }, /overlaps the map of G0/],
    [{ to: SWITCHED }, /overlaps the map of switched pixels/],
    [{ to: WORK + 8 }, /overlaps the work area/],
  ];
  for (const [change, message] of wrong) {
    assert.throws(() => corrector.correct("float32", { ...good, ...change }), message);
  }
  corrector.correct("float32", good);
  assert.throws(
    () =>
      packJungfrauMaps(
        {
          rows: 1,
          columns: 8,
          gains: f32.slice(0, 23),
          pedestals: f32.slice(0, 24),
          mask: u8.slice(0, 8),
        },
        { pixelType: "int16", photonEnergyKev: 1 },
        new Float32Array(16),
        new Float32Array(32),
      ),
    /gains has the length 23, 24 is needed/,
  );
  const one = { rows: 1, columns: 1, gains: f32.slice(0, 3), pedestals: f32.slice(0, 3) };
  for (const photonEnergyKev of [0, -1, NaN, Infinity]) {
    assert.throws(
      () =>
        packJungfrauMaps(
          { ...one, mask: u8.slice(0, 1) },
          { pixelType: "int16", photonEnergyKev },
          new Float32Array(16),
          new Float32Array(32),
        ),
      /give a number above 0/,
    );
  }
});

/** Corrects random pixels with random maps and compares image, surroundings and counts. */
function check(c: Case): void {
  const { type, rows, columns, photonEnergyKev } = c;
  const random = randomNumbers(c.seed);
  const pick = <T>(values: readonly T[]): T => values[random(values.length)]!;
  const pixels = rows * columns;
  // Mostly good pixels, so that more than masks is compared.
  const odd = (usual: number, list: readonly number[]): number =>
    random(20) === 0 ? pick(list) : usual;
  const gains = Float64Array.from(
    { length: 3 * pixels },
    (_, i) => odd([40, -1.4, -0.1][Math.floor(i / pixels)]! * (1 + random(1000) / 1e4), GAINS),
  );
  const pedestals = Float64Array.from(
    { length: 3 * pixels },
    () => odd(2600 + random(100_000) / 77, PEDESTALS),
  );
  const mask = Uint8Array.from({ length: pixels }, () => random(30) === 0 ? 1 + random(255) : 0);
  for (let i = 0; i < pixels; i++) {
    const code = random(c.switchedOneIn) === 0 ? random(4) : 0;
    u16[RAW / 2 + i] = c.switchedOneIn < 1000 && random(12) === 0
      ? pick(RAWS)
      : code << 14 | random(0x3f00);
  }
  const masked = place({ rows, columns, gains, pedestals, mask }, type, photonEnergyKev);

  const bytes = CONVERTED_PIXEL_BYTES[type];
  const width = (columns + c.besides) * bytes;
  const size = rows * width;
  const begin = IMAGE + 64 + c.skew;
  u8.fill(CANARY, begin - 64, begin + size + 64);
  const stride = c.reversed ? -width : width;
  const first = c.reversed ? begin + (rows - 1) * width : begin;
  const counts = corrector.correct(type, {
    to: first,
    stride,
    from: RAW,
    rows,
    columns,
    g0: G0,
    switched: SWITCHED,
    saturated: SATURATED[c.gainMode],
  });

  const why = { masked: 0, "invalid gain": 0, saturated: 0 };
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const i = y * columns + x;
      const raw = u16[RAW / 2 + i]!;
      const of = (
        map: Float64Array,
      ): [number, number, number] => [map[i]!, map[pixels + i]!, map[2 * pixels + i]!];
      const maps = { gain: of(gains), pedestal: of(pedestals), masked: mask[i] !== 0 };
      const expected = plainPixel(raw, maps, type, photonEnergyKev, SATURATED[c.gainMode]);
      if (expected.why !== undefined) why[expected.why]++;
      const at = first + y * stride + x * bytes;
      const found = read(type, at);
      assert.ok(
        Object.is(found, expected.value), // tells 0 from -0
        `row ${y} column ${x}, raw ${raw}: ${found} instead of ${expected.value} ${
          expected.why ?? ""
        }`,
      );
      u8.fill(CANARY, at, at + bytes);
    }
  }
  const touched = u8.slice(begin - 64, begin + size + 64).findIndex((byte) => byte !== CANARY);
  assert.equal(touched, -1, `byte ${touched - 64} of an image of ${size} was written`);
  assert.deepEqual({ ...counts, masked }, {
    saturated: why.saturated,
    invalidGain: why["invalid gain"],
    masked: why.masked,
  });
}

/** Packs maps to where the tests have them; returns how many pixels are masked. */
function place(
  maps: Parameters<typeof packJungfrauMaps>[0],
  pixelType: ConvertedPixelType,
  photonEnergyKev: number,
): number {
  const bytes = jungfrauMapBytes(maps.rows, maps.columns);
  return packJungfrauMaps(
    maps,
    { pixelType, photonEnergyKev },
    f32.subarray(G0 / 4, (G0 + bytes.g0) / 4),
    f32.subarray(SWITCHED / 4, (SWITCHED + bytes.switched) / 4),
  );
}

function read(type: ConvertedPixelType, at: number): number {
  switch (type) {
    case "float32":
      return view.getFloat32(at, true);
    case "int16":
      return view.getInt16(at, true);
    case "uint16":
      return view.getUint16(at, true);
    case "int32":
      return view.getInt32(at, true);
  }
}

/** Random whole numbers below a limit, the same for the same seed. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
