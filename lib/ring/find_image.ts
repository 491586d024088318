/**
 * The place of an image in a ring, by its id.
 *
 * @module
 */
import { type RingReader, RingRecord } from "./ring_reader.ts";

/** Where the images from an id on begin. */
export interface ImagePlace {
  /** The first entry of them; the next one to be published as long as there is none. */
  readonly entry: bigint;
  /** Images of that id or later that are overwritten already, if they are as far apart as those that are there. */
  readonly overwritten: bigint;
}

/**
 * Finds the oldest image in a ring from which on all have an id or a larger one, and follow each other: what the
 * detector sent before it began to count anew is left alone.
 *
 * @param reader The ring.
 * @param imageId The smallest id.
 */
export function findImage(reader: RingReader, imageId: bigint): ImagePlace {
  const record = new RingRecord();
  let entry = reader.head;
  let first: bigint | undefined;
  let step: bigint | undefined;
  for (; entry > 0n; entry--) {
    const result = reader.read(entry - 1n, record);
    if (result !== "ok") {
      const before = first === undefined ? 0n : (first - imageId) / (step ?? 1n);
      return { entry, overwritten: before < entry ? before : entry };
    }
    const { imageId: id } = record;
    if (id < imageId || first !== undefined && id >= first) break;
    const distance = first === undefined ? undefined : first - id;
    if (distance !== undefined && (step === undefined || distance < step)) step = distance;
    first = id;
  }
  return { entry, overwritten: 0n };
}
