/**
 * From an image's id or entry to the address of its pixels.
 *
 * @module
 */
import { File, mapAnywhere, unmap } from "../os/mod.ts";
import {
  dataBytes,
  indexPath,
  openForeignRing,
  type RingExpectation,
  RingMissingError,
  RingReader,
  RingRecord,
  SharedMemory,
  SHM_FOLDER,
} from "../ring/mod.ts";
import type { RingData } from "./compressors.ts";
import { type ImageFacts, NO_FACTS } from "./image_info.ts";

/** Where an image is. */
export interface LocatedImage {
  /** Address of its first byte. */
  address: bigint;
  /** The ring that it is in; another object after each time that one is attached. */
  ring: RingData;
  /** Its slot there. */
  slot: number;
  /** Bytes used in its slot; undefined where there is no index to tell. */
  bytes: number | undefined;
  /** What the ring's index tells of it; nothing where there is no index. */
  facts: ImageFacts;
  /** Whether the pixels are still whole; to be asked after they were used. */
  isIntact(): boolean;
}

/** The image ring, as its writer's config describes it. */
export interface ImageRingPlace extends Required<RingExpectation> {
  name: string;
  /** Slots, for rings without an index. */
  slots: number;
}

/** A ring with an index, mapped. */
interface Attached {
  readonly reader: RingReader;
  readonly data: RingData;
}

/** A ring without an index, mapped. */
interface Unindexed {
  readonly address: bigint;
  readonly bytes: number;
  readonly file: File;
  readonly data: RingData;
}

/**
 * Finds images in the image ring; attaches when first asked, and anew when the ring was replaced. What is still
 * wanted of a ring that has ended is found in it until images of the next one are.
 */
export class ImageLocator implements Disposable {
  readonly #ring: ImageRingPlace;
  readonly #record = new RingRecord(false);
  #indexed: Attached | undefined;
  /** The ring before that one, which has ended. */
  #former: Attached | undefined;
  /** An image was found in the present ring: those of the former one have all been. */
  #isPastFormer = false;
  #unindexed: Unindexed | undefined;
  /** Called before the addresses of images lose their meaning. */
  onDetach: () => void = () => {};

  constructor(ring: ImageRingPlace) {
    this.#ring = ring;
  }

  /**
   * Makes sure that a ring is attached that is in use, so that the first image does not wait for it. To be
   * called before each run, and never in one: an image ring without an index does not tell when another has
   * taken its place, and one that has ended is let go of.
   *
   * @returns The ring, as its images will name it.
   * @throws {RingMissingError} If there is no image ring.
   * @throws {RingMismatchError} If its images have another size, shape or type.
   */
  attach(): RingData {
    const isOver = this.#former !== undefined || this.#indexed?.reader.ended ||
      (this.#unindexed !== undefined && !this.#isStillThere(this.#unindexed));
    if (isOver) this.#detach();
    this.follow();
    return (this.#indexed ?? this.#unindexed!).data; // one of them is attached
  }

  /**
   * Goes over to the ring that has taken the place of the one attached, if there is one; to be called
   * before images are located. The addresses of those that were lose their meaning.
   *
   * @throws As {@link ImageLocator.attach}, but for a ring that has ended and that no other has followed yet.
   */
  follow(): void {
    if (this.#isPastFormer) this.#dropFormer();
    if (this.#unindexed !== undefined || this.#indexed?.reader.ended === false) return;
    const { name, slots, slotBytes, dtype, height, width } = this.#ring;
    const expected = { slotBytes, dtype, height, width };
    try {
      const reader = RingReader.open(() => new SharedMemory(INDEX_ROOM), name, expected);
      reader.addressOf({ slot: 0 }); // maps the data
      this.#dropFormer();
      this.#former = this.#indexed;
      this.#indexed = { reader, data: { fd: reader.data.fd, slots: reader.slots } };
    } catch (error) {
      if (!(error instanceof RingMissingError)) throw error;
      if (this.#indexed !== undefined) return; // its last images may be wanted
      // Written by an original assembler: no index, slots as the config says.
      const file = openForeignRing(this.#ring);
      if (file === undefined) throw error;
      const bytes = dataBytes(this.#ring);
      // Not populated: it takes the memory of its slots when it writes them.
      const address = mapAnywhere(file.fd, bytes, { populate: false });
      this.#unindexed = { address, bytes, file, data: { fd: file.fd, slots } };
    }
  }

  /**
   * Finds an image of the ring that is attached, or of the one before it.
   *
   * @param entry Its entry in the index, if known.
   * @returns Where it is; undefined when it has been overwritten.
   */
  locate(imageId: bigint, entry?: bigint): LocatedImage | undefined {
    if (this.#unindexed !== undefined) {
      const { address: at, data: ring } = this.#unindexed;
      const slot = Number(imageId % BigInt(this.#ring.slots));
      const address = at + BigInt(slot * this.#ring.slotBytes);
      return { address, ring, slot, bytes: undefined, facts: NO_FACTS, isIntact: () => true };
    }
    const image = this.#locateIn(this.#indexed!, imageId, entry); // one of them is attached
    if (image === undefined && this.#former !== undefined) {
      return this.#locateIn(this.#former, imageId, entry);
    }
    this.#isPastFormer ||= this.#former !== undefined;
    return image;
  }

  #locateIn(
    { reader, data: ring }: Attached,
    imageId: bigint,
    entry: bigint | undefined,
  ): LocatedImage | undefined {
    if (!this.#find(reader, imageId, entry)) return undefined;
    const record = this.#record;
    const { slot, slotLock } = record;
    return {
      address: reader.addressOf(record),
      ring,
      slot,
      bytes: record.payloadBytes,
      facts: {
        missingPackets: record.missingPackets,
        firstNs: record.firstNs,
        completeNs: record.completeNs,
        publishedNs: record.publishedNs,
        frameIndex: record.frameIndex,
        maskLow: record.maskLow,
        maskHigh: record.maskHigh,
        calibrationId: record.calibrationId,
      },
      isIntact: () => reader.isIntact({ slot, slotLock }),
    };
  }

  /** Detaches. */
  [Symbol.dispose](): void {
    this.#detach();
  }

  /** Reads the image's record: at its entry, or the newest that has its id. */
  #find(reader: RingReader, imageId: bigint, entry: bigint | undefined): boolean {
    const record = this.#record;
    if (entry !== undefined) {
      return reader.read(entry, record) === "ok" && record.imageId === imageId &&
        reader.isIntact(record);
    }
    const head = reader.head;
    for (let at = head - 1n; at >= 0n && head - at <= BigInt(reader.slots); at--) {
      if (reader.read(at, record) !== "ok") return false;
      if (record.imageId === imageId) return reader.isIntact(record);
    }
    return false;
  }

  /** Whether its name is still that of this file, and no index is there. */
  #isStillThere({ file, bytes }: Unindexed): boolean {
    const { name } = this.#ring;
    return !File.isThere(indexPath(name)) && file.isBeneath(SHM_FOLDER, name) &&
      file.size() >= bytes;
  }

  #dropFormer(): void {
    this.#isPastFormer = false;
    if (this.#former === undefined) return;
    this.onDetach();
    this.#former.reader.close();
    this.#former = undefined;
  }

  #detach(): void {
    this.onDetach();
    for (const attached of [this.#indexed, this.#former]) attached?.reader.close();
    this.#indexed = this.#former = undefined;
    this.#isPastFormer = false;
    if (this.#unindexed !== undefined) {
      unmap(this.#unindexed.address, this.#unindexed.bytes);
      this.#unindexed.file.close();
    }
    this.#unindexed = undefined;
  }
}

/** Room for the index of the largest ring that makes sense (some 200 000 slots), bytes; only mapped pages count. */
const INDEX_ROOM = 64 * 1024 * 1024;
