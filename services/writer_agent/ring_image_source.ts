/**
 * Images from the image ring: its index says what there is, the stream of `ImageMetadata` says when
 * to look. Without an index (the original's assembler) the stream is all there is.
 *
 * @module
 */
import type { RingImage } from "../../lib/acquisition/mod.ts";
import { File } from "../../lib/os/mod.ts";
import {
  COMPRESSED_SUFFIX,
  decodeImageMetadata,
  IMAGE_SUFFIX,
  imageRingName,
  imageStreamAddress,
} from "../../lib/protocol/mod.ts";
import {
  findImage,
  indexMemoryBytes,
  indexPath,
  RingFollower,
  RingMissingError,
  RingReader,
  SharedMemory,
} from "../../lib/ring/mod.ts";
import {
  TRANSFORM_LOSSES,
  type TransformCounter,
  transformCounterIndex,
} from "../../lib/transform/counters.ts";
import { Socket } from "../../lib/zmq/mod.ts";
import type { ImageSource } from "./ports.ts";

/** std-daq's high-water mark. */
const HIGH_WATER_MARK = 50_000;
/** Largest ring that can be followed, slots; the memory is reserved, not used, up to that. */
const MOST_SLOTS = 65_536;
/** A look at the index without being told to, ms: ZeroMQ may drop messages. */
const LOOK_INTERVAL_MS = 20;

/** Which images to follow. */
export interface RingImageSourceOptions {
  readonly detector: string;
  /** Folder of the ipc sockets; default /tmp. */
  readonly ipcFolder?: string | undefined;
  /** Images are those of the ring `<detector>-<suffix>`; default image. */
  readonly suffix?: string;
}

/** The images of a detector. Only one sequence is followed at a time. */
export class RingImageSource implements ImageSource, Disposable {
  readonly #ringName: string;
  /** What the ring's writer counts of images that never get into it. */
  readonly #losses: readonly TransformCounter[];
  readonly #bell: Socket;
  #reader: RingReader | undefined;
  /** Room for an index, kept over attempts to attach. */
  #memory: SharedMemory | undefined;

  /** @throws {ZmqError} If the stream's address is not usable. */
  constructor({ detector, ipcFolder, suffix = IMAGE_SUFFIX }: RingImageSourceOptions) {
    this.#ringName = imageRingName(detector, suffix);
    this.#losses = suffix === COMPRESSED_SUFFIX ? TRANSFORM_LOSSES : [];
    this.#bell = new Socket("SUB", { subscribe: "", receiveHighWaterMark: HIGH_WATER_MARK });
    this.#bell.connect(imageStreamAddress(detector, ipcFolder, suffix));
    this.#attach();
  }

  get slots(): number | undefined {
    return this.#reader?.slots;
  }

  follow(signal: AbortSignal, startImageId?: bigint): AsyncIterable<RingImage> {
    while (this.#bell.tryReceive() !== undefined); // images of before
    this.#attach();
    const entries = this.#reader && this.#entriesFrom(this.#reader, startImageId);
    return this.#images(signal, entries);
  }

  #entriesFrom(reader: RingReader, startImageId: bigint | undefined): Entries {
    if (startImageId === undefined) {
      return new Entries(new RingFollower(reader), this.#losses, "from now on");
    }
    const { entry, overwritten } = findImage(reader, startImageId);
    return new Entries(new RingFollower(reader, entry), this.#losses, "from now on", overwritten);
  }

  /** Detaches. */
  close(): void {
    this.#bell.close();
    this.#reader?.close();
    this.#reader = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async *#images(
    signal: AbortSignal,
    start: Entries | undefined,
  ): AsyncGenerator<RingImage, void, void> {
    let entries = start;
    while (!signal.aborted) {
      if (entries !== undefined) {
        yield* entries.published(signal);
        if (entries.ended) {
          // Its last entries may have come between the look and its end.
          yield* entries.published(signal);
          entries = undefined;
        }
      }
      // A ring that appears later is all of this sequence: it did not exist when it began.
      if (entries === undefined && this.#attach()) {
        entries = new Entries(new RingFollower(this.#open(), 0n), this.#losses, "all");
      }
      if (entries === undefined) yield* this.#announced(signal);
      else this.#silenceBell();
      await this.#waitForBell(signal);
    }
  }

  /** Images of the stream, as long as there is no ring index. */
  *#announced(signal: AbortSignal): Generator<RingImage, void, void> {
    while (!signal.aborted) {
      const bytes = this.#bell.tryReceive()?.[0];
      if (bytes === undefined) return;
      // Our assembler publishes in the index first: with a ring there, the index has this image.
      if (this.#attach()) return;
      yield { metadata: decodeImageMetadata(bytes), skipped: 0 };
    }
  }

  #silenceBell(): void {
    while (this.#bell.tryReceiveInto(SCRATCH) >= 0);
  }

  async #waitForBell(signal: AbortSignal): Promise<void> {
    try {
      await this.#bell.waitReadable({ signal, timeoutMs: LOOK_INTERVAL_MS });
    } catch (error) {
      const timedOut = error instanceof Error && "code" in error && error.code === "ETIMEDOUT";
      if (!timedOut && !signal.aborted) throw error;
    }
  }

  /**
   * Attaches to the ring if it is there, keeping one that is still in use.
   *
   * @throws {RingMismatchError} If it is of another version.
   */
  #attach(): boolean {
    if (this.#reader !== undefined && !this.#reader.ended) return true;
    this.#reader?.close();
    this.#reader = undefined;
    if (!File.isThere(indexPath(this.#ringName))) return false;
    this.#memory ??= new SharedMemory(indexMemoryBytes(MOST_SLOTS));
    try {
      this.#reader = RingReader.open(this.#memory, this.#ringName);
      this.#memory = undefined; // the next ring gets its own
      return true;
    } catch (error) {
      // Without its data file yet, an index is mapped already: its room is used up.
      if (error instanceof RingMissingError) return false;
      if (error instanceof RangeError) {
        this.#memory = undefined;
        return false;
      }
      throw error;
    }
  }

  #open(): RingReader {
    if (this.#reader === undefined) throw new TypeError("no ring attached");
    return this.#reader;
  }
}

/** Where unread messages go. */
const SCRATCH = new Uint8Array(1);

/** A ring's entries from some place on, and what was lost on the way into the ring. */
class Entries {
  readonly #follower: RingFollower;
  readonly #losses: readonly TransformCounter[];
  /** Losses that were told of. */
  #lost: bigint;
  /** Images before the first that are still to be told of as skipped. */
  #before: bigint;

  /**
   * @param losses Counters of the ring whose images are missing in it.
   * @param since Whose losses to tell.
   * @param before Images before the first that are wanted, and gone.
   */
  constructor(
    follower: RingFollower,
    losses: readonly TransformCounter[],
    since: "all" | "from now on",
    before = 0n,
  ) {
    this.#follower = follower;
    this.#losses = losses;
    this.#before = before;
    this.#lost = since === "all" ? 0n : this.#countLost();
  }

  get ended(): boolean {
    return this.#follower.reader.ended;
  }

  /** What was published since the last look. */
  *published(signal: AbortSignal): Generator<RingImage, void, void> {
    while (!signal.aborted) {
      const before = this.#follower.overruns;
      const record = this.#follower.next();
      if (record === undefined) return;
      const lost = this.#countLost();
      const skipped = this.#before + this.#follower.overruns - before + lost - this.#lost;
      this.#lost = lost;
      this.#before = 0n;
      yield {
        entry: record.entry,
        metadata: decodeImageMetadata(record.metadata),
        skipped: Number(skipped),
      };
    }
  }

  #countLost(): bigint {
    const { index } = this.#follower.reader;
    return this.#losses.reduce((sum, name) => sum + index.counter(transformCounterIndex(name)), 0n);
  }
}
