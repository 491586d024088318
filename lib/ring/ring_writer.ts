/**
 * The one writer of a ring.
 *
 * @module
 */
import {
  Errno,
  File,
  fileSystemSpace,
  OsError,
  PAGE_BYTES,
  processId,
  unlink,
  wallClockNs,
} from "../os/mod.ts";
import { RING_HEADER, RING_MAGIC, RING_RECORD, RING_VERSION } from "../kernels/mod.ts";
import { isNamed, removeFiles } from "./_files.ts";
import { RingBusyError, RingSpaceError } from "./errors.ts";
import { barrier, COUNTERS_BYTES, RingIndex, RingState } from "./ring_index.ts";
import type { SharedMemory } from "./shared_memory.ts";
import { dataBytes, dataPath, indexPath, planIndex, type RingSpec, SHM_FOLDER } from "./spec.ts";

/** What is published with an entry; `metadata` is the public message, at most 128 bytes. */
export interface RingEntry {
  /** The detector's number of the image. */
  imageId: bigint;
  /** Slot of the data file that holds it. */
  slot: number;
  /** 1 good, 2 missing packets, 3 id mismatch. */
  status: number;
  /** First packet, ns since 1970. */
  firstNs: bigint;
  /** Last packet, or the end of waiting, ns since 1970. */
  completeNs: bigint;
  /** The detector's own frame number. */
  frameIndex: bigint;
  /** Bytes used in the slot. */
  payloadBytes: number;
  /** Packets that are missing; their pixels are 0. */
  missingPackets: number;
  /** Missing packets that did arrive, but malformed. */
  damagedPackets: number;
  /** Counter restarts of the detector. */
  epoch: number;
  /** Modules 0–63 that contributed. */
  maskLow: bigint;
  /** Modules 64–127 that contributed. */
  maskHigh: bigint;
  /** The calibration that made the pixels; left out or 0: they are as received. */
  calibrationId?: bigint;
  /** The public message. */
  metadata: Uint8Array;
  /**
   * Value of the slot's lock when the slot was finished, for writers that unlock slots themselves,
   * before they publish; left out, {@link RingWriter.publish} unlocks the slot.
   */
  slotLock?: bigint;
}

/** What an entry adds to one of the 64 counters of the ring's header. */
export type EntryCount = readonly [counter: number, n: bigint];

/** Room for the public message in a record, bytes. */
const METADATA_BYTES = 128;

/** How to make a ring. */
export interface RingWriterOptions {
  /** Group that may use the ring too (mode 0660 instead of 0600). */
  gid?: number | undefined;
}

/**
 * Creates a ring or takes over what a dead writer left, and publishes entries. Exactly one live
 * writer is possible: it holds the lock of the index file, which the kernel drops when it dies.
 */
export class RingWriter implements Disposable {
  /** What the ring was made from. */
  readonly spec: RingSpec;
  /** Its index. */
  readonly index: RingIndex;
  /** Open data file, to be mapped by {@link mapSlots}. */
  readonly data: File;
  readonly #indexFile: File;
  #head: bigint;
  #closed = false;

  private constructor(spec: RingSpec, index: RingIndex, indexFile: File, data: File) {
    this.spec = spec;
    this.index = index;
    this.#indexFile = indexFile;
    this.data = data;
    this.#head = index.head;
  }

  /**
   * Makes the ring, or takes it over from a writer that died.
   *
   * @param memory Memory to map the index into, see {@link indexMemoryBytes}.
   * @throws {RingBusyError} If a live process writes the ring.
   * @throws {RingSpaceError} If the ring does not fit into /dev/shm.
   * @throws {OsError} EACCES, …
   */
  static create(memory: SharedMemory, spec: RingSpec, options: RingWriterOptions = {}): RingWriter {
    for (;;) {
      const files = openFiles(spec, options.gid);
      if (files === undefined) continue; // a former ring was just being removed
      try {
        const index = prepareIndex(memory, files.index, spec, files.keep);
        return new RingWriter(spec, index, files.index, files.data);
      } catch (error) {
        discard(files, spec.name);
        throw error;
      }
    }
  }

  /** Whether the ring was left by a writer that died, so that readers still follow it. */
  get takenOver(): boolean {
    return this.index.header64(RING_HEADER.session) > 1n;
  }

  /** Entries published since the ring was made. */
  get head(): bigint {
    return this.#head;
  }

  /** Marks a slot as being written; readers of what it held notice. Repeated calls do nothing. */
  lockSlot(slot: number): void {
    const at = this.index.lockIndex(slot);
    const u64 = this.index.memory.u64;
    if ((Atomics.load(u64, at) & 1n) === 0n) Atomics.add(u64, at, 1n);
  }

  /**
   * Publishes what is in a locked slot; returns the entry's number.
   *
   * @param counts What is counted with the entry: both or neither, whenever this process is killed.
   * @throws {RangeError} If the slot is not one of the ring's or the metadata do not fit.
   */
  publish(entry: RingEntry, counts?: Iterable<EntryCount>): bigint {
    const { index } = this;
    if (!(entry.slot < index.slots) || entry.metadata.byteLength > METADATA_BYTES) {
      throw new RangeError(
        `Ring ${this.spec.name}: slot ${entry.slot} of ${index.slots} with ` +
          `${entry.metadata.byteLength} bytes of metadata (at most ${METADATA_BYTES}) cannot be ` +
          "published",
      );
    }
    const { dv, u64, u8 } = index.memory;
    const number = this.#head;
    const at = index.recordAt(number);
    const stable = 2n * (number + 1n);
    const lockAt = index.lockIndex(entry.slot);
    // Even, and new to all readers.
    const slotLock = entry.slotLock ?? (Atomics.load(u64, lockAt) | 1n) + 1n;
    const R = RING_RECORD;

    Atomics.store(u64, (at + R.sequence) / 8, stable - 1n);
    barrier();
    dv.setBigUint64(at + R.image_id, entry.imageId, true);
    dv.setBigUint64(at + R.slot_lock, slotLock, true);
    dv.setBigUint64(at + R.first_ns, entry.firstNs, true);
    dv.setBigUint64(at + R.complete_ns, entry.completeNs, true);
    dv.setBigUint64(at + R.published_ns, wallClockNs(), true);
    dv.setBigUint64(at + R.frame_index, entry.frameIndex, true);
    dv.setBigUint64(at + R.payload_bytes, BigInt(entry.payloadBytes), true);
    dv.setUint32(at + R.slot, entry.slot, true);
    dv.setUint32(at + R.status, entry.status, true);
    dv.setUint32(at + R.missing_packets, entry.missingPackets, true);
    dv.setUint32(at + R.damaged_packets, entry.damagedPackets, true);
    dv.setUint32(at + R.epoch, entry.epoch, true);
    dv.setBigUint64(at + R.mask_low, entry.maskLow, true);
    dv.setBigUint64(at + R.mask_high, entry.maskHigh, true);
    dv.setBigUint64(at + R.calibration_id, entry.calibrationId ?? 0n, true);
    dv.setUint32(at + R.metadata_bytes, entry.metadata.byteLength, true);
    u8.set(entry.metadata, at + R.metadata);

    if (counts !== undefined) this.#count(number, counts);
    if (entry.slotLock === undefined) Atomics.store(u64, lockAt, slotLock);
    Atomics.store(u64, (at + R.sequence) / 8, stable);
    this.#head = number + 1n;
    index.setHeader64(RING_HEADER.head, this.#head);
    return number;
  }

  /**
   * Counts the entry that is about to be published. Until `head` says that it is, the counters are those
   * in `counters_before`: for the next writer ({@link takeBackCounts}) and for who reads them meanwhile.
   */
  #count(entry: bigint, counts: Iterable<EntryCount>): void {
    const { index } = this;
    const from = index.counterAt(0);
    // Still marked as the former entry's, which is published: a copy that is not whole is never used.
    const before = index.at + RING_HEADER.counters_before;
    index.memory.u8.copyWithin(before, from, from + COUNTERS_BYTES);
    index.setHeader64(RING_HEADER.counted_entry, entry + 1n);
    for (const [counter, n] of counts) if (n !== 0n) index.addCounter(counter, n);
  }

  /** Ends the ring: readers are told, its files removed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.index.setHeader32(RING_HEADER.state, RingState.CLOSED);
    unlink(dataPath(this.spec.name));
    unlink(indexPath(this.spec.name));
    this.data.close();
    this.#indexFile.close();
  }

  /** Same as {@link RingWriter.close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Room that the index of a ring takes in a {@link SharedMemory}, bytes. */
export function indexMemoryBytes(slots: number): number {
  return planIndex(slots).bytes + PAGE_BYTES;
}

/** Room that `count` slots take in a {@link SharedMemory}, bytes. */
export function slotMemoryBytes(slotBytes: number, count: number): number {
  return Math.ceil((slotBytes * count) / PAGE_BYTES) * PAGE_BYTES + 3 * PAGE_BYTES;
}

/**
 * Maps slots of a data file into a memory.
 *
 * @returns Where slot `first` appears.
 */
export function mapSlots(
  memory: SharedMemory,
  data: File,
  slotBytes: number,
  first: number,
  count: number,
  options: { writable: boolean; populate?: boolean },
): number {
  const from = first * slotBytes;
  const aligned = Math.floor(from / PAGE_BYTES) * PAGE_BYTES;
  const bytes = from - aligned + count * slotBytes;
  return memory.map(data, bytes, { ...options, fileOffset: aligned }) + (from - aligned);
}

/** A ring's files, locked; `keep` when they hold this very ring, left by a writer that died. */
interface RingFiles {
  index: File;
  data: File;
  keep: boolean;
}

/** Opens and locks a ring's files; undefined when a former ring's were there and are gone now. */
function openFiles(spec: RingSpec, gid: number | undefined): RingFiles | undefined {
  const mode = gid === undefined ? 0o600 : 0o660;
  const index = openIndex(indexPath(spec.name), mode);
  try {
    if (!index.tryLock()) throw busy(spec.name, index);
    const found = inspect(index, spec);
    const named = isNamed(index);
    if (!named || found === "other") {
      if (named) removeFiles(index, spec.name);
      index.close();
      return undefined;
    }
    const keep = found === "same";
    try {
      index.chmod(mode);
      if (gid !== undefined) index.chgrp(gid);
      return { index, keep, data: openData(spec, mode, gid, keep) };
    } catch (error) {
      if (!keep) unlink(indexPath(spec.name));
      throw error;
    }
  } catch (error) {
    index.close();
    throw error;
  }
}

/** Opens an index file, or makes an empty one; that of a live ring keeps its mode. */
function openIndex(path: string, mode: number): File {
  try {
    return File.open(path, { write: true });
  } catch (error) {
    if (!(error instanceof OsError && error.errno === Errno.ENOENT)) throw error;
    return File.open(path, { write: true, create: true, mode });
  }
}

/** Takes back what a failed attempt opened, and what it made. */
function discard(files: RingFiles, name: string): void {
  if (!files.keep) {
    unlink(dataPath(name));
    unlink(indexPath(name));
  }
  files.data.close();
  files.index.close();
}

/** What the index file holds: nothing yet, this very ring, or another one or a broken one. */
function inspect(file: File, spec: RingSpec): "empty" | "same" | "other" {
  if (file.size() === 0) return "empty";
  const header = new DataView(new ArrayBuffer(RING_HEADER.$bytes));
  const n = file.readAt(new Uint8Array(header.buffer), 0);
  if (n < RING_HEADER.$bytes || header.getBigUint64(RING_HEADER.magic, true) !== RING_MAGIC) {
    return "other";
  }
  const state = header.getUint32(RING_HEADER.state, true);
  const u32 = (field: number): number => header.getUint32(field, true);
  const same = state === RingState.IN_USE && u32(RING_HEADER.version) === RING_VERSION &&
    header.getBigUint64(RING_HEADER.slot_bytes, true) === BigInt(spec.slotBytes) &&
    u32(RING_HEADER.slots) === spec.slots && u32(RING_HEADER.dtype) === spec.dtype &&
    u32(RING_HEADER.height) === spec.height && u32(RING_HEADER.width) === spec.width &&
    header.getBigUint64(RING_HEADER.geometry, true) === spec.geometry &&
    file.size() === planIndex(spec.slots).bytes && dataIsWhole(spec);
  return same ? "same" : "other";
}

/** Whether the data file is there in full; without it the records of an index mean nothing. */
function dataIsWhole(spec: RingSpec): boolean {
  try {
    using data = File.open(dataPath(spec.name));
    return data.size() === dataBytes(spec);
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return false;
    throw error;
  }
}

/** Opens the data file, made to size; what an unknown writer left in it is zeroed. */
function openData(spec: RingSpec, mode: number, gid: number | undefined, keep: boolean): File {
  const bytes = dataBytes(spec);
  const data = File.open(dataPath(spec.name), { write: true, create: true, mode });
  try {
    if (gid !== undefined) data.chgrp(gid);
    const present = data.size();
    const { availableBytes } = fileSystemSpace(SHM_FOLDER);
    if (bytes - present > availableBytes) throw tooLarge(spec, bytes, availableBytes);
    if (present !== bytes) data.truncate(bytes);
    if (present > 0 && !keep) data.punchHole(0, bytes);
    try {
      data.allocate(0, bytes);
    } catch (error) {
      if (error instanceof OsError && error.errno === Errno.ENOSPC) {
        throw tooLarge(spec, bytes, availableBytes);
      }
      throw error;
    }
    return data;
  } catch (error) {
    data.close();
    if (!keep) unlink(dataPath(spec.name));
    throw error;
  }
}

function prepareIndex(memory: SharedMemory, file: File, spec: RingSpec, keep: boolean): RingIndex {
  const plan = planIndex(spec.slots);
  if (!keep) allocateIndex(file, spec, plan.bytes);
  const index = new RingIndex(memory, memory.map(file, plan.bytes, { writable: true }), spec.slots);
  const H = RING_HEADER;
  if (keep) takeBackCounts(index);
  else {
    index.setHeader64(H.magic, RING_MAGIC);
    index.setHeader32(H.version, RING_VERSION);
    index.setHeader64(H.slot_bytes, BigInt(spec.slotBytes));
    index.setHeader32(H.slots, spec.slots);
    index.setHeader32(H.records, spec.slots);
    index.setHeader32(H.dtype, spec.dtype);
    index.setHeader32(H.height, spec.height);
    index.setHeader32(H.width, spec.width);
    index.setHeader64(H.geometry, spec.geometry);
  }
  index.setHeader32(H.writer_pid, processId());
  index.setHeader64(H.writer_start_ns, wallClockNs());
  index.setHeader64(H.session, index.header64(H.session) + 1n);
  index.setHeader32(H.state, RingState.IN_USE);
  return index;
}

/** Takes back what a writer counted that died before it had published the entry. */
function takeBackCounts(index: RingIndex): void {
  const H = RING_HEADER;
  if (index.header64(H.counted_entry) !== index.head + 1n) return;
  const before = index.at + H.counters_before;
  index.memory.u8.copyWithin(index.counterAt(0), before, before + COUNTERS_BYTES);
  // Once only: what is counted from now on stays.
  index.setHeader64(H.counted_entry, 0n);
}

/** Gives the index its size and its memory: touching pages that shared memory lacks would kill us. */
function allocateIndex(file: File, spec: RingSpec, bytes: number): void {
  file.truncate(0);
  try {
    file.allocate(0, bytes);
  } catch (error) {
    if (!(error instanceof OsError && error.errno === Errno.ENOSPC)) throw error;
    const { availableBytes } = fileSystemSpace(SHM_FOLDER);
    throw tooLarge(spec, dataBytes(spec) + bytes, availableBytes + dataBytes(spec));
  }
}

function busy(name: string, file: File): RingBusyError {
  const pid = new Uint32Array(1);
  file.readAt(new Uint8Array(pid.buffer), RING_HEADER.writer_pid);
  return new RingBusyError(
    `Ring ${name} is being written by process ${pid[0]}. A ring has one writer: ` +
      "stop that process, or give this detector another detector_name.",
  );
}

function tooLarge(spec: RingSpec, bytes: number, available: number): RingSpaceError {
  const gib = (n: number): string => (n / 2 ** 30).toFixed(2) + " GiB";
  return new RingSpaceError(
    `Ring ${spec.name} needs ${gib(bytes)} (${spec.slots} slots of ${spec.slotBytes} bytes) and ` +
      `${SHM_FOLDER} has ${gib(available)} free. Lower frame_slots or image_slots, or give ` +
      `${SHM_FOLDER} more room.`,
  );
}
