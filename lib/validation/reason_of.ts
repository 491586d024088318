/**
 * What was thrown, in words that go on in a sentence: without a full stop.
 *
 * @param error Anything; what is no `Error` by its text.
 */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\.$/, "");
}
