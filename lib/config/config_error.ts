/** One wrong value of a detector config. */
export interface ConfigIssue {
  /** Where it is, for example `module_positions.3` or `submodule_info[2].port`; empty for the whole file. */
  readonly path: string;
  /** What was found there; `undefined` when the field is missing. */
  readonly value: unknown;
  /** What is allowed there, as a phrase. */
  readonly expected: string;
}

/** What a `ConfigError` may carry besides its issues. */
export interface ConfigErrorOptions extends ErrorOptions {
  /** What the config is of. Default `detector config`. */
  readonly what?: string;
  /** Where its fields are described. Default `docs/reference/configuration.md`. */
  readonly described?: string;
  /** Warnings of the same parse; a misspelt field often explains a missing one. */
  readonly warnings?: readonly string[];
}

/**
 * A config, as a rule a detector's, that cannot be used. The message lists every wrong field on a line of its own
 * (path, value found, what is allowed) and ends with what to do.
 */
export class ConfigError extends Error {
  /** The class's name. */
  override readonly name = "ConfigError";
  /** Every wrong field, in the order of the file's schema. */
  readonly issues: readonly ConfigIssue[];
  /** Where the config came from: a path, or the name the caller gave. */
  readonly source: string;

  /**
   * Composes the message.
   *
   * @param source Where the config came from, for the message; may be empty.
   * @param issues The wrong fields; at least one.
   * @param options `cause`, when another error is behind it; `warnings`, shown below the issues; what it is of.
   */
  constructor(
    source: string,
    issues: readonly ConfigIssue[],
    {
      warnings = [],
      what = "detector config",
      described = "docs/reference/configuration.md",
      ...options
    }: ConfigErrorOptions = {},
  ) {
    const lines = [...issues.map(line), ...warnings.map((warning) => `note: ${warning}`)];
    const count = issues.length === 1 ? "1 problem" : `${issues.length} problems`;
    super(
      `${what}${source === "" ? "" : ` ${source}`} is not valid (${count}):\n` +
        `${lines.map((text) => `  ${text}\n`).join("")}` +
        `Correct these and start again; ${described} describes every field.`,
      options,
    );
    this.issues = issues;
    this.source = source;
  }
}

function line(issue: ConfigIssue): string {
  const found = issue.value === undefined ? "is missing" : `is ${describeValue(issue.value)}`;
  return `${issue.path === "" ? "the config" : issue.path} ${found}; expected ${issue.expected}`;
}

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
  if (typeof value === "bigint") return `${value}n`;
  try {
    return JSON.stringify(value);
  } catch { // a cycle, a bigint inside or a throwing toJSON: the type is all there is to say
    return undefined;
  }
}
