/**
 * Jungfrau's correction as TypeScript sees it: the maps as the kernels read them, and one call per
 * module that checks its addresses.
 *
 * Formula and layout: `assembly/correct_jungfrau.ts`. What an invalid pixel is: decision 0014.
 *
 * @module
 */
import type { KernelExports } from "../../wasm/exports.ts";
import {
  checkRegions,
  checkWholeFrom,
  type KernelMemory,
  type Region,
  rowsRegion,
} from "./kernel_memory.ts";
import {
  CHARGE_BITS,
  CORRECTION,
  JUNGFRAU_G0,
  JUNGFRAU_SWITCHED,
  LARGEST_CHARGE,
  MAP_BLOCK_PIXELS as BLOCK,
} from "./layout.ts";

/** Pixel types that corrected images can have: energies in keV, or photon counts. */
export const CONVERTED_PIXEL_TYPES = ["float32", "int16", "uint16", "int32"] as const;

/** Type of a corrected pixel. */
export type ConvertedPixelType = typeof CONVERTED_PIXEL_TYPES[number];

/** Bytes of a corrected pixel. */
export const CONVERTED_PIXEL_BYTES: Readonly<Record<ConvertedPixelType, number>> = {
  float32: 4,
  int16: 2,
  uint16: 2,
  int32: 4,
};

/** What a masked, saturated or otherwise invalid pixel is in a corrected image. */
export const INVALID_PIXEL: Readonly<Record<ConvertedPixelType, number>> = {
  float32: NaN,
  int16: -32768,
  uint16: 65535,
  int32: -2147483648,
};

/** Raw value of a saturated pixel: of gain stage G2 when gains switch, of G0 when it is forced to high gain. */
export const SATURATED = { dynamic: 3 << CHARGE_BITS, high: LARGEST_CHARGE } as const;

/** Gain stages: G0, G1 and G2, with the gain codes 0, 1 and 3. */
const STAGES = 3;

/** Gains and pedestals of one module. */
export interface JungfrauMaps {
  /** Rows, px. */
  readonly rows: number;
  /** Columns, px. */
  readonly columns: number;
  /** [stage, row, column], ADU/keV. */
  readonly gains: Float32Array | Float64Array;
  /** [stage, row, column], ADU. */
  readonly pedestals: Float32Array | Float64Array;
  /** [row, column]; not 0: masked. */
  readonly mask: Uint8Array | Uint32Array;
}

/** What corrected pixels are to be. */
export interface JungfrauOutput {
  /** Type of a pixel. */
  readonly pixelType: ConvertedPixelType;
  /** Photon energy, keV, whose multiples are counted; 1 yields keV. */
  readonly photonEnergyKev: number;
}

/** Bytes of the two maps of a module, both multiples of 64. */
export function jungfrauMapBytes(rows: number, columns: number): { g0: number; switched: number } {
  const blocks = rows * Math.ceil(columns / BLOCK);
  return { g0: blocks * JUNGFRAU_G0.$bytes, switched: blocks * JUNGFRAU_SWITCHED.$bytes };
}

/**
 * Brings a module's maps into the kernels' form: scales (1/gain, or photons per ADU) and pedestals as
 * float32, eight pixels at a time. A pixel without a finite pedestal and a finite scale other than 0 in
 * every stage is masked.
 *
 * @param g0 Where they go, of the lengths that {@link jungfrauMapBytes} says.
 * @param switched Likewise.
 * @returns How many pixels are masked.
 * @throws {RangeError} If the sizes do not match, or a photon has no energy.
 */
export function packJungfrauMaps(
  maps: JungfrauMaps,
  output: JungfrauOutput,
  g0: Float32Array,
  switched: Float32Array,
): number {
  const { rows, columns, gains, pedestals, mask } = maps;
  const pixels = rows * columns;
  const bytes = jungfrauMapBytes(rows, columns);
  checkLength("gains", gains.length, STAGES * pixels);
  checkLength("pedestals", pedestals.length, STAGES * pixels);
  checkLength("mask", mask.length, pixels);
  checkLength("g0", g0.byteLength, bytes.g0);
  checkLength("switched", switched.byteLength, bytes.switched);
  const { pixelType, photonEnergyKev } = output;
  if (!(photonEnergyKev > 0 && photonEnergyKev < Infinity)) {
    throw new RangeError(`A photon of ${photonEnergyKev} keV; give a number above 0`);
  }
  const maskedPedestal = { float32: NaN, int16: Infinity, int32: Infinity, uint16: -Infinity };
  const blocks = Math.ceil(columns / BLOCK);
  g0.fill(0);
  switched.fill(0);
  let masked = 0;
  const scales = new Float32Array(STAGES), zeros = new Float32Array(STAGES);
  for (let pixel = 0; pixel < pixels; pixel++) {
    let bad = mask[pixel] !== 0;
    for (let stage = 0, i = pixel; stage < STAGES; stage++, i += pixels) {
      const scale = scales[stage] = 1 / (gains[i]! * photonEnergyKev);
      const zero = zeros[stage] = pedestals[i]!;
      // As float32, which is what is read back.
      bad ||= scale === 0 || !Number.isFinite(scales[stage]) || scales[stage] === 0 ||
        !Number.isFinite(zero) || !Number.isFinite(zeros[stage]);
    }
    if (bad) {
      masked++;
      scales.fill(1);
      zeros.fill(maskedPedestal[pixelType]);
    }
    const x = pixel % columns, block = Math.floor(pixel / columns) * blocks + Math.floor(x / BLOCK);
    const g0At = (block * JUNGFRAU_G0.$bytes) / 4 + x % BLOCK;
    const switchedAt = (block * JUNGFRAU_SWITCHED.$bytes) / 4 + x % BLOCK;
    g0[g0At + JUNGFRAU_G0.scale / 4] = scales[0]!;
    g0[g0At + JUNGFRAU_G0.pedestal / 4] = zeros[0]!;
    switched[switchedAt + JUNGFRAU_SWITCHED.scale_g1 / 4] = scales[1]!;
    switched[switchedAt + JUNGFRAU_SWITCHED.pedestal_g1 / 4] = zeros[1]!;
    switched[switchedAt + JUNGFRAU_SWITCHED.scale_g2 / 4] = scales[2]!;
    switched[switchedAt + JUNGFRAU_SWITCHED.pedestal_g2 / 4] = zeros[2]!;
  }
  return masked;
}

/** One module to correct; places are bytes in the kernels' memory. */
export interface JungfrauModule {
  /** Where its first row goes. */
  to: number;
  /** From a row of the image to the next, bytes; negative when the rows are reversed. */
  stride: number;
  /** Its raw pixels, row after row. */
  from: number;
  /** Rows, px. */
  rows: number;
  /** Columns, px. */
  columns: number;
  /** The packed map of G0. */
  g0: number;
  /** The packed map of the other stages. */
  switched: number;
  /** Raw value of a saturated pixel, see {@link SATURATED}. */
  saturated: number;
}

/** Pixels that had no good value, of those that are not masked. */
export interface InvalidPixels {
  /** At the raw value of saturation. */
  saturated: number;
  /** With the gain code that does not exist. */
  invalidGain: number;
}

/** The correction kernels on one memory. */
export class JungfrauCorrector {
  readonly #on: KernelMemory;
  readonly #kernels: Record<ConvertedPixelType, KernelExports["correctJungfrauFloat32"]>;
  readonly #counts: DataView;
  readonly #work: number;
  readonly #columns: number;

  /**
   * @param memory The kernels' memory.
   * @param work {@link JungfrauCorrector.workBytes} bytes in it.
   * @param columns Most columns of a module, px.
   * @throws {RangeError} If the work area is not inside the memory.
   */
  constructor(
    memory: WebAssembly.Memory,
    kernels: KernelExports,
    work: number,
    columns: number,
  ) {
    this.#on = { memory, kernels };
    this.#kernels = {
      float32: kernels.correctJungfrauFloat32,
      int16: kernels.correctJungfrauInt16,
      uint16: kernels.correctJungfrauUint16,
      int32: kernels.correctJungfrauInt32,
    };
    this.#work = work;
    this.#columns = columns;
    checkWholeFrom(1, { columns });
    checkRegions(this.#on, {}, { "work area": this.#workArea() });
    this.#counts = new DataView(memory.buffer, work, CORRECTION.$bytes);
  }

  /** Bytes of the work area for modules of so many columns. */
  static workBytes(columns: number): number {
    return CORRECTION.$bytes + 4 * (columns + 4);
  }

  /**
   * Corrects one module.
   *
   * @returns The pixels that had no good value.
   * @throws {RangeError} If something lies outside the memory or over what the kernel writes, or sizes make
   * no sense.
   */
  correct(pixelType: ConvertedPixelType, module: JungfrauModule): InvalidPixels {
    const { to, stride, from, rows, columns, g0, switched, saturated } = module;
    checkWholeFrom(1, { rows, columns });
    if (columns > this.#columns) {
      throw new RangeError(
        `A module of ${columns} columns; this corrector is for up to ${this.#columns}`,
      );
    }
    if (!(saturated >= 1 && saturated <= 0xffff)) {
      throw new RangeError(`No raw pixel is ${saturated}: 1 to 65535`);
    }
    const maps = jungfrauMapBytes(rows, columns);
    checkRegions(this.#on, {
      "raw pixels": { at: from, bytes: rows * columns * 2 },
      "map of G0": { at: g0, bytes: maps.g0 },
      "map of switched pixels": { at: switched, bytes: maps.switched },
    }, {
      "rows of the image": rowsRegion(to, rows, stride, columns * CONVERTED_PIXEL_BYTES[pixelType]),
      "work area": this.#workArea(),
    });
    const counts = this.#counts;
    counts.setBigUint64(CORRECTION.saturated, 0n, true);
    counts.setBigUint64(CORRECTION.invalid_gain, 0n, true);
    const kernel = this.#kernels[pixelType];
    kernel(to, stride, from, rows, columns, g0, switched, saturated, this.#work);
    return {
      saturated: Number(counts.getBigUint64(CORRECTION.saturated, true)),
      invalidGain: Number(counts.getBigUint64(CORRECTION.invalid_gain, true)),
    };
  }

  #workArea(): Region {
    return { at: this.#work, bytes: JungfrauCorrector.workBytes(this.#columns) };
  }
}

function checkLength(what: string, is: number, expected: number): void {
  if (is === expected) return;
  throw new RangeError(`${what} has the length ${is}, ${expected} is needed for this module`);
}
