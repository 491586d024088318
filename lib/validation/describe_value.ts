const MAX_VALUE_CHARACTERS = 80;

/**
 * Writes a value on one short line, whatever it is.
 *
 * @param value Any value, also one that JSON cannot hold.
 * @returns Its JSON (or its type, where there is none), at most 80 characters, without control characters.
 */
export function describeValue(value: unknown): string {
  const text = (json(value) ?? `a value of type ${typeof value}`).replace(/\p{Cc}/gu, " ");
  const characters = [...text];
  return characters.length <= MAX_VALUE_CHARACTERS
    ? text
    : `${characters.slice(0, MAX_VALUE_CHARACTERS - 1).join("")}…`;
}

function json(value: unknown): string | undefined {
  if (typeof value === "number") return String(value); // NaN and Infinity are "null" in JSON
  if (typeof value === "bigint") return String(value);
  try {
    return JSON.stringify(value, (_key, v) => typeof v === "bigint" ? Number(v) : v);
  } catch { // a cycle or a throwing toJSON: the type is all there is to say
    return undefined;
  }
}

/**
 * Writes the place of a value in JSON: `module_positions.3`, `submodule_info[2].port`.
 *
 * @param path Names of members and numbers of elements, from the outside in; none is the whole, "".
 */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.map((key, index) => {
    if (typeof key === "number") return `[${key}]`;
    const name = String(key);
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) return `[${describeValue(name)}]`;
    return index === 0 ? name : `.${name}`;
  }).join("");
}
