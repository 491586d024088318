/** All receive buffers of a receiver's sockets together, bytes. */
const ALL_SOCKETS_BYTES = 512 * 1024 * 1024;
/** The least that one socket gets, bytes: what the original's gets. */
const ONE_SOCKET_BYTES = 128 * 1024 * 1024;

/**
 * The receive buffer that each socket of a receiver asks for, if it is not told.
 *
 * @param modules Modules that the receiver takes; each has a socket.
 * @returns Its size, bytes.
 */
export function receiveBufferBytes(modules: number): number {
  return Math.max(ONE_SOCKET_BYTES, Math.floor(ALL_SOCKETS_BYTES / modules));
}
