/**
 * Whether a routing key fits a binding key of a topic exchange: `*` is one word, `#` any number of words,
 * none included.
 *
 * @param pattern Words with dots between them, e.g. `psi.*.writer` or `psi.#`.
 * @param key Words with dots between them.
 */
export function topicMatches(pattern: string, key: string): boolean {
  return wordsMatch(wordsOf(pattern), wordsOf(key));
}

/** Of longer keys only the first words take turns with `*`: the number of patterns doubles with each. */
const MOST_STARS = 5;

/**
 * The binding keys that people write and that a routing key fits: the key itself, `*` in place of words, and
 * either of these cut short by `#`.
 *
 * @param key Words with dots between them.
 */
export function usualPatterns(key: string): string[] {
  let heads = [""];
  const patterns = ["#"];
  for (const [index, word] of wordsOf(key).entries()) {
    const choices = index < MOST_STARS ? [word, "*"] : [word];
    heads = heads.flatMap((head) =>
      choices.map((choice) => head === "" ? choice : `${head}.${choice}`)
    );
    patterns.push(...heads.map((head) => `${head}.#`));
  }
  return [...patterns, ...heads.filter((head) => head !== "")];
}

function wordsOf(text: string): string[] {
  return text === "" ? [] : text.split(".");
}

function wordsMatch([first, ...patterns]: readonly string[], words: readonly string[]): boolean {
  if (first === undefined) return words.length === 0;
  if (first === "#") {
    return words.some((_, i) => wordsMatch(patterns, words.slice(i))) || wordsMatch(patterns, []);
  }
  const [word, ...rest] = words;
  return word !== undefined && (first === "*" || first === word) && wordsMatch(patterns, rest);
}
