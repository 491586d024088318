/**
 * ZeroMQ through FFI: sockets for Workers (synchronous) and event loops (asynchronous).
 *
 * @example
 * ```ts
 * import { Socket } from "@std-daq/std-daq/zmq";
 * import { deepStrictEqual } from "node:assert/strict";
 *
 * using pull = new Socket("PULL");
 * using push = new Socket("PUSH");
 * push.connect(pull.bind("inproc://example"));
 * await push.send(["header", new Uint8Array([1, 2, 3])]);
 * const [header, data] = await pull.receive();
 * deepStrictEqual(new TextDecoder().decode(header), "header");
 * deepStrictEqual([...data!], [1, 2, 3]);
 * ```
 *
 * @example The images of a detector
 * ```ts ignore
 * import { decodeImageMetadata } from "@std-daq/std-daq";
 * import { Socket } from "@std-daq/std-daq/zmq";
 *
 * using images = new Socket("SUB");
 * images.subscribe("");
 * images.connect("ipc:///tmp/jungfrau-1m-image");
 * for await (const [message] of images) {
 *   const { imageId, status } = decodeImageMetadata(message!);
 *   await Deno.stdout.write(new TextEncoder().encode(`${imageId} ${status}\n`));
 * }
 * ```
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
