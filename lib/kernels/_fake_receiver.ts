/**
 * A module receiver without a socket, for tests: datagrams are put where the vector says, as recvmmsg
 * would. Everything outside the receiver's own tables and slots is filled with canaries.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { IOVEC, MMSGHDR, MSG_TRUNC, SOL_UDP, UDP_GRO, unlink } from "../os/mod.ts";
import {
  datagramBytes,
  frameBytes,
  type ImageIdField,
  type PacketFormat,
  type RowPackets,
} from "../detector/mod.ts";
import { writeGigafrostHeader } from "../protocol/mod.ts";
import { type FrameRingCounts, ModuleReceiver, readFrameCounts } from "../receive/mod.ts";
import {
  dataPath,
  indexMemoryBytes,
  indexPath,
  RingReader,
  RingRecord,
  SharedMemory,
} from "../ring/mod.ts";
import {
  FRAME_ENTRY,
  GRO_CONTROL,
  HEADER_BYTES,
  PREDICTION,
  RECEIVER,
  RING_HEADER,
} from "./layout.ts";

const CANARY = 0xa5;

/** What a fake receiver is. */
export interface FakeReceiverOptions {
  packetsPerFrame: number;
  payloadBytes: number;
  slots: number;
  window: number;
  batch: number;
  idleNs: bigint;
  imageIdField?: ImageIdField;
  /** Datagrams that a message may bring together; default 1. */
  segments?: number;
  /** GigaFRoST's packets, of quadrant 1, link 1. */
  rows?: RowPackets;
}

/** A published frame, read through the ring in the moment of its publication. */
export interface PublishedFrame {
  frame: bigint;
  imageId: bigint;
  epoch: number;
  missing: number;
  damaged: number;
  entry: bigint;
  /** The slot's bytes; undefined when another frame had taken the slot already. */
  pixels: Uint8Array | undefined;
}

/** Header version of the test's packets. */
export const VERSION = 2;
/** Detector type of the test's packets. */
export const DETECTOR_TYPE = 3;

/** The module that GigaFRoST's packets of the test come from. */
export const STREAM = 3;

/** The format of a test's packets. */
export function testFormat(
  { packetsPerFrame, payloadBytes, rows, imageIdField }:
    & Pick<FakeReceiverOptions, "packetsPerFrame" | "payloadBytes" | "rows">
    & Partial<Pick<FakeReceiverOptions, "imageIdField">>,
): PacketFormat {
  return {
    headerBytes: rows === undefined ? HEADER_BYTES : 32,
    payloadBytes,
    packetsPerFrame,
    headerVersion: VERSION,
    detectorType: DETECTOR_TYPE,
    imageIdField: imageIdField ?? "frame_number",
    ...(rows === undefined ? {} : { rows }),
  };
}

/** The receiver of one module, fed by {@link FakeReceiver.deliver}. */
export class FakeReceiver implements Disposable {
  readonly receiver: ModuleReceiver;
  readonly reader: RingReader;
  readonly published: PublishedFrame[] = [];
  readonly #options: FakeReceiverOptions;
  readonly #format: PacketFormat;
  readonly #name = `receive_test-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
  readonly #slotsAt: number;
  readonly #canaries: [from: number, to: number][];
  readonly #record = new RingRecord();

  constructor(options: FakeReceiverOptions) {
    const { slots, window, batch, idleNs } = options;
    this.#options = options;
    const format = this.#format = testFormat(options);
    const slotBytes = frameBytes(format);
    using made = new DisposableStack();
    this.receiver = made.use(
      new ModuleReceiver({
        format,
        module: STREAM,
        ring: { name: this.#name, slotBytes, slots, dtype: 2, height: 1, width: 1, geometry: 0n },
        window,
        batch,
        segments: options.segments,
        idleNs,
        writeMessage: (message, frame) => message.setBigUint64(0, frame.imageId, true),
        onFrame: () => this.#keep(),
      }),
    );
    this.reader = made.use(
      RingReader.open(new SharedMemory(indexMemoryBytes(slots)), this.#name),
    );
    this.#slotsAt = this.#field("frames_at");
    this.#canaries = this.#placeCanaries();
    made.move();
  }

  /** Receives `datagrams` in as many calls as it takes. */
  deliver(datagrams: readonly Uint8Array[], now: bigint): void {
    for (let next = 0; next < datagrams.length;) {
      const room = this.receiver.arm();
      assert.ok(room > 0, "arm() left no room: the receiver would never go on");
      let message = 0;
      for (; message < room && next < datagrams.length; message++) {
        const together = this.#bundle(datagrams, next);
        this.putTogether(message, datagrams.slice(next, next + together));
        next += together;
      }
      this.receiver.handle(message, now);
    }
  }

  /** How many datagrams the kernel brings together from `next` on: equal ones, and one shorter at the end. */
  #bundle(datagrams: readonly Uint8Array[], next: number): number {
    const size = datagramBytes(this.#format);
    const most = this.bundleLimit ?? this.#options.segments ?? 1;
    let n = 1;
    if (datagrams[next]!.byteLength !== size) return n;
    while (n < most && datagrams[next + n]?.byteLength === size) n++;
    const last = datagrams[next + n];
    return n < most && last !== undefined && last.byteLength > 0 && last.byteLength < size
      ? n + 1
      : n;
  }

  /** Brings fewer datagrams together than there is room for, as a slow network does. */
  bundleLimit: number | undefined;

  /** The receiver's counters. */
  get counts(): FrameRingCounts {
    return readFrameCounts(this.receiver.ring.index);
  }

  /** The slot of a published frame as it is now; undefined when it was overwritten. */
  pixelsOf(entry: bigint): Uint8Array | undefined {
    if (this.reader.read(entry, this.#record) !== "ok") return undefined;
    const bytes = frameBytes(this.#format);
    const at = this.#slotsAt + this.#record.slot * bytes;
    const pixels = this.receiver.memory.u8.slice(at, at + bytes);
    return this.reader.isIntact(this.#record) ? pixels : undefined;
  }

  /** Fails if a byte was written that belongs to nobody, or a setting was changed. */
  checkCanaries(): void {
    const { u8 } = this.receiver.memory;
    for (const [from, to] of this.#canaries) {
      const part = Buffer.from(u8.buffer, from, to - from);
      const bad = part.findIndex((byte) => byte !== CANARY);
      assert.equal(bad, -1, `byte ${from + bad} of the memory was written`);
    }
    const { index } = this.receiver.ring;
    assert.equal(index.header32(RING_HEADER.slots), this.#options.slots);
    assert.equal(index.header32(RING_HEADER.state), 1);
    assert.equal(index.head, BigInt(this.published.length));
    assert.equal(this.#field("frames_at"), this.#slotsAt);
  }

  [Symbol.dispose](): void {
    this.reader.close();
    this.receiver[Symbol.dispose]();
    unlink(dataPath(this.#name));
    unlink(indexPath(this.#name));
  }

  #field(name: keyof typeof RECEIVER): number {
    return this.receiver.memory.dv.getUint32(this.receiver.state + RECEIVER[name], true);
  }

  /** Does what recvmmsg does with datagrams that the kernel has put together to one message. */
  putTogether(i: number, datagrams: readonly Uint8Array[]): void {
    const { dv, u8, base } = this.receiver.memory;
    const { segments = 1 } = this.#options;
    const parts = this.#field("parts");
    const longest = Math.max(
      ...[0, this.#format.packetsPerFrame - 1].map((p) => datagramBytes(this.#format, p)),
    );
    const message = this.#field("messages_at") + i * MMSGHDR.bytes;
    const iovecs = Number(dv.getBigUint64(message + MMSGHDR.iov, true) - base);
    assert.equal(dv.getBigUint64(message + MMSGHDR.iovCount, true), BigInt(parts * segments));
    const whole = Buffer.concat(datagrams);
    let taken = 0;
    let given = 0;
    for (let part = 0; part < parts * segments; part++) {
      const iovec = iovecs + part * IOVEC.bytes;
      const at = Number(dv.getBigUint64(iovec + IOVEC.base, true) - base);
      const room = Number(dv.getBigUint64(iovec + IOVEC.length, true));
      if (part % parts === 0) assert.equal(room, this.#format.headerBytes);
      given += room;
      const bytes = whole.subarray(taken, taken + room);
      u8.set(bytes, at);
      taken += bytes.byteLength;
    }
    assert.equal(given, longest * segments);
    dv.setUint32(message + MMSGHDR.length, taken, true);
    dv.setUint32(message + MMSGHDR.flags, taken < whole.byteLength ? MSG_TRUNC : 0, true);
    if (segments === 1) return;
    assert.equal(
      dv.getBigUint64(message + MMSGHDR.controlLength, true),
      BigInt(GRO_CONTROL.$bytes),
      "room for control data",
    );
    const control = Number(dv.getBigUint64(message + MMSGHDR.control, true) - base);
    const together = datagrams.length > 1;
    dv.setBigUint64(message + MMSGHDR.controlLength, together ? 24n : 0n, true);
    if (!together) return;
    dv.setBigUint64(control + GRO_CONTROL.length, BigInt(GRO_CONTROL.segment + 4), true);
    dv.setInt32(control + GRO_CONTROL.level, SOL_UDP, true);
    dv.setInt32(control + GRO_CONTROL.type, UDP_GRO, true);
    dv.setInt32(control + GRO_CONTROL.segment, datagrams[0]!.byteLength, true);
  }

  #keep(): void {
    const entry = BigInt(this.published.length);
    const pixels = this.pixelsOf(entry);
    const { imageId, frameIndex, epoch, missingPackets, damagedPackets } = this.#record;
    this.published.push({
      frame: frameIndex,
      imageId,
      epoch,
      missing: missingPackets,
      damaged: damagedPackets,
      entry,
      pixels,
    });
  }

  /** Fills what belongs to nobody: below, between and after the tables, and after the last slot. */
  #placeCanaries(): [number, number][] {
    const { memory, state, ring } = this.receiver;
    const { batch, payloadBytes, slots, segments = 1 } = this.#options;
    const places = batch * segments;
    const dv = memory.dv;
    const index = ring.index.at;
    const used: [number, number][] = [
      [index, ring.index.plan.bytes],
      [this.#slotsAt, slots * frameBytes(this.#format)],
      [state, RECEIVER.$bytes],
      [this.#field("headers_at"), places * HEADER_BYTES],
      [this.#field("messages_at"), batch * MMSGHDR.bytes],
      [this.#field("iovecs_at"), this.#field("parts") * places * IOVEC.bytes],
      [this.#field("spill_at"), places * this.#field("spill_bytes")],
      [this.#field("expected_at"), places * PREDICTION.$bytes],
      [this.#field("stage_at"), 2 * places * payloadBytes],
      [this.#field("hold_at"), this.#field("hold_limit") * (HEADER_BYTES + payloadBytes)],
      [this.#field("table_at"), (this.#field("table_mask") + 1) * this.#field("entry_bytes")],
      [this.#field("done_at"), (places + 256 + 32) * FRAME_ENTRY.bitmap],
    ];
    if (segments > 1) used.push([this.#field("controls_at"), batch * GRO_CONTROL.$bytes]);
    used.sort(([a], [b]) => a - b);
    const free: [number, number][] = [];
    let at = 0;
    for (const [from, bytes] of used) {
      assert.ok(from >= at, "two tables overlap");
      free.push([at, from]);
      at = from + bytes;
    }
    free.push([at, dv.byteLength]);
    for (const [from, to] of free) memory.u8.fill(CANARY, from, to);
    return free;
  }
}

/** A packet as the detector sends it. */
export function makePacket(
  options: Pick<FakeReceiverOptions, "packetsPerFrame" | "payloadBytes" | "rows">,
  frame: bigint,
  packet: number,
  changes: HeaderChanges & { nonce?: number } = {},
): Uint8Array {
  const format = testFormat(options);
  const bytes = new Uint8Array(datagramBytes(format, packet));
  const dv = new DataView(bytes.buffer);
  if (options.rows === undefined) writeSlsFields(dv, frame, packet, changes);
  else writeGigafrostFields(dv, frame, packet * options.rows.rowsPerPacket, changes);
  let x = Number(BigInt.asUintN(32, frame * 2654435761n)) ^ (packet * 40503) ^ (changes.nonce ?? 0);
  for (let i = format.headerBytes; i < bytes.byteLength; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = (x >>> 24) | 1; // never zero: zero means "missing"
  }
  return bytes;
}

/** What may differ from a good packet. */
interface HeaderChanges {
  version?: number;
  type?: number;
  module?: number;
  bunchId?: number;
}

function writeGigafrostFields(
  dv: DataView,
  frame: bigint,
  startingRow: number,
  changes: HeaderChanges,
): void {
  const stream = changes.module ?? STREAM;
  writeGigafrostHeader(dv, 0, {
    protocolId: changes.type ?? DETECTOR_TYPE,
    rowBlocks: changes.version ?? VERSION,
    quadrantRows: 2,
    swappedRows: false,
    quadrantId: stream >> 1,
    linkId: stream & 1,
    corrMode: 5,
    scanId: 9,
    frameIndex: Number(frame),
    doNotStore: false,
    startingRow,
    frameTimestamp: frame,
    exposureTime: 3n,
    syncTime: 4,
    scanTime: 5,
  });
}

function writeSlsFields(
  dv: DataView,
  frame: bigint,
  packet: number,
  changes: HeaderChanges,
): void {
  dv.setBigUint64(0, frame, true);
  dv.setUint32(12, packet, true);
  dv.setFloat64(16, changes.bunchId ?? 0, true);
  dv.setUint16(32, changes.module ?? 7, true);
  dv.setUint16(34, 1, true);
  dv.setUint16(36, 2, true);
  dv.setUint8(46, changes.type ?? DETECTOR_TYPE);
  dv.setUint8(47, changes.version ?? VERSION);
}
