/**
 * The detector config: one zod schema, reading and checking of files, and what follows from it
 * (geometry, image size, ports, ring sizes).
 *
 * @module
 */

export { changedFields } from "./changed_fields.ts";
export { loadConfig, parseConfigJson, parseConfigText, readConfigText } from "./load_config.ts";
export { parseConfig, type ParsedConfig } from "./parse_config.ts";
export { ConfigError, type ConfigErrorOptions, type ConfigIssue } from "./config_error.ts";
export type { ValueIssue } from "../validation/mod.ts";
export {
  DETECTOR_FACTS,
  DETECTOR_TYPES,
  type DetectorFacts,
  detectorFacts,
  DOUBLE_PIXELS,
  type DoublePixels,
  type ModuleSize,
} from "./detector_facts.ts";
export {
  GIGAFROST_MODULES,
  hasChipGaps,
  type ModuleRectangle,
  moduleRectangles,
} from "./geometry.ts";
export {
  frameSlots,
  imageBytes,
  imageShape,
  imageSlots,
  modulePort,
  type PixelType,
  pixelType,
} from "./derived.ts";
export {
  type CalibrationConfig,
  CONVERTED_PIXEL_TYPES,
  type ConvertedPixelType,
  DEFAULT_SLOTS,
  type DetectorConfig,
  type DetectorConfigInput,
  detectorConfigSchema,
  type DetectorType,
  type LiveStreamConfig,
  LOG_LEVELS,
  MAX_MODULES,
  type ModulePosition,
  type ModuleRotation,
  type Submodule,
} from "./schema.ts";
export {
  FILE_FORMATS,
  type FileFormat,
  type NexusConfig,
  type NexusRequest,
  nexusRequestSchema,
  nexusSchema,
} from "./nexus_schema.ts";
export { configFieldTable, configJsonSchema, FIELD_TABLE_MARKS } from "./reference.ts";
