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
}

/** Where a module's maps are, for a converter: cloneable. */
export interface ModuleMaps {
  /** Descriptor of the file that holds them, open as long as the service runs. */
  readonly fd: number;
  /** Where the module's maps begin in it, by bank, a multiple of the page size. */
  readonly at: readonly [number, number];
  /** Bytes to map: the map of G0, then that of the other stages. */
  readonly bytes: number;
  /** Where the map of the other stages begins. */
  readonly switchedAt: number;
}

/** The banks: memory without a name that goes with the process. */
export class CalibrationBanks implements Disposable {
  readonly #setup: CorrectionSetup;
  readonly #file: File;
  readonly #bytes: { g0: number; switched: number };
  readonly #moduleBytes: number;

  /** @throws {OsError} ENOMEM, … */
  constructor(setup: CorrectionSetup) {
    this.#setup = setup;
    this.#bytes = jungfrauMapBytes(setup.rows, setup.columns);
    const { g0, switched } = this.#bytes;
    this.#moduleBytes = Math.ceil((g0 + switched) / PAGE_BYTES) * PAGE_BYTES;
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
    };
  }

  /**
   * Writes the maps of all modules into a bank that nothing reads now.
   *
   * @returns Masked pixels by module.
   * @throws {RangeError} If there are maps of other modules, or of another size.
   * @throws {OsError} ENOMEM, …
   */
  write(bank: Bank, maps: readonly Omit<JungfrauMaps, "rows" | "columns">[]): number[] {
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
      this.#file.writeAt(new Uint8Array(packed.buffer), this.of(module).at[bank]);
      return masked;
    });
  }

  /** Gives the memory back, once all mappings are gone. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}
