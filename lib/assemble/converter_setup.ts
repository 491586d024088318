/**
 * What the converters of a detector work on, from its config.
 *
 * @module
 */
import { type DetectorConfig, imageBytes } from "../config/mod.ts";
import { detectorFor, frameBytes } from "../detector/mod.ts";
import { frameRingName, imageRingName } from "../protocol/mod.ts";
import { moduleBorders } from "./borders.ts";
import { moduleConversion } from "./conversion.ts";
import type { ConverterSetup } from "./module_converter.ts";
import { modulePlacements } from "./placement.ts";

/** The rings and placements for some modules of a detector. */
export function converterSetup(
  config: DetectorConfig,
  frameSlots: number,
  imageSlots: number,
  modules: readonly number[],
): ConverterSetup {
  const detector = detectorFor(config);
  const layout = detector.moduleLayout(config);
  const conversion = moduleConversion(layout);
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
      conversion,
      placement: placements[module]!,
      borders: borders?.[module],
      ring: { name: frameRingName(config.detector_name, module), slotBytes, slots: frameSlots },
    })),
  };
}
