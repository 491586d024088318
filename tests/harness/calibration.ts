/**
 * A Jungfrau's calibration for tests: written as files, and applied pixel by pixel.
 *
 * @module
 */
import { encodeArrayFile } from "../../lib/hdf5/mod.ts";

const ROWS = 512, COLUMNS = 1024;
const PIXELS = ROWS * COLUMNS;
const INVALID = { float32: NaN, int16: -32768, uint16: 65535, int32: -2147483648 };
const ARRAYS = {
  float32: Float32Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
} as const;
const RANGES = {
  float32: [-Infinity, Infinity],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-2147483648, 2147483647],
} as const;
const STAGE_OF_CODE = [0, 1, undefined, 2];

/** What pixels become. */
export interface TestConversion {
  type: keyof typeof ARRAYS;
  /** 1: keV. */
  photonEnergyKev: number;
}

/** Why pixels of an image have no value, and how many. */
export interface InvalidCounts {
  masked: number;
  saturated: number;
  invalidGain: number;
}

/** Gains and pedestals that differ from pixel to pixel, with a few bad ones. */
export class TestCalibration {
  readonly #modules: number;
  readonly #variant: number;
  readonly #gains: Float64Array;
  #pedestals: Float32Array;
  readonly #mask: Uint32Array;

  /** @param variant Another number, another calibration. */
  constructor(modules: number, variant = 0) {
    this.#modules = modules;
    this.#variant = variant;
    const n = modules * PIXELS;
    const gain = [41, -1.44, -0.107], pedestal = [2800, 15000, 14500];
    this.#gains = new Float64Array(3 * n);
    this.#pedestals = new Float32Array(3 * n);
    for (let i = 0; i < 3 * n; i++) {
      const stage = Math.floor(i / n);
      this.#gains[i] = gain[stage]! * (1 + ((i * 7 + variant) % 101) / 1000);
      this.#pedestals[i] = pedestal[stage]! + (i * 13 + variant * 5) % 97 / 8;
    }
    this.#mask = new Uint32Array(n);
    for (let i = 5; i < n; i += 4999) this.#mask[i] = 2;
    this.#gains[17] = NaN;
    this.#gains[18] = 0;
    this.#pedestals[2 * n + 19] = 17000;
  }

  /** These gains and masks with the pedestals of another one. */
  withPedestalsOf(other: TestCalibration): TestCalibration {
    const both = new TestCalibration(this.#modules, this.#variant);
    both.#pedestals = other.#pedestals;
    return both;
  }

  /** Writes `gains.h5` and `pedestal.h5`, which has the mask, into a folder; returns their paths. */
  write(folder: string, suffix = ""): { gains: string; pedestal: string } {
    const shape = [3, this.#modules * ROWS, COLUMNS];
    const paths = {
      gains: `${folder}/gains${suffix}.h5`,
      pedestal: `${folder}/pedestal${suffix}.h5`,
    };
    Deno.writeFileSync(
      paths.gains,
      encodeArrayFile({ datasets: { "/gains": { data: this.#gains, shape } } }),
    );
    Deno.writeFileSync(
      paths.pedestal,
      encodeArrayFile({
        datasets: {
          "/pedestal": { data: this.#pedestals, shape },
          "/pixel_mask": { data: this.#mask, shape: shape.slice(1) },
        },
      }),
    );
    return paths;
  }

  /**
   * Converts an image of modules one above the other.
   *
   * @param raw Raw pixels as they lie in the image.
   * @param reversed Modules whose rows are upside down.
   */
  convert(
    raw: ArrayLike<number>,
    { type, photonEnergyKev }: TestConversion,
    reversed: readonly number[] = [],
  ): { pixels: InstanceType<typeof ARRAYS[keyof typeof ARRAYS]>; counts: InvalidCounts } {
    const n = this.#modules * PIXELS;
    const pixels = new ARRAYS[type](n);
    const [least, most] = RANGES[type];
    const counts = { masked: 0, saturated: 0, invalidGain: 0 };
    for (let at = 0; at < n; at++) {
      const module = Math.floor(at / PIXELS);
      const y = Math.floor(at / COLUMNS) % ROWS, x = at % COLUMNS;
      const row = reversed.includes(module) ? ROWS - 1 - y : y;
      const i = module * PIXELS + row * COLUMNS + x;
      const value = raw[at]!, stage = STAGE_OF_CODE[value >> 14];
      pixels[at] = INVALID[type];
      if (this.#mask[i] !== 0 || (i >= 17 && i <= 19)) counts.masked++;
      else if (stage === undefined) counts.invalidGain++;
      else if (value === 0xc000) counts.saturated++;
      else {
        const j = stage * n + i;
        const scale = Math.fround(1 / (this.#gains[j]! * photonEnergyKev));
        const energy = Math.fround(Math.fround((value & 0x3fff) - this.#pedestals[j]!) * scale);
        pixels[at] = type === "float32"
          ? energy
          : Math.min(most, Math.max(least, roundHalfEven(energy)));
      }
    }
    return { pixels, counts };
  }
}

function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
