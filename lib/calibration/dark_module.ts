/**
 * One module in a pedestal run: its frame ring, and what of it counts.
 *
 * @module
 */
import type { GainCode } from "../kernels/mod.ts";
import { File } from "../os/mod.ts";
import {
  indexMemoryBytes,
  indexPath,
  RingFollower,
  RingMissingError,
  RingReader,
  type RingRecord,
  SharedMemory,
} from "../ring/mod.ts";
import { PedestalAccumulator, type StagePedestal } from "./pedestal_accumulator.ts";

/** Largest ring that can be followed, slots; address space is reserved, not used, up to that. */
const MOST_SLOTS = 65_536;

/** Why frames were left out while a gain was being recorded. */
export interface SkippedFrames {
  /** Packets were missing. */
  incomplete: number;
  /** Overwritten before or while they were copied: the frames come faster than they are read. */
  overwritten: number;
  /** Most pixels had another gain. */
  otherGain: number;
  /** The first ones of the right gain, which may not be settled. */
  settling: number;
}

/** What was recorded of a module in one gain. */
export interface RecordedStage {
  /** Its pedestals. */
  readonly pedestal: StagePedestal;
  /** Ids of the frames they are made of, in the order of their arrival. */
  readonly imageIds: BigUint64Array<ArrayBuffer>;
  /** First packet of the first of these frames, ns since 1970. */
  readonly firstNs: bigint;
  /** Last packet of the last one, ns since 1970. */
  readonly lastNs: bigint;
  /** Frames that were left out. */
  readonly skipped: Readonly<SkippedFrames>;
}

/** What a {@link DarkModule} needs to know. */
export interface DarkModuleOptions {
  /** Name of the module's frame ring. */
  readonly ring: string;
  /** Pixels of the module, u16 each in the ring. */
  readonly pixels: number;
  /** Frames to take of each gain. */
  readonly frames: number;
  /** Frames to leave out after the gain has become right. */
  readonly settle: number;
}

/**
 * Takes dark frames of one module from its ring, gain by gain. A frame is copied out of the ring
 * once and looked at there; only if its slot was not written meanwhile does it count.
 */
export class DarkModule implements Disposable {
  /** Frames left out since {@link DarkModule.begin}. */
  skipped: SkippedFrames = { incomplete: 0, overwritten: 0, otherGain: 0, settling: 0 };
  /** Gain code of most pixels in the last frame that was looked at. */
  lastCode: GainCode | undefined;
  readonly #options: DarkModuleOptions;
  readonly #accumulator: PedestalAccumulator;
  #imageIds: BigUint64Array<ArrayBuffer>;
  #firstNs = 0n;
  #lastNs = 0n;
  #code: GainCode = 0;
  /** Right frames in a row. */
  #inARow = 0;
  #follower: RingFollower | undefined;
  /** Room for an index, kept over attempts to attach. */
  #memory: SharedMemory | undefined;

  /** Reserves the memory; {@link attach} looks for the ring. */
  constructor(options: DarkModuleOptions) {
    this.#options = options;
    this.#accumulator = new PedestalAccumulator(options.pixels);
    this.#imageIds = new BigUint64Array(options.frames);
  }

  /** Frames that count since {@link begin}. */
  get frames(): number {
    return this.#accumulator.frames;
  }

  /** Whether there are enough frames. */
  get complete(): boolean {
    return this.frames === this.#options.frames;
  }

  /** Whether the ring is there. */
  get attached(): boolean {
    return this.#follower !== undefined && !this.#follower.reader.ended;
  }

  /** Starts with a gain: frames published from now on count if they have it. */
  begin(code: GainCode): void {
    this.#code = code;
    this.#inARow = 0;
    this.#imageIds = new BigUint64Array(this.#options.frames);
    this.skipped = { incomplete: 0, overwritten: 0, otherGain: 0, settling: 0 };
    this.#accumulator.begin(code);
    this.attach();
    this.#follower?.skipToEnd();
  }

  /**
   * Looks at frames that were published since the last call, `atMost` of them.
   *
   * @returns Whether there were any.
   * @throws {RingMismatchError} If the ring is not this module's.
   */
  poll(atMost: number): boolean {
    if (this.complete || !this.attach()) return false;
    const follower = this.#follower!;
    let n = 0;
    for (; n < atMost && !this.complete; n++) {
      const before = follower.overruns;
      const record = follower.next();
      this.skipped.overwritten += Number(follower.overruns - before);
      if (record === undefined) break;
      this.#take(follower.reader, record);
    }
    return n > 0;
  }

  /** What was recorded since {@link begin}. */
  finish(): RecordedStage {
    return {
      pedestal: this.#accumulator.finish(),
      imageIds: this.#imageIds.slice(0, this.frames),
      firstNs: this.#firstNs,
      lastNs: this.#lastNs,
      skipped: this.skipped,
    };
  }

  /**
   * Looks for the ring, if it is not attached.
   *
   * @returns Whether it is there.
   * @throws {RingMismatchError} If it is not this module's, or of another version.
   */
  attach(): boolean {
    if (this.attached) return true;
    this.#follower?.reader.close();
    this.#follower = undefined;
    if (!File.isThere(indexPath(this.#options.ring))) return false;
    this.#memory ??= new SharedMemory(indexMemoryBytes(MOST_SLOTS));
    try {
      const slotBytes = 2 * this.#options.pixels;
      const reader = RingReader.open(this.#memory, this.#options.ring, { slotBytes });
      this.#follower = new RingFollower(reader);
      this.#memory = undefined; // the next ring gets its own
      return true;
    } catch (error) {
      if (!(error instanceof RingMissingError)) throw error;
      this.#memory = undefined; // an index may be mapped there already
      return false;
    }
  }

  /** Detaches. */
  [Symbol.dispose](): void {
    this.#follower?.reader.close();
    this.#follower = undefined;
  }

  #take(reader: RingReader, record: RingRecord): void {
    const { skipped } = this;
    if (record.missingPackets > 0) {
      skipped.incomplete++;
      return;
    }
    reader.data.readAt(this.#accumulator.place, record.slot * reader.slotBytes);
    if (!reader.isIntact(record)) {
      skipped.overwritten++;
      return;
    }
    this.lastCode = this.#accumulator.dominantCode();
    if (this.lastCode !== this.#code) {
      skipped.otherGain++;
      this.#inARow = 0;
    } else if (++this.#inARow <= this.#options.settle) {
      skipped.settling++;
    } else {
      if (this.frames === 0) this.#firstNs = record.firstNs;
      this.#lastNs = record.completeNs;
      this.#imageIds[this.frames] = record.imageId;
      this.#accumulator.accept();
    }
  }
}
