/**
 * The correction of images: its calibration is loaded before the first image, and exchanged between two
 * images when a new one is asked for.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import {
  CalibrationBanks,
  CalibrationSwitch,
  correctionSetup,
  makeCalibrationBoard,
  type ModuleMaps,
} from "../../lib/assemble/mod.ts";
import type { Calibration, CalibrationSources } from "../../lib/calibration/mod.ts";
import { ConfigError, type DetectorConfig } from "../../lib/config/mod.ts";
import { type CalibrationState, formatCalibrationId } from "../../lib/protocol/mod.ts";

/** Longest wait for the assembler to change calibrations, beyond the time that images may take: ms. */
const PATIENCE_MS = 10_000;

/**
 * Loads the config's calibration.
 *
 * @returns Undefined for a detector whose images are not corrected.
 * @throws {ConfigError} If the config names none.
 * @throws {CalibrationError} If it does not fit the detector.
 * @throws {OsError} ENOENT, EACCES, …
 */
export async function startCorrection(
  config: DetectorConfig,
  logger: Logger,
): Promise<Correction | undefined> {
  if (correctionSetup(config) === undefined) return undefined;
  if (config.calibration === undefined) {
    throw new ConfigError(config.detector_name, [{
      path: "calibration",
      value: undefined,
      expected: `gains and pedestals, as detector_type ${config.detector_type} needs them: add ` +
        '"calibration": {"gains": "/path/gains.h5", "pedestal": "/path/pedestal.h5"}, or use jungfrau-raw',
    }]);
  }
  const correction = new Correction(config, logger);
  const { calibrationSources } = await import("../../lib/calibration/mod.ts");
  await correction.load(calibrationSources(config.calibration, config.high_gain));
  return correction;
}

/** Calibrations of a running assembler. */
export class Correction implements Disposable {
  /** Shared with the assembler's thread. */
  readonly board: SharedArrayBuffer;
  /** Of all modules, for the converters. */
  readonly maps: ModuleMaps[];
  readonly #config: DetectorConfig;
  readonly #logger: Logger;
  readonly #banks: CalibrationBanks;
  readonly #switch: CalibrationSwitch;
  #newest: { calibration: Calibration; loaded: Date } | undefined;

  /** @throws {OsError} ENOMEM, … */
  constructor(config: DetectorConfig, logger: Logger) {
    const setup = correctionSetup(config);
    if (setup === undefined) throw new RangeError(`A ${config.detector_type} is not corrected`);
    this.#config = config;
    this.#logger = logger;
    this.#banks = new CalibrationBanks(setup);
    this.board = makeCalibrationBoard(setup.modules);
    this.#switch = new CalibrationSwitch(this.board);
    this.maps = Array.from({ length: setup.modules }, (_, module) => this.#banks.of(module));
  }

  /**
   * Reads a calibration and has the next images made with it.
   *
   * @throws {CalibrationError} If it does not fit the detector.
   * @throws {OsError} ENOENT, EACCES, …
   * @throws {DOMException} TimeoutError: images of the calibration before the last are not done yet.
   */
  async load(sources: CalibrationSources): Promise<Calibration> {
    // Loaded here: raw images need no HDF5.
    const { readCalibration } = await import("../../lib/calibration/mod.ts");
    const setup = correctionSetup(this.#config)!; // asked for by the constructor
    const calibration = readCalibration(sources, setup);
    let masked: number[] = [];
    await this.#switch.load(calibration.id, (bank) => {
      masked = this.#banks.write(
        bank,
        calibration.maps.map(({ gains, pedestals, mask }, module) => ({
          gains,
          pedestals,
          mask,
          firstNoise: calibration.firstNoises?.[module],
        })),
      );
      return masked;
    }, this.#config.image_timeout_ms + PATIENCE_MS);
    this.#newest = { calibration, loaded: new Date() };
    this.#logger.info("calibration", {
      calibration_id: formatCalibrationId(calibration.id),
      gains: calibration.provenance.gains.path,
      pedestal: calibration.provenance.pedestal.path,
      pixels_masked: masked.reduce((sum, n) => sum + n, 0),
      masked_by_file: calibration.masked.mask,
      masked_without_gain: calibration.masked.gain,
      masked_without_pedestal: calibration.masked.pedestal,
    });
    return calibration;
  }

  /**
   * Has the next images made with another pedestal; its file's gains and pixel mask are used, too, see
   * `withPedestalFile()`.
   *
   * @throws As {@link load}.
   */
  async loadPedestal(file: string): Promise<void> {
    const { calibration } = this.#config;
    if (calibration === undefined) throw new RangeError("The config has no calibration");
    const { calibrationSources, withPedestalFile } = await import(
      "../../lib/calibration/mod.ts"
    );
    await this.load(
      withPedestalFile(calibrationSources(calibration, this.#config.high_gain), file),
    );
  }

  /**
   * What is to be told of the calibration that was loaded last.
   *
   * @throws {Error} Before there is one.
   */
  state(): CalibrationState {
    if (this.#newest === undefined) throw new Error("There is no calibration yet");
    const { calibration: { id, provenance, masked }, loaded } = this.#newest;
    const masks = [...new Set(provenance.pixelMasks.flatMap(({ path }) => path))];
    return {
      calibration_id: formatCalibrationId(id),
      loaded: loaded.toISOString(),
      gains: provenance.gains.path,
      pedestal: provenance.pedestal.path,
      pixel_mask: masks.length > 1 ? masks : masks[0] ?? null,
      masked,
    };
  }

  /** Waits until the next image that begins gets the newest calibration. */
  async settled(): Promise<void> {
    await this.#switch.settled(PATIENCE_MS);
  }

  /** Gives the maps' memory back. */
  [Symbol.dispose](): void {
    this.#banks[Symbol.dispose]();
  }
}
