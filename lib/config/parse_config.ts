import type { z } from "zod";
import { unknownFields, valueIssues } from "../validation/mod.ts";
import { checkConfig, type RightFields } from "./check_config.ts";
import { ConfigError, type ConfigIssue } from "./config_error.ts";
import { type DetectorConfig, detectorConfigSchema } from "./schema.ts";
import { ignoredFields } from "./warnings.ts";

/** A usable config and what is odd about it. */
export interface ParsedConfig {
  /** The config, checked, with every default filled in. */
  readonly config: DetectorConfig;
  /** Fields that have no effect, one sentence each, to be logged by the caller. */
  readonly warnings: string[];
}

/**
 * Checks a detector config and fills in its defaults.
 *
 * @param json The config as parsed from JSON. Unknown fields are ignored with a warning.
 * @param source Where it came from, for the error's message; may be left out.
 * @returns The config and its warnings.
 * @example
 * ```ts
 * import { ConfigError, parseConfig } from "@std-daq/std-daq";
 * import { throws } from "node:assert/strict";
 *
 * throws(() => parseConfig({ detector_name: "JF", detector_type: "pilatus" }), ConfigError);
 * ```
 * @throws {ConfigError} If any field is wrong; it lists every wrong field: those that are wrong in
 * themselves, and those that do not go with other fields, as far as these are right.
 */
export function parseConfig(json: unknown, source = ""): ParsedConfig {
  const warnings = unknownFields(detectorConfigSchema, json);
  const result = detectorConfigSchema.safeParse(json);
  const issues = result.success
    ? checkConfig(result.data)
    : withCrossChecks(result.error.issues, json);
  if (!result.success || issues.length > 0) throw new ConfigError(source, issues, { warnings });
  return { config: result.data, warnings: [...warnings, ...ignoredFields(result.data)] };
}

type Issue = z.core.$ZodIssue;

/** What the schema found, and what is wrong besides among the fields that it found right. */
function withCrossChecks(found: readonly Issue[], json: unknown): ConfigIssue[] {
  const issues = valueIssues(found, json);
  const { config, wrong } = rightPart(json, found.map(({ path }) => path));
  const further = checkConfig(config, wrong).filter(({ path }) =>
    // An entry that was left out as wrong is not missing, too.
    !issues.some((issue) => issue.path === path || /^[.[]/.test(after(path, issue.path)))
  );
  return [...issues, ...further];
}

/** What follows `start` in `text`; nothing if it does not start with it. */
function after(start: string, text: string): string {
  return text.startsWith(start) ? text.slice(start.length) : "";
}

/** A config as far as it is right. */
interface RightPart {
  /** The right fields, `module_positions` without its wrong entries. */
  config: RightFields;
  /** The fields that are wrong as a whole. */
  wrong: Set<PropertyKey>;
}

/** Takes the wrong fields out of a config; a module with a wrong position leaves the others to check. */
function rightPart(json: unknown, wrongPaths: readonly (readonly PropertyKey[])[]): RightPart {
  const wrong = new Set<PropertyKey>();
  const wrongModules = new Set<PropertyKey>();
  for (const [field, key] of wrongPaths) {
    if (field === undefined) return { config: {}, wrong: new Set(FIELDS) };
    if (field === "module_positions" && key !== undefined) wrongModules.add(key);
    else wrong.add(field);
  }
  const right = without(Object(json), wrong);
  if (wrongModules.size > 0 && !wrong.has("module_positions")) {
    right["module_positions"] = without(Object(right["module_positions"]), wrongModules);
  }
  const { data } = partialSchema.safeParse(right);
  return data === undefined ? { config: {}, wrong: new Set(FIELDS) } : { config: data, wrong };
}

const partialSchema = detectorConfigSchema.partial();
const FIELDS = Object.keys(detectorConfigSchema.shape);

function without(
  entries: Record<string, unknown>,
  keys: ReadonlySet<PropertyKey>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entries).filter(([key]) => !keys.has(key)));
}
