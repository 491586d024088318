/**
 * Where an assembler gets a module's frames from.
 *
 * @module
 */
import { Errno, File, OsError } from "../os/mod.ts";
import {
  dataBytes,
  dataPath,
  indexPath,
  RingFollower,
  RingMissingError,
  RingReader,
  type SharedMemory,
} from "../ring/mod.ts";

/** A frame, ready to be put into its image. */
export interface SourceFrame {
  /** Its entry in the ring; undefined when its writer has no index. */
  entry: bigint | undefined;
  imageId: bigint;
  slot: number;
  /** Lock of its slot; 0n when its writer has no index (an original receiver). */
  slotLock: bigint;
  missingPackets: number;
  damagedPackets: number;
  firstNs: bigint;
  completeNs: bigint;
  frameIndex: bigint;
  /** The stream started anew before this frame: another epoch or another writer. */
  restarted: boolean;
  /** The 64-byte frame struct. */
  message: Uint8Array;
}

/** An image that is in the image ring. */
export interface PublishedImage {
  imageId: bigint;
  /** The detector's own frame number. */
  frameIndex: bigint;
  /** When its first packet came, ns since 1970. */
  firstNs: bigint;
  /** When the last of its frames was complete, ns since 1970. */
  completeNs: bigint;
}

/** The ring a source follows. */
export interface ModuleSourceOptions {
  name: string;
  slotBytes: number;
  /** Slots, for writers without an index. */
  slots: number;
  /** Memory for the index. */
  memory: SharedMemory;
  /** The last image of a former assembler that was killed: frames up to it have been used. */
  resumeAfter?: PublishedImage | undefined;
  /** Called when the ring's data file is there, or is another one than before. */
  onAttach(): void;
}

/** Distance of attempts to attach, ns. */
const ATTACH_EVERY_NS = 50_000_000n;

/**
 * Follows the frame ring of one module through all that can happen to it: not there yet, writer
 * restarted, replaced, or written by one of the original's receivers, which keeps no index and tells of
 * its frames by messages only.
 */
export class ModuleSource implements Disposable {
  readonly #options: ModuleSourceOptions;
  #reader: RingReader | undefined;
  #follower: RingFollower | undefined;
  #indexAt: number | undefined;
  #nextAttempt = 0n;
  #epoch = 0;
  #session = 0n;
  #overruns = 0n;
  /** The next frame is the first of another ring. */
  #reattached = false;
  /** The ring was seen missing, or attached: one that appears now is new. */
  #known = false;
  #unindexed = false;
  #leftFrame: bigint | undefined;
  readonly #offered: SourceFrame[] = [];

  constructor(options: ModuleSourceOptions) {
    this.#options = options;
  }

  /** Whether frames can be read. */
  get attached(): boolean {
    return this.#reader !== undefined || this.#unindexed;
  }

  /** Whether the ring has an index. */
  get indexed(): boolean {
    return this.#reader !== undefined;
  }

  /** Frame number of the last image of a former assembler that stopped, as far as its mark tells. */
  get leftFrame(): bigint | undefined {
    return this.#leftFrame;
  }

  /**
   * Leaves the rest to the next assembler, as long as the ring is there.
   *
   * @param entry First entry of which no image was made; undefined: the next one.
   * @param frameIndex Frame number of the last image.
   */
  leaveOff(entry: bigint | undefined, frameIndex: bigint | undefined): void {
    if (this.#reader === undefined || this.#follower === undefined) return;
    this.#reader.leaveOff({ entry: entry ?? this.#follower.position, frameIndex });
  }

  /** Frames that were overwritten before they could be read, since the last call. */
  takeOverruns(): bigint {
    const news = this.#overruns + (this.#follower?.takeOverruns() ?? 0n);
    this.#overruns = 0n;
    return news;
  }

  /**
   * The next frame, or undefined when there is none.
   *
   * @throws {RingMismatchError} If the ring is not as the config says.
   */
  next(now: bigint): SourceFrame | undefined {
    if (this.#reader === undefined && now >= this.#nextAttempt) {
      this.#nextAttempt = now + ATTACH_EVERY_NS;
      this.attach();
    }
    if (this.#follower === undefined || this.#reader === undefined) return this.#offered.shift();
    const { ended } = this.#reader; // asked first: its last frames come before its end
    const record = this.#follower.next();
    if (record === undefined) {
      if (ended) this.#detach();
      return undefined;
    }
    const session = this.#reader.session;
    const restarted = this.#epoch !== 0 &&
      (this.#reattached || record.epoch !== this.#epoch || session !== this.#session);
    this.#reattached = false;
    this.#epoch = record.epoch;
    this.#session = session;
    return {
      entry: record.entry,
      imageId: record.imageId,
      slot: record.slot,
      slotLock: record.slotLock,
      missingPackets: record.missingPackets,
      damagedPackets: record.damagedPackets,
      firstNs: record.firstNs,
      completeNs: record.completeNs,
      frameIndex: record.frameIndex,
      restarted,
      message: record.metadata.slice(),
    };
  }

  /** Whether a frame's pixels are still whole; to be asked after they were used. */
  isIntact(frame: { readonly slot: number; readonly slotLock: bigint }): boolean {
    return this.#reader === undefined || this.#reader.isIntact(frame);
  }

  /** Takes a frame from the stream of a receiver that keeps no index. */
  offer(imageId: bigint, missingPackets: number, message: Uint8Array, now: bigint): void {
    if (this.#reader !== undefined || !this.#attachUnindexed()) return;
    this.#offered.push({
      entry: undefined,
      imageId,
      slot: Number(imageId % BigInt(this.#options.slots)),
      slotLock: 0n,
      missingPackets,
      damagedPackets: 0,
      firstNs: now,
      completeNs: now,
      frameIndex: imageId,
      restarted: false,
      message: message.slice(),
    });
  }

  /** Detaches. */
  [Symbol.dispose](): void {
    this.#detach();
  }

  /**
   * Attaches to the ring if it is there; {@link next} tries again if it is not. Frames published from
   * now on will not be missed, so call it before telling anyone that frames are taken.
   *
   * @throws {RingMismatchError} If the ring is not as the config says.
   */
  attach(): void {
    if (this.#reader !== undefined) return;
    const { memory, name, slots, slotBytes, resumeAfter, onAttach } = this.#options;
    let reader: RingReader;
    try {
      reader = RingReader.open(memory, name, { slots, slotBytes }, this.#indexAt);
    } catch (error) {
      if (!(error instanceof RingMissingError)) throw error;
      this.#known = true;
      return;
    }
    this.#reader = reader;
    this.#reattached = this.#indexAt !== undefined;
    this.#indexAt = reader.index.at;
    this.#unindexed = false;
    onAttach();
    // A ring that appears while we run is new: none of its frames is to be missed. Old frames of one
    // that was there before us are of use only when we go on for a former assembler.
    const oldest = reader.head > BigInt(reader.slots) ? reader.head - BigInt(reader.slots) : 0n;
    if (this.#known) this.#follower = new RingFollower(reader, oldest);
    else if (resumeAfter !== undefined) {
      this.#follower = this.#skipUsed(reader, oldest, resumeAfter);
    } else {
      const left = reader.takeLeftOff();
      this.#leftFrame = left?.frameIndex;
      this.#follower = new RingFollower(reader, left?.entry ?? reader.head);
    }
    this.#known = true;
  }

  /**
   * Skips the frames that a former assembler has put into images. Their image ids tell that only together
   * with their times: the detector may have started to count anew before that image, or after it.
   */
  #skipUsed(reader: RingReader, oldest: bigint, resumeAfter: PublishedImage): RingFollower {
    const follower = new RingFollower(reader, oldest);
    let usedEpoch: number | undefined; // that of the last image's frame
    for (let record = follower.next(); record !== undefined; record = follower.next()) {
      const { imageId, firstNs, epoch } = record;
      const earlier = firstNs < resumeAfter.firstNs;
      const meanwhile = firstNs <= resumeAfter.completeNs && imageId <= resumeAfter.imageId &&
        (usedEpoch === undefined || usedEpoch === epoch);
      if (earlier || meanwhile) {
        if (!earlier) usedEpoch = epoch;
        this.#epoch = epoch;
        this.#session = reader.session;
        continue;
      }
      if (this.#epoch === 0) {
        // Of the frames between, what was overwritten and what never came cannot be told apart any more.
        const { entry, frameIndex } = record;
        const between = frameIndex - resumeAfter.frameIndex - 1n;
        if (between > 0n) this.#overruns += between < entry ? between : entry;
      }
      return new RingFollower(reader, record.entry);
    }
    return follower;
  }

  #attachUnindexed(): boolean {
    if (this.#unindexed) return true;
    const { name, slotBytes, slots, onAttach } = this.#options;
    if (File.isThere(indexPath(name))) return false; // one with an index, being made or removed
    try {
      using file = File.open(dataPath(name));
      if (file.size() < dataBytes({ slotBytes, slots })) return false;
    } catch (error) {
      if (error instanceof OsError && error.errno === Errno.ENOENT) return false;
      throw error;
    }
    this.#unindexed = true;
    onAttach();
    return true;
  }

  #detach(): void {
    this.#overruns = this.takeOverruns();
    this.#reader?.close();
    this.#reader = undefined;
    this.#follower = undefined;
  }
}
