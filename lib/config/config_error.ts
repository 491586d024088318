import { describeValue, type ValueIssue } from "../validation/mod.ts";

/** One wrong value of a config, or a place in its text. */
export interface ConfigIssue extends ValueIssue {
  /** What was found there, where that is no value: words that follow the path. */
  readonly found?: string;
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
  const found = issue.found ??
    (issue.value === undefined ? "is missing" : `is ${describeValue(issue.value)}`);
  return `${issue.path === "" ? "the config" : issue.path} ${found}; expected ${issue.expected}`;
}
