/**
 * From an image's id or entry to the address of its pixels.
 *
 * @module
 */
import { File, mapAnywhere, unmap } from "../os/mod.ts";
import {
  dataBytes,
  dataPath,
  indexPath,
  RingMissingError,
  RingReader,
  RingRecord,
  SharedMemory,
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
export interface ImageRingPlace {
  name: string;
  slotBytes: number;
  /** Slots, for rings without an index. */
  slots: number;
}

/** Finds images in the image ring; attaches when first asked, and anew when the ring was replaced. */
export class ImageLocator implements Disposable {
  readonly #ring: ImageRingPlace;
  readonly #record = new RingRecord(false);
  #reader: RingReader | undefined;
  #unindexed: { address: bigint; bytes: number; file: File } | undefined;
  #data: RingData | undefined;
  /** Called before the addresses of images lose their meaning. */
  onDetach: () => void = () => {};

  constructor(ring: ImageRingPlace) {
    this.#ring = ring;
  }

  /**
   * Makes sure that the ring is attached, so that the first image does not wait for it. To be called
   * before each run: one without an index does not tell when another has taken its place.
   *
   * @returns The ring, as its images will name it.
   * @throws {RingMissingError} If there is no image ring.
   * @throws {RingMismatchError} If its images have another size.
   */
  attach(): RingData {
    if (this.#unindexed !== undefined) this.#detach();
    this.follow();
    return this.#data!; // set with the ring
  }

  /**
   * Goes over to the ring that has taken the place of the one attached, if there is one; to be called
   * before images are located. The addresses of those that were lose their meaning.
   *
   * @throws As {@link ImageLocator.attach}.
   */
  follow(): void {
    if (this.#reader?.ended) this.#detach();
    if (this.#reader !== undefined || this.#unindexed !== undefined) return;
    const { name, slotBytes, slots } = this.#ring;
    try {
      const memory = new SharedMemory(INDEX_ROOM);
      this.#reader = RingReader.open(memory, name, { slotBytes });
      this.#reader.addressOf({ slot: 0 }); // maps the data
      this.#data = { fd: this.#reader.data.fd, slots: this.#reader.slots };
    } catch (error) {
      if (!(error instanceof RingMissingError)) throw error;
      if (isThere(indexPath(name))) throw error; // one with an index, being made or removed
      // Written by an original assembler: no index, slots as the config says.
      const bytes = dataBytes({ slotBytes, slots });
      const file = openOr(dataPath(name), error);
      if (file.size() < bytes) {
        file.close();
        throw error;
      }
      this.#unindexed = { address: mapAnywhere(file.fd, bytes), bytes, file };
      this.#data = { fd: file.fd, slots };
    }
  }

  /**
   * Finds an image of the ring that is attached.
   *
   * @param entry Its entry in the index, if known.
   * @returns Where it is; undefined when it has been overwritten.
   */
  locate(imageId: bigint, entry?: bigint): LocatedImage | undefined {
    const ring = this.#data!; // set with the ring
    if (this.#reader === undefined) {
      const slot = Number(imageId % BigInt(this.#ring.slots));
      const address = this.#unindexed!.address + BigInt(slot * this.#ring.slotBytes);
      return { address, ring, slot, bytes: undefined, facts: NO_FACTS, isIntact: () => true };
    }
    const reader = this.#reader;
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

  #detach(): void {
    this.onDetach();
    this.#reader?.close();
    this.#reader = undefined;
    if (this.#unindexed !== undefined) {
      unmap(this.#unindexed.address, this.#unindexed.bytes);
      this.#unindexed.file.close();
    }
    this.#unindexed = undefined;
    this.#data = undefined;
  }
}

/** Room for the index of the largest ring that makes sense (some 200 000 slots), bytes; only mapped pages count. */
const INDEX_ROOM = 64 * 1024 * 1024;

function openOr(path: string, otherwise: Error): File {
  try {
    return File.open(path);
  } catch {
    throw otherwise; // neither index nor data: the ring is missing
  }
}

function isThere(path: string): boolean {
  try {
    File.open(path).close();
    return true;
  } catch {
    return false; // nor is it there for a reader without access
  }
}
