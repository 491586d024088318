/**
 * How far a reader has got, for the one that comes after it.
 *
 * @module
 */
import { RING_HEADER, RING_MARK } from "../kernels/mod.ts";
import type { RingReader } from "./ring_reader.ts";
import type { SharedMemory } from "./shared_memory.ts";

/** Room that a {@link RingMark} takes in a {@link SharedMemory}, bytes. */
export const RING_MARK_MEMORY_BYTES: number = RING_HEADER.$bytes;

/** Marks that a header has room for. */
const MARKS = 16;

/**
 * A reader's mark in the header of the ring that it reads. It outlives the reader, however that ends, and the
 * ring's writer; it ends with the ring.
 */
export class RingMark {
  readonly #u64: BigUint64Array;
  /** Place of {@link next} in it. */
  readonly #place: number;

  private constructor(memory: SharedMemory, mark: number) {
    this.#u64 = memory.u64;
    this.#place = (mark + RING_MARK.next) / 8;
  }

  /**
   * The mark of the reader of this name, which no two processes may have at once.
   *
   * @param memory Memory to map the header into.
   * @param at Where: {@link RING_MARK_MEMORY_BYTES} of its own, at the begin of a page.
   * @returns Undefined when the ring has ended, this process may only read it, or all marks are taken.
   */
  static claim(
    memory: SharedMemory,
    at: number,
    reader: RingReader,
    name: string,
  ): RingMark | undefined {
    using file = reader.openWritable();
    if (file === undefined) return undefined;
    memory.remap(at, file, RING_HEADER.$bytes, { writable: true });
    const hash = hashOf(name);
    for (let i = 0; i < MARKS; i++) {
      const mark = at + RING_HEADER.marks + i * RING_MARK.$bytes;
      const owner = Atomics.compareExchange(memory.u64, (mark + RING_MARK.reader) / 8, 0n, hash);
      if (owner === 0n || owner === hash) return new RingMark(memory, mark);
    }
    return undefined;
  }

  /** The first entry that the reader is not done with; undefined as long as none was noted. */
  get next(): bigint | undefined {
    const next = Atomics.load(this.#u64, this.#place);
    return next === 0n ? undefined : next - 1n;
  }

  set next(entry: bigint) {
    Atomics.store(this.#u64, this.#place, entry + 1n);
  }
}

/** FNV-1a of a name, never 0. */
function hashOf(name: string): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of new TextEncoder().encode(name)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100_0000_01b3n);
  }
  return hash || 1n;
}
