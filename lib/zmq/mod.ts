/**
 * ZeroMQ through FFI: sockets for Workers (synchronous) and event loops (asynchronous).
 *
 * @module
 */
export { closeContext } from "./context.ts";
export { ZmqError } from "./error.ts";
export { libzmqCandidates, libzmqVersion } from "./library.ts";
export { Message } from "./message.ts";
export {
  type BindOptions,
  type Parts,
  Socket,
  type SocketOptions,
  type SocketType,
  type WaitOptions,
} from "./socket.ts";
export { waitForAny } from "./wait_for_any.ts";
