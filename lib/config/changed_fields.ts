import { isDeepStrictEqual } from "node:util";

/**
 * The fields of a config that have another value in another config.
 *
 * @param before A config, or whatever was stored as one: what is no object has no fields.
 * @param after Another one.
 * @returns Their names, sorted; the order of members within a field's value does not matter.
 */
export function changedFields(before: unknown, after: unknown): string[] {
  const [old, next] = [fieldsOf(before), fieldsOf(after)];
  return [...new Set([...Object.keys(old), ...Object.keys(next)])]
    .filter((field) => !isDeepStrictEqual(old[field], next[field]))
    .sort();
}

function fieldsOf(config: unknown): Record<string, unknown> {
  return typeof config === "object" && config !== null && !Array.isArray(config)
    ? { ...config }
    : {};
}
