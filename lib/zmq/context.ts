/**
 * The isolate's one ZeroMQ context.
 *
 * @module
 */
import { lastZmqError } from "./error.ts";
import { zmq } from "./library.ts";

/** What the context must close before it can end. */
interface Closable {
  close(): void;
}

let context = 0n;
const sockets = new Set<Closable>();

/** Makes a libzmq socket and counts it in; the owner calls {@link forget} when it closes it.
 *
 * @throws {ZmqError} EMFILE, EINVAL, …
 */
export function openSocket(owner: Closable, type: number): bigint {
  if (context === 0n) {
    context = BigInt(zmq.zmq_ctx_new());
    if (context === 0n) throw lastZmqError("context");
  }
  const handle = BigInt(zmq.zmq_socket(context, type));
  if (handle === 0n) throw lastZmqError("socket");
  sockets.add(owner);
  return handle;
}

/** Takes a closed socket off the list. */
export function forget(owner: Closable): void {
  sockets.delete(owner);
}

/**
 * Closes all sockets of this isolate and waits until their unsent messages are sent or their
 * lingering times are over. A later socket opens a new context.
 */
export async function closeContext(): Promise<void> {
  const closing = closeSockets();
  if (closing === 0n) return;
  while (await zmq.zmq_ctx_term_async(closing) !== 0) {
    // EINTR: the only error of a valid context.
  }
}

function closeSockets(): bigint {
  for (const socket of [...sockets]) socket.close();
  const closing = context;
  context = 0n;
  return closing;
}

// Bounded by the sockets' lingering times. Deno sends it to a main thread only: a Worker closes its
// sockets itself.
globalThis.addEventListener("unload", () => {
  const closing = closeSockets();
  if (closing === 0n) return;
  while (zmq.zmq_ctx_term(closing) !== 0) {
    // EINTR, as above.
  }
});
