/**
 * Waiting for several sockets in a Worker.
 *
 * @module
 */
import { lastZmqError } from "./error.ts";
import { zmq } from "./library.ts";
import { handleOf, type Socket } from "./socket.ts";

/** Bytes of a `zmq_pollitem_t`: u64 socket, i32 fd, i16 events, i16 revents. */
const ITEM_BYTES = 16;
const POLLIN = 1;

/**
 * Blocks the calling thread until one of the sockets has a message, one of the descriptors is
 * readable, or the time is over. Only for Workers.
 *
 * @param timeoutMs Longest wait, ms; finite, because a Worker cannot be terminated meanwhile.
 * @param fds Plain descriptors to wait for too.
 * @returns Whether one is ready.
 * @throws {RangeError} If the time is not a finite number of at least 0.
 * @throws {ZmqError} If a socket is closed.
 */
export function waitForAny(
  sockets: readonly Socket[],
  timeoutMs: number,
  fds: readonly number[] = [],
): boolean {
  if (!Number.isFinite(timeoutMs) || timeoutMs < 0) {
    throw new RangeError(`waitForAny needs a finite time of at least 0 ms, not ${timeoutMs}`);
  }
  const count = sockets.length + fds.length;
  const items = new DataView(new ArrayBuffer(Math.max(1, count) * ITEM_BYTES));
  sockets.forEach((socket, i) => {
    items.setBigUint64(i * ITEM_BYTES, handleOf(socket, "waitForAny"), true);
    items.setInt16(i * ITEM_BYTES + 12, POLLIN, true);
  });
  fds.forEach((fd, j) => {
    const offset = (sockets.length + j) * ITEM_BYTES;
    items.setInt32(offset + 8, fd, true);
    items.setInt16(offset + 12, POLLIN, true);
  });
  const ready = zmq.zmq_poll(items, count, BigInt(Math.ceil(timeoutMs)));
  if (ready >= 0) return ready > 0;
  const error = lastZmqError("poll");
  if (error.code === "EINTR") return false;
  throw error;
}
