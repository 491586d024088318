/**
 * What the converters of a detector work on, from its config.
 *
 * @module
 */
import { type DetectorConfig, imageBytes } from "../config/mod.ts";
import { detectorFor, frameBytes } from "../detector/mod.ts";
import { SATURATED } from "../kernels/mod.ts";
import { frameRingName, imageRingName } from "../protocol/mod.ts";
import { moduleBorders } from "./borders.ts";
import type { CorrectionSetup, ModuleMaps } from "./calibration_maps.ts";
import { moduleConversion } from "./conversion.ts";
import type { ConverterSetup } from "./module_converter.ts";
import { modulePlacements } from "./placement.ts";

/**
 * The rings and placements for some modules of a detector.
 *
 * @param maps The maps of all modules, for a detector whose modules are corrected.
 * @throws {RangeError} If such a detector's module has none.
 */
export function converterSetup(
  config: DetectorConfig,
  frameSlots: number,
  imageSlots: number,
  modules: readonly number[],
  maps?: readonly ModuleMaps[],
): ConverterSetup {
  const detector = detectorFor(config);
  const layout = detector.moduleLayout(config);
  const correction = correctionSetup(config);
  const borders = moduleBorders(config, layout);
  const placements = modulePlacements(config, layout);
  const slotBytes = frameBytes(detector.packetFormat(config));
  return {
    image: {
      name: imageRingName(config.detector_name),
      slotBytes: imageBytes(config),
      slots: imageSlots,
    },
    modules: modules.map((module) => ({
      module,
      conversion: correction === undefined
        ? moduleConversion(layout)
        : { kind: "correct_jungfrau", setup: correction, maps: mapsOf(module, maps) },
      placement: placements[module]!,
      borders: borders?.[module],
      ring: { name: frameRingName(config.detector_name, module), slotBytes, slots: frameSlots },
    })),
  };
}

/** How a detector's modules are corrected; undefined if its images hold what is received. */
export function correctionSetup(config: DetectorConfig): CorrectionSetup | undefined {
  if (config.detector_type !== "jungfrau-converted") return undefined;
  const detector = detectorFor(config);
  const { rows, chips, runPixels } = detector.moduleLayout(config);
  const tracking = config.calibration?.pedestal_tracking;
  return {
    modules: config.n_modules,
    rows,
    columns: chips * runPixels,
    pixelType: config.converted_pixel_type,
    photonEnergyKev: config.converted_pixel_type === "float32" ? 1 : config.photon_energy_kev ?? 1,
    saturated: config.high_gain ? SATURATED.high : SATURATED.dynamic,
    packetBytes: detector.packetFormat(config).payloadBytes,
    tracking: tracking && { weight: 1 / tracking.frames, noise: tracking.noise },
  };
}

function mapsOf(module: number, maps: readonly ModuleMaps[] | undefined): ModuleMaps {
  const own = maps?.[module];
  if (own === undefined) throw new RangeError(`Module ${module} is to be corrected without maps`);
  return own;
}
