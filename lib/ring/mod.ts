/**
 * Rings in shared memory: frames of a module, images of a detector.
 *
 * @example Publishing an image and following the ring, as two processes would
 * ```ts
 * import {
 *   indexMemoryBytes,
 *   mapSlots,
 *   RingFollower,
 *   RingReader,
 *   RingWriter,
 *   SharedMemory,
 *   slotMemoryBytes,
 * } from "@std-daq/std-daq/ring";
 * import { deepStrictEqual, ok } from "node:assert/strict";
 *
 * const name = `example_${Deno.pid}-image`;
 * const spec = { name, slotBytes: 8, slots: 16, dtype: 2, height: 2, width: 2, geometry: 0n };
 * const room = indexMemoryBytes(spec.slots) + slotMemoryBytes(spec.slotBytes, spec.slots);
 *
 * const memory = new SharedMemory(room);
 * using writer = RingWriter.create(memory, spec);
 * const pixelsAt = mapSlots(memory, writer.data, spec.slotBytes, 0, spec.slots, { writable: true });
 *
 * const readerMemory = new SharedMemory(room);
 * using reader = RingReader.open(readerMemory, name);
 * const readerAt = mapSlots(readerMemory, reader.data, 8, 0, spec.slots, { writable: false });
 * const follower = new RingFollower(reader);
 *
 * const imageId = 1234n;
 * const slot = Number(imageId % BigInt(spec.slots));
 * writer.lockSlot(slot);
 * new Uint16Array(memory.memory.buffer, pixelsAt + slot * spec.slotBytes, 4).set([1, 2, 3, 4]);
 * writer.publish({
 *   imageId,
 *   slot,
 *   status: 1,
 *   firstNs: 0n,
 *   completeNs: 0n,
 *   frameIndex: 1n,
 *   payloadBytes: 8,
 *   missingPackets: 0,
 *   damagedPackets: 0,
 *   epoch: 0,
 *   maskLow: 1n,
 *   maskHigh: 0n,
 *   metadata: new Uint8Array(0),
 * });
 *
 * const entry = follower.next();
 * ok(entry !== undefined);
 * const at = readerAt + entry.slot * reader.slotBytes;
 * const pixels = [...new Uint16Array(readerMemory.memory.buffer, at, 4)];
 * ok(reader.isIntact(entry)); // the writer has not taken the slot again meanwhile
 * deepStrictEqual([entry.imageId, pixels], [1234n, [1, 2, 3, 4]]);
 * ```
 *
 * @module
 */
export type { File } from "../os/mod.ts";
export * from "./errors.ts";
export * from "./find_image.ts";
export * from "./fit_rings.ts";
export * from "./foreign_ring.ts";
export * from "./remove_rings.ts";
export * from "./ring_follower.ts";
export * from "./ring_index.ts";
export * from "./ring_reader.ts";
export * from "./ring_writer.ts";
export * from "./shared_memory.ts";
export * from "./spec.ts";
