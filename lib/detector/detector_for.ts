import { ConfigError, type DetectorConfig, type DetectorType } from "../config/mod.ts";
import { checkDetector } from "./check_detector.ts";
import type { Detector } from "./detector.ts";
import { eiger } from "./eiger/eiger.ts";
import { gigafrost } from "./gigafrost/gigafrost.ts";
import { gotthard2 } from "./gotthard2/gotthard2.ts";
import { jungfrau } from "./jungfrau/jungfrau.ts";
import { moench } from "./moench/moench.ts";
import { mythen3 } from "./mythen3/mythen3.ts";

const DETECTORS: Partial<Record<DetectorType, Detector>> = {
  "eiger": eiger,
  "jungfrau-raw": jungfrau,
  "jungfrau-converted": jungfrau,
  "gigafrost": gigafrost,
  "moench": moench,
  "gotthard2": gotthard2,
  "mythen3": mythen3,
};

/**
 * A valid config for a detector whose packets these services cannot receive yet. Its cause is the
 * `ConfigError` about `detector_type`.
 */
export class UnsupportedDetectorError extends Error {
  /** The class's name. */
  override readonly name = "UnsupportedDetectorError";

  /**
   * Names the type and what there is.
   *
   * @param detectorType The config's `detector_type`.
   */
  constructor(readonly detectorType: string) {
    const supported = Object.keys(DETECTORS).map((name) => `"${name}"`).join(", ");
    const expected = `one of ${supported}`;
    super(
      `detector_type "${detectorType}" is not supported here; supported are ${supported}: ` +
        "use a config of one of these",
      { cause: new ConfigError("", [{ path: "detector_type", value: detectorType, expected }]) },
    );
  }
}

/**
 * The detector that a config describes.
 *
 * @throws {UnsupportedDetectorError} If there is no folder for it here.
 * @throws {DetectorFolderError} If that contradicts itself or the config.
 */
export function detectorFor(config: DetectorConfig): Detector {
  const detector = DETECTORS[config.detector_type];
  if (detector === undefined) throw new UnsupportedDetectorError(config.detector_type);
  checkDetector(config, detector);
  return detector;
}
