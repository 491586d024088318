import type { DetectorConfig, DetectorType } from "../config/mod.ts";
import type { Detector } from "./detector.ts";
import { eiger } from "./eiger/eiger.ts";
import { jungfrau } from "./jungfrau/jungfrau.ts";

const DETECTORS: Partial<Record<DetectorType, Detector>> = {
  "eiger": eiger,
  "jungfrau-raw": jungfrau,
  "jungfrau-converted": jungfrau,
};

/** A valid config for a detector whose packets these services cannot receive yet. */
export class UnsupportedDetectorError extends Error {
  override readonly name = "UnsupportedDetectorError";

  /** @param detectorType The config's `detector_type`. */
  constructor(readonly detectorType: string) {
    super(
      `detector_type "${detectorType}" is not supported here; supported are ` +
        `${
          Object.keys(DETECTORS).map((name) => `"${name}"`).join(", ")
        }: use a config of one of these`,
    );
  }
}

/**
 * The detector that a config describes.
 *
 * @throws {UnsupportedDetectorError} If there is no folder for it here.
 */
export function detectorFor(config: DetectorConfig): Detector {
  const detector = DETECTORS[config.detector_type];
  if (detector === undefined) throw new UnsupportedDetectorError(config.detector_type);
  return detector;
}
