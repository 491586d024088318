/**
 * Sizes and places of a ring's two files.
 *
 * @module
 */
import { PAGE_BYTES } from "../os/mod.ts";
import { RING_HEADER, RING_RECORD } from "../kernels/mod.ts";

/** Folder of POSIX shared memory. */
export const SHM_FOLDER = "/dev/shm";

/** Data files are a multiple of this, as the original makes them: bytes. */
const DATA_ROUNDING = 2 * 1024 * 1024;

/** What a ring holds. */
export interface RingSpec {
  /** Name under /dev/shm: `<detector>-<module>` or `<detector>-image`. */
  name: string;
  /** Bytes of a slot. */
  slotBytes: number;
  /** Slots; an entry with image id `i` lies in slot `i mod slots`. */
  slots: number;
  /** Pixel type, the number of the `dtype` field of ImageMetadata. */
  dtype: number;
  /** Rows, px. */
  height: number;
  /** Columns, px. */
  width: number;
  /** Whatever the bytes between modules depend on; a ring of another geometry is zeroed when taken over. */
  geometry: bigint;
}

/** Path of a ring's data file. */
export function dataPath(name: string): string {
  return `${SHM_FOLDER}/${name}`;
}

/** Path of a ring's index file. */
export function indexPath(name: string): string {
  return `${SHM_FOLDER}/${name}.index`;
}

/** Size of the data file, bytes. */
export function dataBytes(spec: { slotBytes: number; slots: number }): number {
  return Math.ceil((spec.slotBytes * spec.slots) / DATA_ROUNDING) * DATA_ROUNDING;
}

/** Where things are in the index file. */
export interface IndexPlan {
  /** Slot locks, u64 each: offset, bytes. */
  locksAt: number;
  /** Records: offset, bytes. */
  recordsAt: number;
  /** Size of the file, bytes. */
  bytes: number;
}

/** The places in the index file of a ring with `slots` slots and as many records. */
export function planIndex(slots: number): IndexPlan {
  const locksAt = RING_HEADER.$bytes;
  const recordsAt = locksAt + Math.ceil((slots * 8) / PAGE_BYTES) * PAGE_BYTES;
  const bytes = recordsAt + Math.ceil((slots * RING_RECORD.$bytes) / PAGE_BYTES) * PAGE_BYTES;
  return { locksAt, recordsAt, bytes };
}
