/**
 * Pedestal tracking with its arguments checked, once per call.
 *
 * @module
 */
import { jungfrauMapBytes } from "./correct_jungfrau.ts";
import { checkRegions, checkWholeFrom, type KernelMemory } from "./kernel_memory.ts";
import { MAP_BLOCK_PIXELS as BLOCK } from "./layout.ts";

/** A module whose pedestals follow its pixels without photons; places are bytes in the memory. */
export interface TrackedModule {
  /** Its raw pixels, u16, row after row. */
  readonly from: number;
  /** Rows, px. */
  readonly rows: number;
  /** Columns, px. */
  readonly columns: number;
  /** The packed map of G0, see {@link packJungfrauMaps}: its pedestals are changed. */
  readonly g0: number;
  /** The packed limits, see {@link packTrackingLimits}. */
  readonly limits: number;
  /** Share of a frame in the pedestals, above 0 to 1: 1/weight frames are averaged. */
  readonly weight: number;
}

/** Bytes of a module's packed limits. */
export function trackingLimitBytes(rows: number, columns: number): number {
  return 4 * BLOCK * rows * Math.ceil(columns / BLOCK);
}

/**
 * Brings a module's limits into the kernel's form: a pixel whose charge is nearer to its pedestal than
 * `times` its RMS sees no photon.
 *
 * @param noises RMS in G0, [row, column], ADU. Without one (NaN, 0) a pixel is not tracked.
 * @param times How many times the RMS.
 * @param target Where they go, of the length that {@link trackingLimitBytes} says.
 * @throws {RangeError} If the sizes do not match.
 */
export function packTrackingLimits(
  noises: Float32Array,
  rows: number,
  columns: number,
  times: number,
  target: Float32Array,
): void {
  if (noises.length !== rows * columns) {
    throw new RangeError(`${noises.length} noises for ${rows} × ${columns} px`);
  }
  if (target.byteLength !== trackingLimitBytes(rows, columns)) {
    throw new RangeError(
      `limits have ${target.byteLength} bytes; ` +
        `${trackingLimitBytes(rows, columns)} are needed for ${rows} × ${columns} px`,
    );
  }
  const padded = BLOCK * Math.ceil(columns / BLOCK);
  target.fill(0);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const limit = times * noises[y * columns + x]!;
      target[y * padded + x] = Number.isFinite(limit) ? limit : 0;
    }
  }
}

/**
 * Moves the G0 pedestals of a module towards the charges of its pixels without photons. The formula
 * is on top of `assembly/track_pedestal.ts`.
 *
 * @throws {RangeError} If the regions do not fit, or the weight is not above 0 and at most 1.
 */
export function trackPedestal(on: KernelMemory, module: TrackedModule): void {
  const { from, rows, columns, g0, limits, weight } = module;
  checkWholeFrom(1, { rows, columns });
  if (!(weight > 0 && weight <= 1)) {
    throw new RangeError(`weight of a frame ${weight}; give above 0, up to 1`);
  }
  checkRegions(on, {
    "raw pixels": { at: from, bytes: 2 * rows * columns },
    "limits": { at: limits, bytes: trackingLimitBytes(rows, columns) },
  }, { "map of G0": { at: g0, bytes: jungfrauMapBytes(rows, columns).g0 } });
  on.kernels.trackPedestal(from, rows, columns, g0, limits, weight);
}
