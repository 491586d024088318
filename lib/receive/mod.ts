/**
 * Receiving: packets of a module's UDP port into frames in a ring.
 *
 * @module
 */
export * from "./counters.ts";
export * from "./module_receiver.ts";
export * from "./receive_loop.ts";
export * from "./socket_buffer.ts";
