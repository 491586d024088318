/**
 * Follows an image ring, for a thread that blocks.
 *
 * @module
 */
import type { File } from "../os/mod.ts";
import { decodeImageMetadata, IMAGE_STATUS, type ImageMetadata } from "../protocol/mod.ts";
import {
  openForeignRing,
  type RingExpectation,
  RingFollower,
  RingMissingError,
  RingReader,
  type RingRecord,
  type SharedMemory,
} from "../ring/mod.ts";
import type { SourcePlace } from "./source_place.ts";

/** An image of the source. */
export interface SourceImage {
  readonly metadata: ImageMetadata;
  /** What the index says of it; made up from the message where there is none. */
  readonly record: SourceRecord;
}

/** What is passed on of a record. */
export interface SourceRecord extends RecordFacts {
  /** Its number in the ring; undefined where there is no index. */
  readonly entry?: bigint;
}

type RecordFacts = Pick<
  RingRecord,
  | "imageId"
  | "slot"
  | "slotLock"
  | "status"
  | "firstNs"
  | "completeNs"
  | "frameIndex"
  | "payloadBytes"
  | "missingPackets"
  | "damagedPackets"
  | "epoch"
  | "maskLow"
  | "maskHigh"
  | "calibrationId"
>;

/** The ring to follow. */
export interface ImageSourceOptions extends Required<RingExpectation> {
  name: string;
  slots: number;
  /** Memory for the index. */
  memory: SharedMemory;
  /** Where a former process was: what comes after it is wanted, too. */
  goesOnAt?: SourcePlace | undefined;
  /**
   * Called when the ring's data file is there, or is another one than before; with where it is followed from,
   * if it has an index.
   */
  onAttach(fd: number, from?: SourcePlace): void;
}

/** Distance of attempts to attach, ns. */
const ATTACH_EVERY_NS = 50_000_000n;

/**
 * Follows one image ring through all that can happen to it: not there yet, writer restarted, replaced,
 * or written by an original that keeps no index and tells of its images by messages only.
 */
export class ImageSource implements Disposable {
  readonly #options: ImageSourceOptions;
  #reader: RingReader | undefined;
  #follower: RingFollower | undefined;
  #indexAt: number | undefined;
  #unindexed: File | undefined;
  #nextAttempt = 0n;
  #overruns = 0n;
  /** The ring was seen missing, or attached: one that appears now is new. */
  #known = false;

  constructor(options: ImageSourceOptions) {
    this.#options = options;
  }

  /** Whether there is an index to follow: messages then only say when to look. */
  get indexed(): boolean {
    return this.#reader !== undefined;
  }

  /** Images that were overwritten before they could be looked at, since the last call. */
  takeOverruns(): bigint {
    const news = this.#overruns + (this.#follower?.takeOverruns() ?? 0n);
    this.#overruns = 0n;
    return news;
  }

  /**
   * The next image of the index, or undefined when there is none.
   *
   * @param now Time, ns; must not step back.
   * @param idle Whether all images are done with: only then a ring that has ended is let go.
   * @throws {RingMismatchError} If the ring is not as the config says.
   */
  next(now: bigint, idle: boolean): SourceImage | undefined {
    if (this.#reader === undefined && now >= this.#nextAttempt) {
      this.#nextAttempt = now + ATTACH_EVERY_NS;
      this.attach();
    }
    if (this.#reader === undefined || this.#follower === undefined) return undefined;
    const { ended } = this.#reader; // asked first: its last images come before its end
    const record = this.#follower.next();
    if (record === undefined) {
      if (ended && idle) this.#detach();
      return undefined;
    }
    return { metadata: decodeImageMetadata(record.metadata), record: { ...record } };
  }

  /**
   * The image of a message, of a service that keeps no index.
   *
   * @param now Time, ns since 1970.
   * @returns Undefined where there is an index, or no ring.
   */
  offered(message: Uint8Array, now: bigint): SourceImage | undefined {
    if (this.#reader !== undefined || !this.#attachUnindexed()) return undefined;
    const metadata = decodeImageMetadata(message);
    const { imageId, size, status, calibrationId = 0n } = metadata;
    return {
      metadata,
      record: {
        imageId,
        slot: Number(imageId % BigInt(this.#options.slots)),
        slotLock: 0n,
        status: IMAGE_STATUS[status],
        ...{ firstNs: now, completeNs: now, frameIndex: imageId },
        payloadBytes: size,
        ...{ missingPackets: 0, damagedPackets: 0, epoch: 0, maskLow: 0n, maskHigh: 0n },
        calibrationId,
      },
    };
  }

  /** Whether an image's bytes are still whole; to be asked after they were used. */
  isIntact(record: SourceRecord): boolean {
    return this.#reader === undefined || this.#reader.isIntact(record);
  }

  /**
   * Attaches to the ring if it is there; {@link next} tries again if it is not. Images published from
   * now on will not be missed, so call it before telling anyone that images are taken.
   *
   * @throws {RingMismatchError} If the ring is not as the config says.
   */
  attach(): void {
    if (this.#reader !== undefined) return;
    const { memory, name, slots, onAttach } = this.#options;
    const { slotBytes, dtype, height, width } = this.#options;
    let reader: RingReader;
    try {
      reader = RingReader.open(
        memory,
        name,
        { slots, slotBytes, dtype, height, width },
        this.#indexAt,
      );
    } catch (error) {
      if (!(error instanceof RingMissingError)) throw error;
      this.#known = true;
      return;
    }
    this.#unindexed?.close();
    this.#unindexed = undefined;
    this.#reader = reader;
    this.#indexAt = reader.index.at;
    const from = { ring: reader.id, next: this.#firstEntry(reader) };
    this.#follower = new RingFollower(reader, from.next);
    this.#known = true;
    onAttach(reader.data.fd, from);
  }

  /** Detaches. */
  [Symbol.dispose](): void {
    this.#detach();
    this.#unindexed?.close();
    this.#unindexed = undefined;
  }

  /**
   * The entry to begin with. A ring that appears while we run, or has since a former process was killed, is new:
   * none of its images is to be missed. Old images of another one are of no use.
   */
  #firstEntry(reader: RingReader): bigint {
    const { goesOnAt: former } = this.#options;
    if (this.#known) return 0n;
    if (former === undefined) return reader.head;
    return former.ring === reader.id ? former.next : 0n;
  }

  #attachUnindexed(): boolean {
    if (this.#unindexed !== undefined) return true;
    this.#unindexed = openForeignRing(this.#options);
    if (this.#unindexed !== undefined) this.#options.onAttach(this.#unindexed.fd);
    return this.#unindexed !== undefined;
  }

  #detach(): void {
    this.#overruns = this.takeOverruns();
    this.#reader?.close();
    this.#reader = undefined;
    this.#follower = undefined;
  }
}
