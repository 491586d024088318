/**
 * Structures of recvmmsg and sendmmsg, which kernels fill and read: see `scripts/build.ts`.
 *
 * @module
 */

/** Offsets in Linux's `struct mmsghdr` on 64-bit machines, bytes. */
export const MMSGHDR = {
  bytes: 64,
  /** u64: address of the peer's sockaddr, 0 for none. */
  name: 0,
  /** u32: its length. */
  nameLength: 8,
  /** u64: address of the iovec array. */
  iov: 16,
  /** u64: entries in it. */
  iovCount: 24,
  /** u64: address of control data, 0 for none. */
  control: 32,
  /** u64: its length. */
  controlLength: 40,
  /** i32: flags of a received message; MSG_TRUNC (0x20) when it was longer than the buffers. */
  flags: 48,
  /** u32: bytes received or sent. */
  length: 56,
} as const;

/** Offsets in `struct iovec` on 64-bit machines, bytes. */
export const IOVEC = {
  bytes: 16,
  /** u64: address of the buffer. */
  base: 0,
  /** u64: its length. */
  length: 8,
} as const;
