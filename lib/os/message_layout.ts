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
  /** i32: flags of a received message; {@link MSG_TRUNC} when it was longer than the buffers. */
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

/** Flag of a received message that was longer than the buffers. */
export const MSG_TRUNC = 0x20;

/** Level of UDP's options and control data. */
export const SOL_UDP = 17;

/** Control data of a datagram to send: the size of the packets that it is to be cut into, u16. */
export const UDP_SEGMENT = 103;

/** Option and control data of a message received: the size of the packets put together, i32. */
export const UDP_GRO = 104;
