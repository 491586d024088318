/** Whether `n` bytes are all zero; `n` is a multiple of 16. */
export function isZero(from: usize, n: usize): bool {
  for (const end = from + n; from < end; from += 16) {
    if (v128.any_true(v128.load(from))) return false;
  }
  return true;
}
