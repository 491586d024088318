const POLL_MS = 10;

/**
 * Asks until the answer is neither `undefined` nor `false`.
 *
 * @param what What is waited for, for the error.
 * @param limitMs Longest wait, ms.
 * @throws {Error} When time is up; `explain` may add what the world looked like.
 */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  { limitMs = 20_000, explain = () => "" }: { limitMs?: number; explain?: () => string } = {},
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${limitMs} ms. ${explain()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The promise's value; throws when it takes too long. */
export async function within<T>(what: string, limitMs: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`${what}: not within ${limitMs} ms`)),
    limitMs,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
