/**
 * The maps of a detector's modules in memory that all converters share: two banks, one in use and one to
 * prepare the next calibration in.
 *
 * @module
 */
import {
  type ConvertedPixelType,
  jungfrauMapBytes,
  type JungfrauMaps,
  packJungfrauMaps,
  packTrackingLimits,
  trackingLimitBytes,
} from "../kernels/mod.ts";
import { File, PAGE_BYTES } from "../os/mod.ts";

/** Banks, of which one is in use. */
export const BANKS = 2;

/** One of the banks. */
export type Bank = 0 | 1;

/** How modules are corrected: cloneable, the same for all of them. */
export interface CorrectionSetup {
  /** Modules of the detector. */
  readonly modules: number;
  /** Rows of a module, px. */
  readonly rows: number;
  /** Columns of a module, px. */
  readonly columns: number;
  /** Type of the image's pixels. */
  readonly pixelType: ConvertedPixelType;
  /** Energy of one photon, keV, whose multiples are counted; 1 yields keV. */
  readonly photonEnergyKev: number;
  /** Raw value of a saturated pixel. */
  readonly saturated: number;
  /** Bytes of a packet's pixels: what is missing is missing by packets. */
  readonly packetBytes: number;
  /** How pedestals of G0 follow pixels without photons; undefined: they stay. */
  readonly tracking: PedestalTracking | undefined;
}

/** A moving mean of pixels that see no photon. */
export interface PedestalTracking {
  /** Share of a frame in the pedestal. */
  readonly weight: number;
  /** No photon: the charge is nearer to the pedestal than so many times the RMS. */
  readonly noise: number;
}

/** Maps to write for a module. */
export interface MapsToWrite extends Omit<JungfrauMaps, "rows" | "columns"> {
  /** RMS in G0, ADU, where pedestals are tracked. */
  readonly firstNoise?: Float32Array | undefined;
}

/** Where a module's maps are, for a converter: cloneable. */
export interface ModuleMaps {
  /** Descriptor of the file that holds them, open as long as the service runs. */
  readonly fd: number;
  /** Where the module's maps begin in it, by bank, a multiple of the page size. */
  readonly at: readonly [number, number];
  /** Bytes to map: the map of G0, that of the other stages, and the limits of tracked pedestals. */
  readonly bytes: number;
  /** Where the map of the other stages begins. */
  readonly switchedAt: number;
  /** Where the limits begin. */
  readonly limitsAt: number;
}

/** The banks: memory without a name that goes with the process. */
export class CalibrationBanks implements Disposable {
  readonly #setup: CorrectionSetup;
  readonly #file: File;
  readonly #bytes: { g0: number; switched: number };
  /** Bytes of a module's limits; 0 where pedestals are not tracked. */
  readonly #limitBytes: number;
  readonly #moduleBytes: number;

  /** @throws {OsError} ENOMEM, … */
  constructor(setup: CorrectionSetup) {
    const { rows, columns, tracking } = setup;
    this.#setup = setup;
    this.#bytes = jungfrauMapBytes(rows, columns);
    this.#limitBytes = tracking === undefined ? 0 : trackingLimitBytes(rows, columns);
    const { g0, switched } = this.#bytes;
    const bytes = g0 + switched + this.#limitBytes;
    this.#moduleBytes = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    this.#file = File.anonymous("calibration", BANKS * setup.modules * this.#moduleBytes);
  }

  /** Where a module's maps are. */
  of(module: number): ModuleMaps {
    const at = (bank: Bank): number => (bank * this.#setup.modules + module) * this.#moduleBytes;
    return {
      fd: this.#file.fd,
      at: [at(0), at(1)],
      bytes: this.#moduleBytes,
      switchedAt: this.#bytes.g0,
      limitsAt: this.#bytes.g0 + this.#bytes.switched,
    };
  }

  /**
   * Writes the maps of all modules into a bank that nothing reads now.
   *
   * @returns Masked pixels by module.
   * @throws {RangeError} If there are maps of other modules, or of another size, or no RMS for
   * pedestals that are to be tracked.
   * @throws {OsError} ENOMEM, …
   */
  write(bank: Bank, maps: readonly MapsToWrite[]): number[] {
    const { modules, rows, columns } = this.#setup;
    if (maps.length !== modules) {
      throw new RangeError(`maps of ${maps.length} modules for a detector of ${modules}`);
    }
    const { g0, switched } = this.#bytes;
    const packed = new Float32Array(this.#moduleBytes / 4);
    return maps.map((map, module) => {
      const masked = packJungfrauMaps(
        { ...map, rows, columns },
        this.#setup,
        packed.subarray(0, g0 / 4),
        packed.subarray(g0 / 4, (g0 + switched) / 4),
      );
      this.#packLimits(map, packed.subarray((g0 + switched) / 4));
      this.#file.writeAt(new Uint8Array(packed.buffer), this.of(module).at[bank]);
      return masked;
    });
  }

  #packLimits({ firstNoise }: MapsToWrite, target: Float32Array): void {
    const { rows, columns, tracking } = this.#setup;
    if (tracking === undefined) return;
    if (firstNoise === undefined) throw new RangeError("no RMS for pedestals to be tracked");
    const limits = target.subarray(0, this.#limitBytes / 4);
    packTrackingLimits(firstNoise, rows, columns, tracking.noise, limits);
  }

  /** Gives the memory back, once all mappings are gone. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}
