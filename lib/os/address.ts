/**
 * Addresses of JavaScript buffers, without `Deno.UnsafePointer`.
 *
 * @module
 */
import { libc } from "./_libc.ts";

/**
 * The address of a view's first byte. Stable for as long as the buffer lives: V8 does not move
 * backing stores. The caller keeps the buffer alive while the address is in use.
 */
export function addressOf(view: ArrayBufferView<ArrayBuffer> | Uint8Array): bigint {
  // memcpy of 0 bytes returns its destination. A SharedArrayBuffer's view is accepted at run time,
  // Deno's types only know ArrayBuffer here.
  const buffer = view as Uint8Array<ArrayBuffer>;
  return BigInt(libc.memcpy_address(buffer, buffer, 0n));
}

/** Copies `target.byteLength` bytes from an address into a view. */
export function copyFrom(address: bigint, target: Uint8Array): void {
  libc.memcpy(target as Uint8Array<ArrayBuffer>, address, BigInt(target.byteLength));
}
