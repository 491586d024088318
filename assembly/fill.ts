/** Sets `n` bytes to zero. */
export function fill(to: usize, n: usize): void {
  memory.fill(to, 0, n);
}
