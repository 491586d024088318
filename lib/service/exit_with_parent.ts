/**
 * Resolves when stdin ends. A supervisor holds the other end of that pipe, so the end means that it is gone,
 * even by SIGKILL.
 *
 * @param onWord Called with whatever it writes before: the word to a service that stands by.
 * @param stdin Where to read. Default: this process's stdin.
 */
export async function parentGone(
  onWord: () => void = () => {},
  stdin: { read(buffer: Uint8Array): Promise<number | null> } = Deno.stdin,
): Promise<void> {
  const buffer = new Uint8Array(256);
  try {
    while (await stdin.read(buffer) !== null) onWord();
  } catch {
    return; // An unreadable stdin is as good as a closed one.
  }
}
