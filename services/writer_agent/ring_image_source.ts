/**
 * Images from the image ring: its index says what there is, the stream of `ImageMetadata` says when
 * to look. Without an index (the original's assembler) the stream is all there is.
 *
 * @module
 */
import type { RingImage } from "../../lib/acquisition/mod.ts";
import { Errno, File, OsError } from "../../lib/os/mod.ts";
import { decodeImageMetadata, imageRingName, imageStreamAddress } from "../../lib/protocol/mod.ts";
import {
  indexMemoryBytes,
  indexPath,
  RingFollower,
  RingMissingError,
  RingReader,
  SharedMemory,
} from "../../lib/ring/mod.ts";
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
}

/** The images of a detector. Only one sequence is followed at a time. */
export class RingImageSource implements ImageSource, Disposable {
  readonly #ringName: string;
  readonly #bell: Socket;
  #reader: RingReader | undefined;
  /** Room for an index, kept over attempts to attach. */
  #memory: SharedMemory | undefined;

  /** @throws {ZmqError} If the stream's address is not usable. */
  constructor({ detector, ipcFolder }: RingImageSourceOptions) {
    this.#ringName = imageRingName(detector);
    this.#bell = new Socket("SUB", { subscribe: "", receiveHighWaterMark: HIGH_WATER_MARK });
    this.#bell.connect(imageStreamAddress(detector, ipcFolder));
    this.#attach();
  }

  get slots(): number | undefined {
    return this.#reader?.slots;
  }

  follow(signal: AbortSignal): AsyncIterable<RingImage> {
    while (this.#bell.tryReceive() !== undefined); // images of before
    this.#attach();
    const follower = this.#reader === undefined ? undefined : new RingFollower(this.#reader);
    return this.#images(signal, follower);
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
    start: RingFollower | undefined,
  ): AsyncGenerator<RingImage, void, void> {
    let follower = start;
    while (!signal.aborted) {
      if (follower !== undefined) {
        yield* newEntries(follower, signal);
        if (follower.reader.ended) {
          // Its last entries may have come between the look and its end.
          yield* newEntries(follower, signal);
          follower = undefined;
        }
      }
      // A ring that appears later is all of this sequence: it did not exist when it began.
      if (follower === undefined && this.#attach()) follower = new RingFollower(this.#open(), 0n);
      if (follower === undefined) yield* this.#announced(signal);
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
    if (!exists(indexPath(this.#ringName))) return false;
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

/** Asked for often: costs one system call where a ring's absence is normal. */
function exists(path: string): boolean {
  try {
    File.open(path).close();
    return true;
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return false;
    throw error;
  }
}

/** What was published since the last look. */
function* newEntries(
  follower: RingFollower,
  signal: AbortSignal,
): Generator<RingImage, void, void> {
  while (!signal.aborted) {
    const before = follower.overruns;
    const record = follower.next();
    if (record === undefined) return;
    yield {
      entry: record.entry,
      metadata: decodeImageMetadata(record.metadata),
      skipped: Number(follower.overruns - before),
    };
  }
}
