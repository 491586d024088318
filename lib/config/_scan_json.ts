/** A place in a JSON text, and what is wrong there. */
export interface JsonProblem {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** The text found, up to the end of its line; `undefined` at the end of the text. */
  readonly found: string | undefined;
  /** What is allowed there, as a phrase. */
  readonly expected: string;
}

const MAX_DEPTH = 64;
// JSON forbids the control characters U+0000 to U+001F in a string.
// deno-lint-ignore no-control-regex
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;
const SPACE = /[ \t\r\n]*/y;

/**
 * Walks through a JSON text for what `JSON.parse` does not tell: always the line and column of a syntax
 * error, and keys that occur twice in one object (of which it silently keeps the last).
 *
 * @param text The text.
 * @returns Every repeated key up to the first syntax error, and that error; none if all is well.
 */
export function scanJson(text: string): JsonProblem[] {
  const scanner = new Scanner(text);
  try {
    scanner.document();
  } catch (error) {
    if (!(error instanceof SyntaxStop)) throw error;
  }
  return scanner.problems;
}

class SyntaxStop extends Error {}

class Scanner {
  readonly problems: JsonProblem[] = [];
  #at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value(0);
    if (this.#at < this.#text.length) this.#stop("the end of the text");
  }

  #value(depth: number): void {
    this.#take(SPACE);
    if (depth > MAX_DEPTH) this.#stop(`at most ${MAX_DEPTH} levels of nesting`);
    const first = this.#text[this.#at];
    if (first === "{") this.#members("}", depth, new Set());
    else if (first === "[") this.#members("]", depth);
    else if (!this.#take(STRING) && !this.#take(SCALAR)) this.#stop("a JSON value");
    this.#take(SPACE);
  }

  /** The members of an object (with the set of its keys) or the elements of an array (without). */
  #members(end: "}" | "]", depth: number, keys?: Set<unknown>): void {
    this.#at++;
    this.#take(SPACE);
    if (this.#text[this.#at] === end) {
      this.#at++;
      return;
    }
    for (;;) {
      if (keys !== undefined) this.#key(keys);
      this.#value(depth + 1);
      const next = this.#text[this.#at];
      if (next !== "," && next !== end) this.#stop(`"," or "${end}"`);
      this.#at++;
      if (next === end) return;
    }
  }

  #key(keys: Set<unknown>): void {
    this.#take(SPACE);
    const start = this.#at;
    if (!this.#take(STRING)) this.#stop("a key in double quotes");
    const key: unknown = JSON.parse(this.#text.slice(start, this.#at));
    if (keys.has(key)) this.#report(start, "each key once in an object");
    keys.add(key);
    this.#take(SPACE);
    if (this.#text[this.#at] !== ":") this.#stop('":" after the key');
    this.#at++;
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #stop(expected: string): never {
    this.#report(this.#at, expected);
    throw new SyntaxStop();
  }

  #report(at: number, expected: string): void {
    const before = this.#text.slice(0, at).split("\n");
    const rest = this.#text.slice(at);
    this.problems.push({
      line: before.length,
      column: (before.at(-1) ?? "").length + 1,
      found: rest === "" ? undefined : (rest.split("\n", 1)[0] ?? "").trimEnd(),
      expected,
    });
  }
}
