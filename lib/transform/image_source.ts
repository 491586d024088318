/**
 * Follows an image ring, for a thread that blocks.
 *
 * @module
 */
import { type File, PAGE_BYTES } from "../os/mod.ts";
import { decodeImageMetadata, IMAGE_STATUS, type ImageMetadata } from "../protocol/mod.ts";
import {
  indexMemoryBytes,
  openForeignRing,
  RING_MARK_MEMORY_BYTES,
  type RingExpectation,
  RingFollower,
  RingMark,
  RingMismatchError,
  RingMissingError,
  RingReader,
  RingRecord,
  type RingWriter,
  SharedMemory,
} from "../ring/mod.ts";

/** An image of the source. */
export interface SourceImage {
  readonly metadata: ImageMetadata;
  /** What the index says of it; made up from the message where there is none. */
  readonly record: SourceRecord;
  /** Images before it that were overwritten before they could be looked at. */
  readonly overruns: bigint;
}

/** What is passed on of a record. */
export type SourceRecord = Pick<
  RingRecord,
  | "entry"
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

/** The process before us that followed the ring for the same purpose, and as what those after us find us. */
export interface FormerProcess {
  /** Name under which we say, in the header of the ring that is followed, how far we have got. */
  name: string;
  /** Whether it was killed, and left the ring that it made of the one that it followed. */
  killed: boolean;
  /** The image that it published last there. */
  lastPublished: RingRecord | undefined;
}

/** The ring to follow. */
export interface ImageSourceOptions extends Required<RingExpectation> {
  name: string;
  slots: number;
  /** Memory for the index and a mark, see {@link imageSourceBytes}. */
  memory: SharedMemory;
  /** For whom we go on; left out: for nobody, and nobody for us. */
  goesOnFor?: FormerProcess | undefined;
  /** Called when the ring's data file is there, or is another one than before. */
  onAttach(fd: number): void;
}

/** Room that an {@link ImageSource} takes in its memory, bytes. */
export function imageSourceBytes(slots: number): number {
  return indexMemoryBytes(slots) + RING_MARK_MEMORY_BYTES;
}

/** The process before us that wrote a ring. */
export function formerProcess(ring: RingWriter): FormerProcess {
  const { spec: { name, slots }, head, takenOver: killed } = ring;
  if (head === 0n) return { name, killed, lastPublished: undefined };
  using reader = RingReader.open(new SharedMemory(indexMemoryBytes(slots)), name);
  const record = new RingRecord(false);
  const found = reader.read(head - 1n, record) === "ok";
  return { name, killed, lastPublished: found ? record : undefined };
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
  #mark: RingMark | undefined;
  readonly #markAt: number;
  #unindexed: File | undefined;
  #nextAttempt = 0n;
  #overruns = 0n;
  /** The ring was seen missing, or attached: one that appears now is new. */
  #known = false;

  constructor(options: ImageSourceOptions) {
    this.#options = options;
    this.#markAt = options.memory.allocate(RING_MARK_MEMORY_BYTES, PAGE_BYTES);
  }

  /** Whether there is an index to follow: messages then only say when to look. */
  get indexed(): boolean {
    return this.#reader !== undefined;
  }

  /**
   * Images that were overwritten before they could be looked at, since the last image or call; none comes
   * after them yet.
   */
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
    const overruns = this.takeOverruns();
    return { metadata: decodeImageMetadata(record.metadata), record: { ...record }, overruns };
  }

  /** Notes that an image, and all before it, are done with: a process that comes after us goes on there. */
  done({ record }: SourceImage): void {
    if (this.#mark !== undefined) this.#mark.next = record.entry + 1n;
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
        entry: 0n,
        imageId,
        slot: Number(imageId % BigInt(this.#options.slots)),
        slotLock: 0n,
        status: IMAGE_STATUS[status],
        ...{ firstNs: now, completeNs: now, frameIndex: imageId },
        payloadBytes: size,
        ...{ missingPackets: 0, damagedPackets: 0, epoch: 0, maskLow: 0n, maskHigh: 0n },
        calibrationId,
      },
      overruns: 0n,
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
      reader = RingReader.open(memory, name, { slotBytes, dtype, height, width }, this.#indexAt);
    } catch (error) {
      if (!(error instanceof RingMissingError)) throw error;
      this.#known = true;
      return;
    }
    if (reader.slots !== slots) {
      reader.close();
      throw new RingMismatchError(
        `Ring ${name} has ${reader.slots} slots, this service was told ${slots}. ` +
          "Start both services with the same config and --image-slots.",
      );
    }
    this.#unindexed?.close();
    this.#unindexed = undefined;
    this.#reader = reader;
    this.#indexAt = reader.index.at;
    onAttach(reader.data.fd);
    this.#follower = new RingFollower(reader, this.#firstEntry(reader));
    this.#known = true;
  }

  /** Detaches. */
  [Symbol.dispose](): void {
    this.#detach();
    this.#unindexed?.close();
    this.#unindexed = undefined;
  }

  /**
   * The entry to begin with: where the former process left off. A ring that has appeared since, or while we
   * run, is new: none of its images is to be missed. Old images of any other are of no use.
   */
  #firstEntry(reader: RingReader): bigint {
    const { memory, goesOnFor: former } = this.#options;
    this.#mark = former && RingMark.claim(memory, this.#markAt, reader, former.name);
    const next = this.#mark?.next;
    if (next !== undefined) return this.#isPublished(reader, next) ? next + 1n : next;
    const isNew = this.#known || former?.killed && this.#mark !== undefined;
    const first = isNew ? 0n : reader.head;
    if (this.#mark !== undefined) this.#mark.next = first;
    return first;
  }

  /** Whether the former process was killed after it had published an entry, and before it moved its mark. */
  #isPublished(reader: RingReader, entry: bigint): boolean {
    const last = this.#options.goesOnFor?.lastPublished;
    const record = new RingRecord(false);
    if (last === undefined || reader.read(entry, record) !== "ok") return false;
    return (["imageId", "frameIndex", "epoch", "firstNs", "completeNs"] as const)
      .every((field) => record[field] === last[field]);
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
    this.#mark = undefined;
  }
}
