import type { z } from "zod";
import { checkConfig } from "./check_config.ts";
import { ConfigError, type ConfigIssue } from "./config_error.ts";
import { type DetectorConfig, detectorConfigSchema } from "./schema.ts";
import { ignoredFields, unknownFields } from "./warnings.ts";

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
 * @throws {ConfigError} If any field is wrong; it lists every wrong field. The geometry is checked once
 * all fields are right in themselves.
 */
export function parseConfig(json: unknown, source = ""): ParsedConfig {
  const warnings = unknownFields(json);
  const result = detectorConfigSchema.safeParse(json);
  const issues = result.success
    ? checkConfig(result.data)
    : result.error.issues.flatMap((issue) => toConfigIssues(issue, json));
  if (!result.success || issues.length > 0) throw new ConfigError(source, issues, { warnings });
  return { config: result.data, warnings: [...warnings, ...ignoredFields(result.data)] };
}

type Issue = z.core.$ZodIssue;

function toConfigIssues(issue: Issue, json: unknown, parents: PropertyKey[] = []): ConfigIssue[] {
  const path = [...parents, ...issue.path];
  if (issue.code === "invalid_union") {
    // The alternative that went deepest is the one that was meant: report what is wrong inside it.
    const meant = issue.errors.find((issues) => issues.some((inner) => inner.path.length > 0));
    if (meant !== undefined) return meant.flatMap((inner) => toConfigIssues(inner, json, path));
  }
  const expected = issue.code === "invalid_key"
    ? `the key to be ${issue.issues[0]?.message ?? "another"}`
    : issue.message;
  return [{ path: formatPath(path), value: valueAt(json, path), expected }];
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.map((key, index) => {
    if (typeof key === "number") return `[${key}]`;
    const name = String(key);
    if (!/^[A-Za-z0-9_-]+$/.test(name)) return `[${JSON.stringify(name)}]`;
    return index === 0 ? name : `.${name}`;
  }).join("");
}

function valueAt(json: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null
        ? Object.getOwnPropertyDescriptor(value, key)?.value
        : undefined,
    json,
  );
}
