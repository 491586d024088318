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
