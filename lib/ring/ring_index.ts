/**
 * Access to a mapped index: header fields, slot locks and records.
 *
 * @module
 */
import { RING_HEADER, RING_RECORD } from "../kernels/mod.ts";
import type { SharedMemory } from "./shared_memory.ts";
import { type IndexPlan, planIndex } from "./spec.ts";

/** States of a ring, field `state` of its header. */
export const RingState = { MAKING: 0, IN_USE: 1, CLOSED: 2, REPLACED: 3 } as const;

/** Most counters a ring's header has room for. */
export const MAX_COUNTERS = 64;

/** Bytes of them. */
export const COUNTERS_BYTES: number = 8 * MAX_COUNTERS;

/** Where a read-modify-write goes that only serves as a memory barrier. */
const barrierWord = new Int32Array(new SharedArrayBuffer(4));

/** A full memory barrier: no access moves over it. */
export function barrier(): void {
  Atomics.add(barrierWord, 0, 0);
}

/** The index file of one ring, mapped at `at`. */
export class RingIndex {
  /** Memory that the index is mapped into. */
  readonly memory: SharedMemory;
  /** Where in it, bytes. */
  readonly at: number;
  /** Slots of the ring. */
  readonly slots: number;
  /** Layout of the index. */
  readonly plan: IndexPlan;

  /** A view of the index mapped at `at`. */
  constructor(memory: SharedMemory, at: number, slots: number) {
    this.memory = memory;
    this.at = at;
    this.slots = slots;
    this.plan = planIndex(slots);
  }

  /** A u32 header field. */
  header32(field: number): number {
    return Atomics.load(this.memory.u32, (this.at + field) >>> 2);
  }

  /** A u64 header field. */
  header64(field: number): bigint {
    return Atomics.load(this.memory.u64, (this.at + field) / 8);
  }

  /** Sets a u32 header field. */
  setHeader32(field: number, value: number): void {
    Atomics.store(this.memory.u32, (this.at + field) >>> 2, value);
  }

  /** Sets a u64 header field. */
  setHeader64(field: number, value: bigint): void {
    Atomics.store(this.memory.u64, (this.at + field) / 8, value);
  }

  /** State of the ring, see {@link RingState}. */
  get state(): number {
    return this.header32(RING_HEADER.state);
  }

  /** Entries published so far. */
  get head(): bigint {
    return this.header64(RING_HEADER.head);
  }

  /** Place of the lock of `slot` as an index into the memory's u64 view. */
  lockIndex(slot: number): number {
    return (this.at + this.plan.locksAt) / 8 + slot;
  }

  /** Lock of a slot: odd while it is being written. */
  lock(slot: number): bigint {
    return Atomics.load(this.memory.u64, this.lockIndex(slot));
  }

  /** Place of the record of `entry`. */
  recordAt(entry: bigint): number {
    return this.at + this.plan.recordsAt + Number(entry % BigInt(this.slots)) * RING_RECORD.$bytes;
  }

  /** Place of counter `i` in the memory, for kernels that count. */
  counterAt(i: number): number {
    return this.at + RING_HEADER.counters + 8 * i;
  }

  /** Counter `i` of the ring's writer. */
  counter(i: number): bigint {
    return this.header64(RING_HEADER.counters + 8 * i);
  }

  /** Sets counter `i`. */
  setCounter(i: number, value: bigint): void {
    this.setHeader64(RING_HEADER.counters + 8 * i, value);
  }

  /** Adds to counter `i`. */
  addCounter(i: number, n: bigint): void {
    const at = (this.at + RING_HEADER.counters) / 8 + i;
    Atomics.add(this.memory.u64, at, n);
  }
}
