/**
 * Waits that end in time. Not part of `mod.ts`: it needs no libc.
 *
 * @module
 */

/**
 * Waits for something, and for a time at most.
 *
 * @param limitMs Longest wait, ms.
 * @param something What may take longer; undefined is done already.
 * @returns Whether it was done in time.
 * @throws What it rejects with in time; later than that, nobody hears of it.
 */
export async function atMost(
  limitMs: number,
  something: Promise<unknown> | undefined,
): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), limitMs);
  try {
    return await Promise.race([Promise.resolve(something).then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
