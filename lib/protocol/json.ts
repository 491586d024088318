/**
 * JSON whose integers survive: run ids are nanoseconds since 1970, beyond the 2^53 up to which
 * JavaScript numbers are exact.
 *
 * @module
 */

declare global {
  /** ES2025, not in TypeScript's library yet. */
  interface JSON {
    /** A value that `JSON.stringify` writes as this very text. */
    rawJSON(text: string): unknown;
  }
}

/**
 * Parses JSON; integers that a number cannot hold exactly become bigint.
 *
 * @throws {SyntaxError} If the text is not JSON.
 */
export function parseJson(text: string): unknown {
  const exact: (key: string, value: unknown, context?: { source?: string }) => unknown = (
    _key,
    value,
    context,
  ) => {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const source = context?.source ?? "";
    return /^-?\d+$/.test(source) ? BigInt(source) : value;
  };
  return JSON.parse(text, exact);
}

/** Writes JSON; bigint values become integers. */
export function stringifyJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_key, member: unknown) =>
      typeof member === "bigint" ? JSON.rawJSON(member.toString()) : member,
    indent,
  );
}
