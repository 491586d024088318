/**
 * Packets → frames of one module: the tables around the reassembly kernel.
 *
 * @module
 */
import {
  datagramBytes,
  frameBytes,
  holdLimit,
  identityLimit,
  MOST_HELD_PACKETS,
  packetDataBytes,
  type PacketFormat,
  packetPixelBytes,
} from "../detector/mod.ts";
import {
  FRAME_ENTRY,
  GRO_CONTROL,
  HEADER_BYTES,
  HEADER_KINDS,
  IMAGE_ID_FIELDS,
  instantiateKernels,
  type KernelExports,
  PREDICTION,
  RECEIVER,
} from "../kernels/mod.ts";
import { IOVEC, MMSGHDR } from "../os/mod.ts";
import {
  indexMemoryBytes,
  mapSlots,
  type RingEntry,
  type RingSpec,
  RingWriter,
  SharedMemory,
  slotMemoryBytes,
} from "../ring/mod.ts";
import { counterIndex, type FrameRingCounter } from "./counters.ts";

/** Entries of the frame table: closed frames are remembered for about as many frames. */
const TABLE_ENTRIES = 256;

/** Links of all quadrants of a GigaFRoST. */
const STREAMS = 8;

const FRAME_GOOD = 1;
const FRAME_MISSING_PACKETS = 2;

/** A closed frame as its publisher sees it: fields of the kernel's queue. */
export interface ClosedFrame {
  /** View that holds the header of the frame's first packet, and where in it. */
  readonly header: DataView;
  readonly headerAt: number;
  readonly imageId: bigint;
  readonly missingPackets: number;
}

/** What a module's receiver needs to know. */
export interface ModuleReceiverOptions {
  format: PacketFormat;
  ring: RingSpec;
  /** The module, where packets name it themselves (GigaFRoST); others' packets are foreign. Default 0. */
  module?: number | undefined;
  /** Group of the ring's files. */
  gid?: number | undefined;
  /** Messages per receive call; default 128, or 64 where a message may bring several packets. */
  batch?: number | undefined;
  /** Most packets the kernel may bring in one message (UDP GRO); default 1, no GRO. */
  segments?: number | undefined;
  /** Frames kept open at once. */
  window: number;
  /** Silence after which any frame number is believed, ns. */
  idleNs: bigint;
  /** Writes the public frame struct into `message` (64 bytes). */
  writeMessage(message: DataView, frame: ClosedFrame): void;
  /** Called after each publication, with the public frame struct. */
  onFrame(message: Uint8Array): void;
}

/**
 * Receives for one module: predicts where packets go, has the kernel check them, publishes closed
 * frames. Knows no socket: {@link arm} says where the next packets shall be put, {@link handle}
 * takes them.
 */
export class ModuleReceiver implements Disposable {
  /** The module's frame ring. */
  readonly ring: RingWriter;
  /** Address of the vector of `struct mmsghdr` to receive into. */
  readonly vector: bigint;
  /** The memory in which ring and tables are. */
  readonly memory: SharedMemory;
  /** Where the kernel's state is in it. */
  readonly state: number;
  readonly #kernels: KernelExports;
  readonly #options: ModuleReceiverOptions;
  readonly #doneAt: number;
  readonly #message = new Uint8Array(64);
  readonly #messageView = new DataView(this.#message.buffer);
  readonly #entry: RingEntry;

  /**
   * @throws {RingBusyError | RingSpaceError | OsError} If the ring cannot be made.
   */
  constructor(options: ModuleReceiverOptions) {
    const { format, ring, segments = 1 } = options;
    const messages = options.batch ?? (segments === 1 ? 128 : 64);
    const places = messages * segments;
    this.#options = options;
    const memory = this.memory = new SharedMemory(memoryBytes(options, messages, places));
    using made = new DisposableStack(); // the ring's files go again if anything below fails
    this.ring = made.use(RingWriter.create(memory, ring, { gid: options.gid }));
    const framesAt = mapSlots(memory, this.ring.data, ring.slotBytes, 0, ring.slots, {
      writable: true,
    });
    const state = this.state = memory.allocate(RECEIVER.$bytes);
    const entryBytes = frameEntryBytes(format);
    this.#doneAt = memory.allocate(doneEntries(places) * FRAME_ENTRY.bitmap);
    const messagesAt = memory.allocate(messages * MMSGHDR.bytes);
    const { index } = this.ring;
    const last = format.packetsPerFrame - 1;
    const spill = spillBytes(format);
    const parts = spill === 0 ? 2 : 3;
    const settings: Partial<Record<keyof typeof RECEIVER, number>> = {
      messages,
      segments,
      header_kind: HEADER_KINDS.indexOf(format.rows === undefined ? "sls" : "gigafrost"),
      header_bytes: format.headerBytes,
      packet_bytes: datagramBytes(format),
      last_packet_bytes: datagramBytes(format, last),
      payload_bytes: format.payloadBytes,
      last_payload_bytes: packetPixelBytes(format, last),
      packets_per_frame: format.packetsPerFrame,
      rows_per_packet: format.rows?.rowsPerPacket ?? 0,
      stream: (options.module ?? 0) % STREAMS,
      slot_bytes: ring.slotBytes,
      slots: ring.slots,
      frames_at: framesAt,
      locks_at: index.lockIndex(0) * 8,
      counters_at: index.counterAt(0),
      headers_at: memory.allocate(places * HEADER_BYTES),
      messages_at: messagesAt,
      iovecs_at: memory.allocate(places * parts * IOVEC.bytes),
      parts,
      spill_at: spill === 0 ? 0 : memory.allocate(places * spill),
      spill_bytes: spill,
      controls_at: segments === 1 ? 0 : memory.allocate(messages * GRO_CONTROL.$bytes),
      expected_at: memory.allocate(places * PREDICTION.$bytes),
      stage_at: memory.allocate(2 * places * format.payloadBytes),
      hold_at: memory.allocate(holdLimit(format) * (HEADER_BYTES + format.payloadBytes)),
      table_at: memory.allocate(TABLE_ENTRIES * entryBytes),
      table_mask: TABLE_ENTRIES - 1,
      entry_bytes: entryBytes,
      done_at: this.#doneAt,
      window: options.window,
      version: format.headerVersion,
      detector_type: format.detectorType,
      image_id_field: IMAGE_ID_FIELDS.indexOf(format.imageIdField),
      hold_limit: holdLimit(format),
      identity_limit: identityLimit(format),
    };
    for (const [field, value] of Object.entries(settings)) {
      memory.dv.setUint32(state + RECEIVER[field as keyof typeof RECEIVER], value, true);
    }
    memory.dv.setBigUint64(state + RECEIVER.host_base, memory.base, true);
    memory.dv.setBigUint64(state + RECEIVER.idle_ns, options.idleNs, true);
    this.vector = memory.base + BigInt(messagesAt);
    this.#kernels = instantiateKernels(memory.memory);
    this.#kernels.resetReceiver(state);
    if (this.ring.takenOver) forgetLostFrames(this.ring, format.packetsPerFrame);
    this.#entry = emptyEntry(this.#message);
    made.move();
  }

  /** Prepares the vector; returns how many messages it can take. */
  arm(): number {
    return this.#kernels.armReceive(this.state);
  }

  /**
   * Handles messages that were received into the vector since the last {@link arm}, and publishes
   * the frames that they close.
   *
   * @param now Time, ns since 1970; must not step back.
   */
  handle(messages: number, now: bigint): void {
    const closed = this.#kernels.receiveBatch(this.state, messages, now);
    if (closed > 0) this.#publish(closed);
  }

  /** Closes and publishes frames whose first packet came more than `timeoutNs` ago. */
  expire(now: bigint, timeoutNs: bigint): void {
    const closed = this.#kernels.expireFrames(this.state, now, timeoutNs);
    if (closed > 0) this.#publish(closed);
  }

  /** Removes the ring. */
  [Symbol.dispose](): void {
    this.ring.close();
  }

  #publish(closed: number): void {
    const { dv } = this.memory;
    const { format, ring } = this.#options;
    const entry = this.#entry;
    for (let i = 0; i < closed; i++) {
      const at = this.#doneAt + i * FRAME_ENTRY.bitmap;
      const received = dv.getUint32(at + FRAME_ENTRY.received, true);
      entry.imageId = dv.getBigUint64(at + FRAME_ENTRY.image_id, true);
      entry.slot = dv.getUint32(at + FRAME_ENTRY.slot, true);
      entry.missingPackets = format.packetsPerFrame - received;
      entry.damagedPackets = dv.getUint32(at + FRAME_ENTRY.damaged, true);
      entry.status = entry.missingPackets === 0 ? FRAME_GOOD : FRAME_MISSING_PACKETS;
      entry.firstNs = dv.getBigUint64(at + FRAME_ENTRY.first_ns, true);
      entry.completeNs = dv.getBigUint64(at + FRAME_ENTRY.last_ns, true);
      entry.frameIndex = dv.getBigUint64(at + FRAME_ENTRY.frame, true);
      entry.payloadBytes = ring.slotBytes;
      entry.slotLock = dv.getBigUint64(at + FRAME_ENTRY.slot_lock, true);
      entry.epoch = dv.getUint32(at + FRAME_ENTRY.epoch, true);
      this.#options.writeMessage(this.#messageView, {
        header: dv,
        headerAt: at + FRAME_ENTRY.header,
        imageId: entry.imageId,
        missingPackets: entry.missingPackets,
      });
      this.ring.publish(entry);
      this.#options.onFrame(this.#message);
    }
    dv.setUint32(this.state + RECEIVER.done_count, 0, true);
  }
}

/** Most datagrams that a sender's kernel cuts a message into, and so the most that come as one. */
const MOST_SEGMENTS = 128;

/**
 * Most datagrams that the kernel may bring in one message: it puts no more than 64 KiB together. 1 if
 * packets differ in length, which messages of several do not tell apart.
 */
export function groSegments(format: PacketFormat): number {
  return spillBytes(format) > 0
    ? 1
    : Math.min(MOST_SEGMENTS, Math.floor(65_507 / datagramBytes(format)));
}

/** What a packet may bring that has no room where another one is predicted: padding, too; bytes. */
function spillBytes(format: PacketFormat): number {
  const last = format.packetsPerFrame - 1;
  const longest = Math.max(packetDataBytes(format, 0), packetDataBytes(format, last));
  return longest - packetPixelBytes(format, last);
}

/**
 * A receiver that was killed took the frames with it that were open: their packets, counted as
 * accepted, are in no frame and will count as lost when their images are missed. So are frames that the kernel
 * had closed and counted, but that were not published yet.
 */
function forgetLostFrames({ index, head }: RingWriter, packetsPerFrame: number): void {
  const count = (name: FrameRingCounter): bigint => index.counter(counterIndex(name));
  const set = (name: FrameRingCounter, n: bigint): void => index.setCounter(counterIndex(name), n);
  // Which of them lacked packets is not known any more. Frames are rarely closed so, and most of them whole.
  for (const kind of ["frames_good", "frames_incomplete"] as const) {
    const unpublished = count("frames_good") + count("frames_incomplete") - head;
    if (unpublished <= 0n) break;
    set(kind, unpublished < count(kind) ? count(kind) - unpublished : 0n);
  }
  const frames = count("frames_good") + count("frames_incomplete");
  const published = frames * BigInt(packetsPerFrame) - count("missing_packets");
  if (published < count("accepted")) set("accepted", published > 0n ? published : 0n);
}

/**
 * Room in the queue of closed frames: what one call can close. A packet may be a whole frame; those that
 * were open or held before are closed besides.
 */
function doneEntries(places: number): number {
  return places + TABLE_ENTRIES + MOST_HELD_PACKETS;
}

/** Bytes of a frame table's entry, bitmap included. */
function frameEntryBytes(format: PacketFormat): number {
  return FRAME_ENTRY.bitmap + Math.ceil(format.packetsPerFrame / 64) * 8;
}

function memoryBytes(
  { format, ring }: ModuleReceiverOptions,
  messages: number,
  places: number,
): number {
  const packet = HEADER_BYTES + format.payloadBytes;
  const spill = spillBytes(format);
  const tables = RECEIVER.$bytes + doneEntries(places) * FRAME_ENTRY.bitmap +
    messages * (MMSGHDR.bytes + GRO_CONTROL.$bytes) +
    places *
      (3 * IOVEC.bytes + HEADER_BYTES + PREDICTION.$bytes + 2 * format.payloadBytes + spill) +
    holdLimit(format) * packet + TABLE_ENTRIES * frameEntryBytes(format);
  return indexMemoryBytes(ring.slots) + slotMemoryBytes(ring.slotBytes, ring.slots) + tables + 4096;
}

function emptyEntry(metadata: Uint8Array): RingEntry {
  return {
    imageId: 0n,
    slot: 0,
    status: 0,
    firstNs: 0n,
    completeNs: 0n,
    frameIndex: 0n,
    payloadBytes: 0,
    missingPackets: 0,
    damagedPackets: 0,
    epoch: 0,
    maskLow: 0n,
    maskHigh: 0n,
    metadata,
  };
}

/** The ring of one module's frames. */
export function frameRingSpec(options: {
  name: string;
  format: PacketFormat;
  slots: number;
  dtype: number;
  rows: number;
  columns: number;
}): RingSpec {
  const { name, format, slots, dtype, rows, columns } = options;
  return {
    name,
    slotBytes: frameBytes(format),
    slots,
    dtype,
    height: rows,
    width: columns,
    geometry: 0n, // a frame fills its slot, or always the same part: no former one can show through
  };
}
