/**
 * Keeping a shared library loaded.
 *
 * @module
 */
import { cString, libc } from "./_libc.ts";

const RTLD_NOW = 2;
const RTLD_NODELETE = 0x1000;

/**
 * Keeps a library in the process until it ends. Deno unloads the libraries of a terminated Worker;
 * one whose own threads still run would crash the process.
 *
 * @param path Path of a library that is open, as given to `Deno.dlopen`.
 * @returns Whether it is kept: false with a C library older than glibc 2.34, or no such library.
 */
export function pinLibrary(path: string): boolean {
  const handle = libc.dlopen?.(cString(path), RTLD_NOW | RTLD_NODELETE) ?? 0n;
  return BigInt(handle) !== 0n;
}
