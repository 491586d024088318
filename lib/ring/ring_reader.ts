/**
 * Readers of a ring.
 *
 * @module
 */
import { Errno, File, mapAnywhere, OsError, unmap } from "../os/mod.ts";
import { RING_HEADER, RING_MAGIC, RING_RECORD, RING_VERSION } from "../kernels/mod.ts";
import { RingMismatchError, RingMissingError } from "./errors.ts";
import { barrier, RingIndex, RingState } from "./ring_index.ts";
import type { SharedMemory } from "./shared_memory.ts";
import { dataBytes, dataPath, indexPath, planIndex } from "./spec.ts";

/** One entry as read from the index; reused from read to read, so nothing is allocated per entry. */
export class RingRecord {
  /** Number of the entry, from 0. */
  entry = 0n;
  /** The detector's number of the image. */
  imageId = 0n;
  /** State of the slot when it was published; see {@link RingReader.isIntact}. */
  slotLock = 0n;
  /** First packet, ns since 1970. */
  firstNs = 0n;
  /** Last packet, or the end of waiting, ns since 1970. */
  completeNs = 0n;
  /** When the entry was published, ns since 1970. */
  publishedNs = 0n;
  /** The detector's own frame number. */
  frameIndex = 0n;
  /** Bytes used in the slot. */
  payloadBytes = 0;
  /** Slot of the data file. */
  slot = 0;
  /** 1 good, 2 missing packets, 3 id mismatch. */
  status = 0;
  /** Packets that are missing; their pixels are 0. */
  missingPackets = 0;
  /** Missing packets that did arrive, but malformed. */
  damagedPackets = 0;
  /** Counter restarts of the detector so far. */
  epoch = 0;
  /** Modules 0–63 that contributed, a bit each. */
  maskLow = 0n;
  /** Modules 64–127 that contributed. */
  maskHigh = 0n;
  /** The calibration that made the pixels; 0: they are as received. */
  calibrationId = 0n;
  /** The public message's bytes; a view into this record's own buffer. */
  metadata: Uint8Array = new Uint8Array(0);
  /** @internal Nothing to read the message into, if it is not wanted. */
  readonly buffer: Uint8Array | undefined;

  /**
   * An empty record.
   *
   * @param withMetadata Whether the message is wanted.
   */
  constructor(withMetadata = true) {
    if (withMetadata) this.buffer = new Uint8Array(RING_RECORD.$bytes - RING_RECORD.metadata);
  }
}

/** What a ring must be for a reader to attach; fields left out are not checked. */
export interface RingExpectation {
  /** Number of slots. */
  slots?: number;
  /** Size of a slot, bytes. */
  slotBytes?: number;
  /** Number of the pixel type on the wire. */
  dtype?: number;
  /** Rows, px. */
  height?: number;
  /** Columns, px. */
  width?: number;
}

/** Where a reader that has stopped left off, for the next one. */
export interface LeftOff {
  /** The first entry that is left to the next one. */
  readonly entry: bigint;
  /** The detector's frame number of what was made of entries last; undefined: nothing was. */
  readonly frameIndex: bigint | undefined;
}

/** A ring attached for reading: its index, and its data file if asked for. */
export class RingReader implements Disposable {
  /** The ring's name. */
  readonly name: string;
  /** Its index. */
  readonly index: RingIndex;
  /** Size of a slot, bytes. */
  readonly slotBytes: number;
  /** Number of slots. */
  readonly slots: number;
  /** Open data file. */
  readonly data: File;
  readonly #indexFile: File;
  #dataAddress: bigint | undefined;

  private constructor(name: string, index: RingIndex, indexFile: File, data: File) {
    this.name = name;
    this.index = index;
    this.slotBytes = Number(index.header64(RING_HEADER.slot_bytes));
    this.slots = index.slots;
    this.data = data;
    this.#indexFile = indexFile;
  }

  /**
   * Attaches to a ring.
   *
   * @param memory Memory to map the index into (read-only), at `at` if given (a place that held the
   * index of the same ring before its writer was replaced); or what makes one, once there is a ring.
   * @throws {RingMissingError} If the ring is not there, or is being made or removed right now.
   * @throws {RingMismatchError} If it is of another version or not as expected.
   * @throws {OsError} EACCES, …
   */
  static open(
    memory: SharedMemory | (() => SharedMemory),
    name: string,
    expected: RingExpectation = {},
    at?: number,
  ): RingReader {
    const indexFile = openExisting(indexPath(name), name);
    let data: File | undefined;
    try {
      const slots = checkHeader(indexFile, name, expected);
      data = openExisting(dataPath(name), name);
      const { bytes } = planIndex(slots);
      const room = typeof memory === "function" ? memory() : memory;
      let place = at;
      if (place === undefined) place = room.map(indexFile, bytes);
      else room.remap(place, indexFile, bytes);
      const reader = new RingReader(name, new RingIndex(room, place, slots), indexFile, data);
      // The index ends before its data file loses the name: as long as it has not, they belong together.
      if (reader.ended) throw new RingMissingError(`Ring ${name} is being replaced or removed`);
      if (data.size() < dataBytes(reader)) {
        throw new RingMissingError(
          `Ring ${name} is being made: its data file has not its full size yet`,
        );
      }
      return reader;
    } catch (error) {
      data?.close();
      indexFile.close();
      throw error;
    }
  }

  /** Entries published so far. */
  get head(): bigint {
    return this.index.head;
  }

  /**
   * Low 32 bits of {@link head}: a look at whether something was published that costs a few
   * nanoseconds and makes no bigint.
   */
  get headLow(): number {
    return this.index.header32(RING_HEADER.head);
  }

  /** Writers the ring has had; changes when another process took it over. */
  get session(): bigint {
    return this.index.header64(RING_HEADER.session);
  }

  /** Tells the ring from those that had its name before it, and will have it after it. */
  get id(): bigint {
    return this.#indexFile.inode();
  }

  /** Whether the ring's writer has ended it, or another ring took its name: attach anew. */
  get ended(): boolean {
    return this.index.state !== RingState.IN_USE;
  }

  /**
   * Leaves a mark in the ring's header for the next reader of this kind. Nothing is left in a ring that has
   * ended, nor in one that this process may only read.
   */
  leaveOff({ entry, frameIndex }: LeftOff): void {
    this.#writeMark(entry + 1n, frameIndex === undefined ? 0n : frameIndex + 1n);
  }

  /** The mark that a former reader left, which then is no longer there; undefined when there is none. */
  takeLeftOff(): LeftOff | undefined {
    const entry = this.index.header64(RING_HEADER.left_entry);
    const frame = this.index.header64(RING_HEADER.left_frame);
    if (entry === 0n || !this.#writeMark(0n, 0n)) return undefined;
    return { entry: entry - 1n, frameIndex: frame === 0n ? undefined : frame - 1n };
  }

  /** The index is mapped read-only, so it is written by way of its file; false when it cannot be. */
  #writeMark(entry: bigint, frame: bigint): boolean {
    try {
      using file = File.open(this.#indexFile.path, { write: true });
      if (this.ended) return false; // the path may name another ring
      file.writeAt(new Uint8Array(BigUint64Array.of(entry, frame).buffer), RING_HEADER.left_entry);
      return true;
    } catch (error) {
      const { errno } = error instanceof OsError ? error : {};
      if (errno === Errno.ENOENT || errno === Errno.EACCES) return false;
      throw error;
    }
  }

  /**
   * Reads an entry's record.
   *
   * @returns `"ok"`; `"none"` when it is not published yet; `"overrun"` when it was overwritten.
   */
  read(entry: bigint, into: RingRecord): "ok" | "none" | "overrun" {
    const { memory } = this.index;
    const { dv, u64, u8 } = memory;
    const R = RING_RECORD;
    const at = this.index.recordAt(entry);
    const stable = 2n * (entry + 1n);
    const before = Atomics.load(u64, (at + R.sequence) / 8);
    if (before !== stable) return before < stable ? "none" : "overrun";
    into.entry = entry;
    into.imageId = dv.getBigUint64(at + R.image_id, true);
    into.slotLock = dv.getBigUint64(at + R.slot_lock, true);
    into.firstNs = dv.getBigUint64(at + R.first_ns, true);
    into.completeNs = dv.getBigUint64(at + R.complete_ns, true);
    into.publishedNs = dv.getBigUint64(at + R.published_ns, true);
    into.frameIndex = dv.getBigUint64(at + R.frame_index, true);
    into.payloadBytes = Number(dv.getBigUint64(at + R.payload_bytes, true));
    into.slot = dv.getUint32(at + R.slot, true);
    into.status = dv.getUint32(at + R.status, true);
    into.missingPackets = dv.getUint32(at + R.missing_packets, true);
    into.damagedPackets = dv.getUint32(at + R.damaged_packets, true);
    into.epoch = dv.getUint32(at + R.epoch, true);
    into.maskLow = dv.getBigUint64(at + R.mask_low, true);
    into.maskHigh = dv.getBigUint64(at + R.mask_high, true);
    into.calibrationId = dv.getBigUint64(at + R.calibration_id, true);
    const { buffer } = into;
    if (buffer !== undefined) {
      const length = Math.min(dv.getUint32(at + R.metadata_bytes, true), buffer.byteLength);
      buffer.set(u8.subarray(at + R.metadata, at + R.metadata + length));
      into.metadata = buffer.subarray(0, length);
    }
    barrier();
    const after = Atomics.load(u64, (at + R.sequence) / 8);
    return after === stable ? "ok" : "overrun";
  }

  /**
   * Whether the pixels of an entry are still the ones that were published. To be asked *after* they
   * were used: only then is it certain that what was used was whole.
   */
  isIntact(record: { readonly slot: number; readonly slotLock: bigint }): boolean {
    barrier();
    return this.index.lock(record.slot) === record.slotLock;
  }

  /**
   * Address of an entry's pixels in this process, for calls that take addresses (pwrite, send). The
   * data file is mapped read-only at first use.
   */
  addressOf(record: { readonly slot: number }): bigint {
    this.#dataAddress ??= mapAnywhere(this.data.fd, dataBytes(this));
    return this.#dataAddress + BigInt(record.slot * this.slotBytes);
  }

  /** Detaches. */
  close(): void {
    if (this.#dataAddress !== undefined) unmap(this.#dataAddress, dataBytes(this));
    this.#dataAddress = undefined;
    this.data.close();
    this.#indexFile.close();
  }

  /** Same as {@link RingReader.close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function openExisting(path: string, name: string): File {
  try {
    return File.open(path, { write: false });
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) {
      throw new RingMissingError(
        `Ring ${name} does not exist (${path}). Start the service that writes it first.`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** Checks the header of an index file; returns the number of slots. */
function checkHeader(file: File, name: string, expected: RingExpectation): number {
  const H = RING_HEADER;
  const header = new DataView(new ArrayBuffer(H.$bytes));
  const n = file.readAt(new Uint8Array(header.buffer), 0);
  const u32 = (field: number): number => header.getUint32(field, true);
  if (n < H.$bytes || u32(H.state) !== RingState.IN_USE) {
    throw new RingMissingError(`Ring ${name} is being made or removed`);
  }
  if (header.getBigUint64(H.magic, true) !== RING_MAGIC || u32(H.version) !== RING_VERSION) {
    throw new RingMismatchError(
      `Ring ${name}: its index is of layout version ${
        u32(H.version)
      }, this is version ${RING_VERSION}. ` +
        "Run the same std-daq release everywhere.",
    );
  }
  const slotBytes = Number(header.getBigUint64(H.slot_bytes, true));
  const slots = u32(H.slots);
  const found = {
    ...{ slots, slotBytes },
    ...{ dtype: u32(H.dtype), height: u32(H.height), width: u32(H.width) },
  };
  for (const [field, value] of Object.entries(expected)) {
    const is = found[field as keyof typeof found];
    if (is !== value) {
      throw new RingMismatchError(
        `Ring ${name}: ${field} is ${is}, this service was told ${value}. ` +
          "Start the service that writes it with the same config" +
          (field === "slots" ? " and --frame-slots or --image-slots." : "."),
      );
    }
  }
  if (file.size() < planIndex(slots).bytes) {
    throw new RingMissingError(`Ring ${name} is being made: its index has not its full size yet`);
  }
  return slots;
}
