import { describeValue, formatPath } from "./describe_value.ts";

/** One thing that is wrong with a value. */
export interface ValueIssue {
  /** Where it is, for example `module_positions.3` or `submodule_info[2].port`; empty for the whole. */
  readonly path: string;
  /** What was found there; `undefined` when it is missing. */
  readonly value: unknown;
  /** What is allowed there, as a phrase. */
  readonly expected: string;
}

/** An issue as zod has it; other checkers may leave all but the first two out. */
export interface SchemaIssue {
  /** Where. */
  readonly path: readonly PropertyKey[];
  /** What is wrong: a phrase that fits after "expected", where the schema gives one; else zod's own text. */
  readonly message: string;
  /** What kind of issue. */
  readonly code?: unknown;
  /** Type. */
  readonly expected?: unknown;
  /** Of what a bound is: `string`, `array`, `number`, … */
  readonly origin?: unknown;
  /** Bounds, and whether they are allowed themselves. */
  readonly minimum?: unknown;
  /** See `minimum`. */
  readonly maximum?: unknown;
  /** See `minimum`. */
  readonly inclusive?: unknown;
  /** Whether only the bound itself is allowed. */
  readonly exact?: unknown;
  /** Allowed values. */
  readonly values?: unknown;
  /** Keys that the schema does not know. */
  readonly keys?: unknown;
  /** Issues of each alternative. */
  readonly errors?: readonly (readonly SchemaIssue[])[];
  /** Issues of a key or an element. */
  readonly issues?: readonly SchemaIssue[];
  /** Form of a text. */
  readonly format?: unknown;
  /** Its regular expression. */
  readonly pattern?: unknown;
  /** What it begins with. */
  readonly prefix?: unknown;
  /** What it ends with. */
  readonly suffix?: unknown;
  /** What is in it. */
  readonly includes?: unknown;
  /** What a number is a multiple of. */
  readonly divisor?: unknown;
}

/**
 * The issues of a schema, each with the value that is wrong and a phrase that says what is allowed.
 *
 * @param issues As zod's `safeParse` gives them.
 * @param value The value that was checked.
 */
export function valueIssues(issues: readonly SchemaIssue[], value: unknown): ValueIssue[] {
  return issues.flatMap((issue) => toValueIssues(issue, value, []));
}

/** One issue for people, after its path: `expected a number above 0, but it is -1`. */
export function issueMessage({ value, expected }: Pick<ValueIssue, "value" | "expected">): string {
  return `expected ${expected}, but it is ${
    value === undefined ? "missing" : describeValue(value)
  }`;
}

/**
 * All issues of a schema in one line, `path: expected …, but it is …; path: …`.
 *
 * @param what Name of the whole value, where something is wrong with it as such.
 */
export function issuesText(issues: readonly SchemaIssue[], value: unknown, what: string): string {
  return valueIssues(issues, value)
    .map((issue) => `${issue.path === "" ? what : issue.path}: ${issueMessage(issue)}`)
    .join("; ");
}

function toValueIssues(
  issue: SchemaIssue,
  whole: unknown,
  parents: readonly PropertyKey[],
): ValueIssue[] {
  const path = [...parents, ...issue.path];
  const { code, errors = [], issues = [], keys } = issue;
  if (code === "invalid_union") {
    // The alternative that went deepest is the one that was meant: what is wrong is inside it.
    const meant = errors.find((inner) => inner.some((one) => one.path.length > 0));
    if (meant !== undefined) return meant.flatMap((inner) => toValueIssues(inner, whole, path));
  }
  if (code === "invalid_element" && issues.length > 0) {
    return issues.flatMap((inner) => toValueIssues(inner, whole, path));
  }
  if (code === "unrecognized_keys" && Array.isArray(keys) && isOfZod(issue)) {
    return keys.map((key) => at(whole, [...path, String(key)], UNKNOWN));
  }
  return [at(whole, path, expectedOf(issue))];
}

const UNKNOWN = "no field of this name: remove it, or check the name";

function at(whole: unknown, path: readonly PropertyKey[], expected: string): ValueIssue {
  return { path: formatPath(path), value: path.reduce(memberOf, whole), expected };
}

function memberOf(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null
    ? Object.getOwnPropertyDescriptor(value, key)?.value
    : undefined;
}

/** Whether the schema gave no text of its own. */
function isOfZod({ code, message }: SchemaIssue): boolean {
  if (code === undefined || code === "custom") return message === "Invalid input";
  return /^(Invalid |Too (big|small)|Unrecognized key)/.test(message);
}

/** What is allowed, as a phrase that fits after "expected". */
function expectedOf(issue: SchemaIssue): string {
  const [key] = issue.issues ?? [];
  if (issue.code === "invalid_key" && key !== undefined) return `the key to be ${expectedOf(key)}`;
  if (!isOfZod(issue)) {
    return issue.message.replace(/\s+/g, " ").replace(/^(expected|must be) /i, "")
      .replace(/\.$/, "");
  }
  const { code, errors = [], values, divisor } = issue;
  switch (code) {
    case "invalid_type":
      return typeOf(issue.expected);
    case "invalid_value":
      return oneOf(Array.isArray(values) ? values : []);
    case "too_small":
    case "too_big":
      return boundOf(issue);
    case "invalid_format":
      return formOf(issue);
    case "not_multiple_of":
      return `a multiple of ${divisor}`;
    case "invalid_union": {
      const alternatives = new Set(errors.flatMap((inner) => inner.map(expectedOf)));
      return alternatives.size === 0 ? "another value" : [...alternatives].join(", or ");
    }
    default:
      return "another value";
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  bigint: "a whole number",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "an object",
  record: "an object",
  map: "an object",
  null: "null",
  never: "nothing",
  undefined: "nothing",
};

function typeOf(type: unknown): string {
  return TYPES[String(type)] ?? `a value of type ${type}`;
}

function oneOf(values: readonly unknown[]): string {
  const [only] = values;
  return values.length === 1
    ? describeValue(only)
    : `one of ${values.map(describeValue).join(", ")}`;
}

function boundOf({ code, origin, minimum, maximum, inclusive, exact }: SchemaIssue): string {
  const bound = code === "too_small" ? minimum : maximum;
  const sized = SIZES[String(origin)];
  if (sized === undefined) {
    const [least, above, most, below] = ["of at least", "above", "of at most", "below"];
    const relation = code === "too_small"
      ? (inclusive ? least : above)
      : (inclusive ? most : below);
    return `a number ${relation} ${bound}`;
  }
  const [thing, part] = sized;
  const count = Number(bound) + (inclusive || exact ? 0 : code === "too_small" ? 1 : -1);
  const relation = exact ? "" : code === "too_small" ? "at least " : "at most ";
  return `${thing} of ${relation}${count} ${part}${count === 1 ? "" : "s"}`;
}

const SIZES: Readonly<Record<string, readonly [thing: string, part: string]>> = {
  string: ["a text", "character"],
  array: ["a list", "element"],
  set: ["a list", "element"],
  map: ["an object", "member"],
};

function formOf({ format, pattern, prefix, suffix, includes }: SchemaIssue): string {
  switch (format) {
    case "starts_with":
      return `a text that begins with ${describeValue(prefix)}`;
    case "ends_with":
      return `a text that ends with ${describeValue(suffix)}`;
    case "includes":
      return `a text with ${describeValue(includes)} in it`;
    case "regex":
      return `a text that matches ${pattern}`;
    default:
      return `a text in the form of ${format}`;
  }
}
