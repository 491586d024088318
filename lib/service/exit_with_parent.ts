/**
 * Resolves when stdin ends. A supervisor holds the other end of that pipe and never writes to it, so the end
 * means that it is gone, even by SIGKILL.
 *
 * @param stdin Where to read. Default: this process's stdin.
 */
export async function parentGone(
  stdin: { read(buffer: Uint8Array): Promise<number | null> } = Deno.stdin,
): Promise<void> {
  const buffer = new Uint8Array(256);
  try {
    while (await stdin.read(buffer) !== null);
  } catch {
    return; // An unreadable stdin is as good as a closed one.
  }
}
