/**
 * How far a service has got in the ring that it follows, kept with its counters in the ring that it writes:
 * whoever takes that over goes on there.
 *
 * @module
 */
import type { EntryCount, RingWriter } from "../ring/mod.ts";
import { transformCounterIndex } from "./counters.ts";

/** A place in a ring that is followed. */
export interface SourcePlace {
  /** The ring, see {@link RingReader.id}. */
  ring: bigint;
  /** The first entry that was not dealt with. */
  next: bigint;
}

/** Behind the counters that others read. */
const RING = transformCounterIndex("bytes_out") + 1;
const NEXT = RING + 1;

/** Where the process was that wrote the ring before; undefined when the ring is new. */
export function formerPlace({ index }: RingWriter): SourcePlace | undefined {
  const ring = index.counter(RING);
  return ring === 0n ? undefined : { ring, next: index.counter(NEXT) };
}

/** Notes where a service begins to follow another ring. */
export function notePlace({ index }: RingWriter, { ring, next }: SourcePlace): void {
  index.setCounter(RING, 0n); // the two belong together
  index.setCounter(NEXT, next);
  index.setCounter(RING, ring);
}

/** What {@link RingWriter.publish} has to count so that the service is at this entry of the ring that it follows. */
export function placeCount({ index }: RingWriter, next: bigint): EntryCount {
  return [NEXT, next - index.counter(NEXT)];
}
