/**
 * Steps that several kernels share.
 *
 * Kernels allocate nothing and hold no static data (data segments would be re-applied at every
 * instantiation and overwrite what another instance keeps there): all addresses come from the host.
 */

/** Copies `n` ≥ 64 bytes; any alignment. 16-byte aligned stores, overlapping head and tail. */
// @ts-ignore: decorator of AssemblyScript
@inline
export function copyRow(to: usize, from: usize, n: usize): void {
  const lastFrom = from + n - 64;
  const lastTo = to + n - 64;
  v128.store(to, v128.load(from));
  const head: usize = 16 - (to & 15);
  to += head;
  from += head;
  while (from < lastFrom) {
    const a = v128.load(from), b = v128.load(from, 16), c = v128.load(from, 32), d = v128.load(from, 48);
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
    from += 64;
    to += 64;
  }
  const a = v128.load(lastFrom), b = v128.load(lastFrom, 16);
  const c = v128.load(lastFrom, 32), d = v128.load(lastFrom, 48);
  v128.store(lastTo, a);
  v128.store(lastTo, b, 16);
  v128.store(lastTo, c, 32);
  v128.store(lastTo, d, 48);
}
