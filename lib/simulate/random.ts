/** A stream of random numbers. */
export interface RandomStream {
  /** The next 32 random bits. */
  bits(): number;
  /** The next number in [0, 1). */
  unit(): number;
}

/**
 * A random stream that is the same for the same keys, and unrelated to the stream of any others:
 * what one module or frame draws does not depend on what another one drew.
 *
 * @param keys Integers, such as seed, module and frame.
 */
export function randomStream(...keys: readonly number[]): RandomStream {
  let state = 0x9e3779b9;
  for (const key of keys) {
    state = mix(state ^ (key >>> 0));
    state = mix(state + Math.floor(key / 2 ** 32)); // keys may be wider than 32 bits
  }
  const bits = (): number => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state) >>> 0;
  };
  return { bits, unit: () => bits() / 2 ** 32 };
}

/** A bijection of 32-bit integers whose every output bit depends on every input bit (murmur3). */
function mix(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) | 0;
}
