/**
 * What the ids of a file's images tell, with nothing known of other files.
 *
 * @module
 */
import {
  addRange,
  idStep,
  missingCount,
  missingText,
  NO_IDS,
  NOTHING_SEEN,
  rangesText,
  see,
  type SeenImages,
} from "../acquisition/mod.ts";
import type { AttributeValue } from "../hdf5/mod.ts";
import { shortened } from "./shortened.ts";

/** Longest text of ids, bytes: see `LAST_ATTRIBUTES_BYTES`. */
const MOST_IDS = 300;

/** Ids of the images of one file, in their order. */
export class FileIds {
  /** Those whose place is in the file. */
  #seen: SeenImages;
  #first: bigint | undefined;
  #last: bigint | undefined;
  #overwritten = NO_IDS;

  /**
   * @param writers Writers that share the images: between two of these are as many others' less one.
   * @param step As {@link SeenImages} has it of the file before.
   */
  constructor(writers: number, step?: bigint) {
    this.#seen = { ...NOTHING_SEEN, writers: BigInt(writers), ...(step !== undefined && { step }) };
  }

  /** Takes the next image, which is on file, or was overwritten before it could be. */
  add(imageId: bigint, isOnFile: boolean): void {
    this.#seen = see(this.#seen, imageId);
    if (isOnFile) {
      this.#first ??= imageId;
      this.#last = imageId;
    } else {
      const range = { from: imageId, to: imageId, count: 1n };
      // The ids between two of this writer's neighbours are the other writers'.
      const step = idStep(this.#seen) * (this.#seen.writers ?? 1n);
      this.#overwritten = addRange(this.#overwritten, range, step);
    }
  }

  /** For the images of the writer's next file. */
  next(): FileIds {
    const { writers = 1n, step } = this.#seen;
    return new FileIds(Number(writers), step);
  }

  /** What the file says of them. */
  attributes(): Record<string, AttributeValue> {
    const { ranges, hasMore } = this.#overwritten;
    return {
      ...(this.#first !== undefined && { first_image_id: this.#first }),
      ...(this.#last !== undefined && { last_image_id: this.#last }),
      file_images_missing: BigInt(missingCount(this.#seen)),
      file_missing_image_ids: shortened(missingText(this.#seen), MOST_IDS),
      overwritten_image_ids: shortened(rangesText(ranges, idStep(this.#seen), hasMore), MOST_IDS),
    };
  }
}
