/** Longest time of the runtime's own timer, ms: with more it would go off at once. */
const MAX_MS = 2 ** 31 - 1;

/**
 * Calls back once after a time, however long.
 *
 * @param ms From 0; infinity is never.
 * @returns What takes it back.
 */
export function after(ms: number, callback: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (left: number): void => {
    const next = Math.min(left, MAX_MS);
    timer = setTimeout(() => left > next ? wait(left - next) : callback(), next);
  };
  wait(ms);
  return () => clearTimeout(timer);
}
