/**
 * A detector's calibration: gains, pedestals and masks of all its modules, and what tells them from
 * others.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { LARGEST_CHARGE } from "../kernels/mod.ts";
import { GAIN_STAGES } from "./gain_stages.ts";

/** Bit of a pixel mask: the calibration has no usable gain or pedestal for the pixel. */
export const UNCALIBRATED_BIT = 1 << 10;

/**
 * Gains that can be: their magnitude, ADU/keV. A Jungfrau's are about 40 (100 in high gain), −1.4 and −0.1;
 * its pedestals, for which they may be mistaken, are larger than all of these.
 */
export const GAIN_RANGE = { least: 1e-4, most: 1e3 } as const;

/** Pedestals that can be: as charges, ADU. */
export const PEDESTAL_RANGE = { least: 0, most: LARGEST_CHARGE } as const;

/** Size of a detector's modules. */
export interface ModulesShape {
  /** Modules of the detector. */
  readonly modules: number;
  /** Rows of a module, px. */
  readonly rows: number;
  /** Columns of a module, px. */
  readonly columns: number;
}

/** Maps of one module. */
export interface CalibratedModule {
  /** [stage, row, column], ADU/keV. */
  readonly gains: Float64Array<ArrayBuffer>;
  /** [stage, row, column], ADU. */
  readonly pedestals: Float64Array<ArrayBuffer>;
  /** [row, column]; 0 is a good pixel, else the bits of the mask as read and {@link UNCALIBRATED_BIT}. */
  readonly mask: Uint32Array<ArrayBuffer>;
}

/** Masked pixels by the first reason that applies. */
export interface MaskedPixels {
  /** The pixel mask says so. */
  mask: number;
  /** A gain that is not a number, 0, or out of {@link GAIN_RANGE}. */
  gain: number;
  /** A pedestal that is not a number, or out of {@link PEDESTAL_RANGE}. */
  pedestal: number;
}

/** Where a map was read. */
export interface MapProvenance {
  /** File, or one per module. */
  readonly path: string | readonly string[];
  /** Dataset in it; undefined for raw numbers. */
  readonly dataset: string | undefined;
}

/** Calibration of all modules. */
export interface Calibration extends ModulesShape {
  /** Number that differs when any map does; a u64, never 0. */
  readonly id: bigint;
  /** Maps by module. */
  readonly maps: readonly CalibratedModule[];
  /** By module: RMS in G0, [row, column], ADU; if it was asked for. */
  readonly firstNoises?: readonly Float32Array<ArrayBuffer>[];
  /** Masked pixels of all modules together. */
  readonly masked: Readonly<MaskedPixels>;
  /** Where the maps come from. */
  readonly provenance: {
    readonly gains: MapProvenance;
    readonly pedestal: MapProvenance;
    /** A pixel is masked if one of them says so. */
    readonly pixelMasks: readonly MapProvenance[];
  };
}

/**
 * Masks the pixels without usable gains and pedestals, and names the result.
 *
 * @param shape Size of the modules.
 * @param maps Maps of each; their masks are completed in place.
 * @param provenance Where they come from.
 * @throws {RangeError} If a map has not the modules' size.
 */
export function makeCalibration(
  shape: ModulesShape,
  maps: readonly CalibratedModule[],
  provenance: Calibration["provenance"],
): Calibration {
  const pixels = shape.rows * shape.columns;
  const masked = { mask: 0, gain: 0, pedestal: 0 };
  if (maps.length !== shape.modules) {
    throw new RangeError(`maps of ${maps.length} modules for a detector of ${shape.modules}`);
  }
  maps.forEach((module, i) => {
    for (
      const [name, is, length] of [
        ["gains", module.gains.length, GAIN_STAGES.length * pixels],
        ["pedestals", module.pedestals.length, GAIN_STAGES.length * pixels],
        ["mask", module.mask.length, pixels],
      ] as const
    ) {
      if (is !== length) {
        throw new RangeError(`module ${i}: ${name} has ${is} numbers, ${length} are needed`);
      }
    }
    maskUnusable(module, pixels, masked);
  });
  return { ...shape, id: identify(maps), maps, masked, provenance };
}

function maskUnusable(
  { gains, pedestals, mask }: CalibratedModule,
  pixels: number,
  masked: MaskedPixels,
): void {
  for (let pixel = 0; pixel < pixels; pixel++) {
    let gainFits = true, pedestalFits = true;
    for (let i = pixel; i < gains.length; i += pixels) {
      const gain = Math.abs(gains[i]!), pedestal = pedestals[i]!;
      // Comparisons with NaN are false.
      gainFits &&= gain >= GAIN_RANGE.least && gain <= GAIN_RANGE.most;
      pedestalFits &&= pedestal >= PEDESTAL_RANGE.least && pedestal <= PEDESTAL_RANGE.most;
    }
    if (mask[pixel] !== 0) masked.mask++;
    else if (!gainFits) masked.gain++;
    else if (!pedestalFits) masked.pedestal++;
    if (!gainFits || !pedestalFits) mask[pixel]! |= UNCALIBRATED_BIT;
  }
}

/** The first eight bytes of the SHA-256 of everything that decides what a pixel becomes. */
function identify(maps: readonly CalibratedModule[]): bigint {
  const hash = createHash("sha256");
  for (const { gains, pedestals, mask } of maps) {
    hash.update(new Uint8Array(gains.buffer, gains.byteOffset, gains.byteLength));
    hash.update(new Uint8Array(pedestals.buffer, pedestals.byteOffset, pedestals.byteLength));
    hash.update(Uint8Array.from(mask, (bits) => bits === 0 ? 0 : 1));
  }
  const id = hash.digest().readBigUInt64LE(0);
  return id === 0n ? 1n : id;
}
