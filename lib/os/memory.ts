/**
 * mmap at a chosen address: how a file under /dev/shm appears inside a WebAssembly memory.
 *
 * @module
 */
import { libc } from "./_libc.ts";
import { lastError } from "./errno.ts";

/** Size of a page of memory on the supported machines, bytes. */
export const PAGE_BYTES = 4096;

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_POPULATE = 0x8000;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** How to map a file over existing memory. */
export interface MapOptions {
  /** Address to map at: page aligned, inside memory that the caller owns. */
  address: bigint;
  /** Bytes to map; the file must be at least `fileOffset + bytes` long (SIGBUS otherwise). */
  bytes: number;
  /** Open file. */
  fd: number;
  /** Offset in the file, page aligned. */
  fileOffset: number;
  /** Map writable; a stray write into a read-only mapping kills the process instead of corrupting. */
  writable: boolean;
  /** Fault all pages in now rather than at first touch. */
  populate: boolean;
}

/**
 * Maps a file over `[address, address + bytes)`, replacing what was mapped there.
 *
 * @throws {OsError} If mmap fails.
 * @throws {RangeError} If the address or the offset is not page aligned.
 */
export function mapFixed(options: MapOptions): void {
  const { address, bytes, fd, fileOffset, writable, populate } = options;
  if (address % BigInt(PAGE_BYTES) !== 0n || fileOffset % PAGE_BYTES !== 0) {
    throw new RangeError(
      `mmap needs page-aligned places: address 0x${
        address.toString(16)
      }, file offset ${fileOffset}`,
    );
  }
  const prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const flags = MAP_SHARED | MAP_FIXED | (populate ? MAP_POPULATE : 0);
  const mapped = BigInt(libc.mmap(address, BigInt(bytes), prot, flags, fd, BigInt(fileOffset)));
  if (mapped === MAP_FAILED) throw lastError("mmap", `of ${bytes} bytes`);
}

/**
 * Takes back a mapping of {@link mapFixed}: what was there before is, pages of zeros that take no memory
 * until they are written.
 *
 * @throws {OsError} If mmap fails.
 */
export function unmapFixed({ address, bytes }: Pick<MapOptions, "address" | "bytes">): void {
  const prot = PROT_READ | PROT_WRITE;
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
  const mapped = BigInt(libc.mmap(address, BigInt(bytes), prot, flags, -1, 0n));
  if (mapped === MAP_FAILED) throw lastError("mmap", `of ${bytes} bytes`);
}

/**
 * Maps a whole file anywhere in the process, for code that hands addresses on (file writes, sends)
 * and never looks at the bytes itself; there is no size limit.
 *
 * @param populate Fault all pages in now rather than at first touch, which gives memory to those of a file in
 * /dev/shm that have none yet; default true.
 * @returns The address of the first byte.
 * @throws {OsError} If mmap fails.
 */
export function mapAnywhere(
  fd: number,
  bytes: number,
  { populate = true }: Partial<Pick<MapOptions, "populate">> = {},
): bigint {
  const flags = MAP_SHARED | (populate ? MAP_POPULATE : 0);
  const mapped = BigInt(libc.mmap(0n, BigInt(bytes), PROT_READ, flags, fd, 0n));
  if (mapped === MAP_FAILED) throw lastError("mmap", `of ${bytes} bytes`);
  return mapped;
}

/** Takes back a mapping of {@link mapAnywhere}. */
export function unmap(address: bigint, bytes: number): void {
  if (libc.munmap(address, BigInt(bytes)) !== 0) throw lastError("munmap");
}
