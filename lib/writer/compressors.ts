/**
 * Who compresses images of a ring: several Workers, or the calling thread.
 *
 * They work from the ring's slots, mapped into the kernels' memory, into a few slots of their own: the
 * hands of `lib/transform`.
 *
 * @module
 */
import type { ElementBytes } from "../kernels/mod.ts";
import { File, mapAnywhere, unmap } from "../os/mod.ts";
// Not by mod.ts: it brings ZeroMQ, which what merely reads or converts files may not load.
import {
  type RingFiles,
  SlotTransformer,
  type TransformResult,
  type TransformSetup,
} from "../transform/slot_transformer.ts";
import { type TransformQueue, WorkerHands } from "../transform/transform_queue.ts";

/** What images look like. */
export interface ImageFormat {
  /** Size of a pixel, bytes. */
  readonly elementBytes: ElementBytes;
  /** Size of an image, bytes. */
  readonly imageBytes: number;
}

/** The data file of a ring of images. */
export interface RingData {
  /** Its descriptor. */
  readonly fd: number;
  /** Its slots. */
  readonly slots: number;
}

/** A compressed image in this process's memory. */
export interface CompressedImage {
  /** Address of its first byte. */
  readonly address: bigint;
  /** Its size. */
  readonly bytes: number;
  /** Whether it is compressed: one that would not get smaller is left as it is. */
  readonly compressed: boolean;
}

/** Compresses images; they come back in the order in which they were submitted. */
export interface Compressors {
  /** Most images that can be under way. */
  readonly capacity: number;
  /**
   * Says on how many threads to work from now on; to be called when no image is under way.
   *
   * @param threads 0, or more than there are: all.
   */
  use(threads: number): void;
  /**
   * Maps a ring, if it is not mapped yet; to be called when no image of another one is under way.
   *
   * @throws {OsError} ENOMEM, …
   */
  attach(ring: RingData): void;
  /** Lets go of the ring; to be called when no image is under way. */
  detach(): void;
  /** Starts the image of a slot of the ring; fewer than {@link Compressors.capacity} are under way. */
  submit(slot: number): void;
  /**
   * An image under way, once it is done; undefined before.
   *
   * @param nth Which, from 0 for the oldest.
   */
  finished(nth: number): CompressedImage | undefined;
  /** Frees the memory of the oldest image under way, which was used. */
  release(): void;
  /** Blocks until an image may be done, at most a millisecond. */
  wait(): void;
}

/**
 * Images of one thread under way: while some are compressed, others wait to be written. With two, threads
 * had nothing to do whenever the writer's thread had to wait for a CPU.
 */
const CHUNKS = 4;

/** What the threads are told of the images. */
export function compressorSetup(format: ImageFormat): TransformSetup {
  return { operation: "compress", ...format, blockElements: 0, toSlots: CHUNKS };
}

/** Slots for the chunks of one thread. */
class ChunkSlots implements Disposable {
  readonly #file: File;
  readonly #address: bigint;
  readonly #imageBytes: number;
  #next = 0;

  constructor(imageBytes: number) {
    this.#imageBytes = imageBytes;
    this.#file = File.anonymous("std-daq-chunks", CHUNKS * imageBytes);
    this.#address = mapAnywhere(this.#file.fd, CHUNKS * imageBytes);
  }

  /** What a thread maps that compresses images of this ring into them. */
  filesFor({ fd, slots }: RingData): RingFiles {
    return { from: fd, to: this.#file.fd, slots };
  }

  /** Takes the slot that was taken longest ago. */
  take(): number {
    return this.#next++ % CHUNKS;
  }

  /** The image in a slot. */
  image(slot: number, { bytes, compressed }: TransformResult): CompressedImage {
    return { address: this.#address + BigInt(slot * this.#imageBytes), bytes, compressed };
  }

  [Symbol.dispose](): void {
    unmap(this.#address, CHUNKS * this.#imageBytes);
    this.#file.close();
  }
}

/** An image under way. */
interface Work {
  worker: number;
  slot: number;
  result: TransformResult | undefined;
}

/** Gives images to Workers, each to one that has least to do. */
export class WorkerCompressors implements Compressors, Disposable {
  readonly #format: ImageFormat;
  readonly #hands: WorkerHands;
  readonly #workers: number;
  /** Each Worker's; made when there is something to compress. */
  #chunks: ChunkSlots[] = [];
  #threads: number;
  #ring: RingData | undefined;
  /** Images under way, oldest first. */
  readonly #work: Work[] = [];

  /**
   * @param queues One per Worker, at least one.
   * @param stopping Whether the service is to stop: nobody is waited for any more.
   */
  constructor(
    format: ImageFormat,
    queues: readonly TransformQueue[],
    stopping: () => boolean = () => false,
  ) {
    this.#format = format;
    this.#hands = new WorkerHands(queues, stopping, CHUNKS);
    this.#workers = this.#threads = queues.length;
  }

  get capacity(): number {
    return CHUNKS * this.#threads;
  }

  use(threads: number): void {
    this.#threads = threads === 0 ? this.#workers : Math.min(threads, this.#workers);
  }

  attach(ring: RingData): void {
    if (ring === this.#ring) return;
    while (this.#chunks.length < this.#workers) {
      this.#chunks.push(new ChunkSlots(this.#format.imageBytes));
    }
    this.#hands.attach((worker) => this.#chunks[worker]!.filesFor(ring));
    this.#ring = ring;
  }

  detach(): void {
    if (this.#ring !== undefined) this.#hands.detach();
    this.#ring = undefined;
  }

  submit(slot: number): void {
    const worker = this.#idlest();
    const toSlot = this.#chunks[worker]!.take();
    const work: Work = { worker, slot: toSlot, result: undefined };
    this.#work.push(work);
    const job = { slot, toSlot, bytes: this.#format.imageBytes, compressed: false };
    this.#hands.submit(job, (result) => work.result = result, worker);
  }

  finished(nth: number): CompressedImage | undefined {
    const work = this.#work[nth];
    if (work === undefined) return undefined;
    this.#hands.poll();
    return work.result && this.#chunks[work.worker]!.image(work.slot, work.result);
  }

  release(): void {
    this.#work.shift();
  }

  wait(): void {
    if (this.finished(0) === undefined) this.#hands.wait(1);
  }

  /** Frees the chunks' memory, as far as it is this thread's. */
  [Symbol.dispose](): void {
    for (const each of this.#chunks.splice(0)) each[Symbol.dispose]();
  }

  /** The Worker, of those in use, with the fewest images under way. */
  #idlest(): number {
    const busy = new Array<number>(this.#threads).fill(0);
    for (const { worker } of this.#work) busy[worker]!++;
    return busy.indexOf(Math.min(...busy));
  }
}

/** Compresses at once, in the calling thread. */
export class InlineCompressors implements Compressors, Disposable {
  readonly capacity = 1;
  readonly #format: ImageFormat;
  readonly #transformer: SlotTransformer;
  #chunks: ChunkSlots | undefined;
  #ring: RingData | undefined;
  #done: CompressedImage | undefined;

  constructor(format: ImageFormat) {
    this.#format = format;
    this.#transformer = new SlotTransformer(compressorSetup(format));
  }

  use(): void {}

  attach(ring: RingData): void {
    if (ring === this.#ring) return;
    this.#chunks ??= new ChunkSlots(this.#format.imageBytes);
    this.#transformer.attach(this.#chunks.filesFor(ring));
    this.#ring = ring;
  }

  detach(): void {
    this.#transformer.detach();
    this.#ring = undefined;
  }

  submit(slot: number): void {
    const chunks = this.#chunks!; // attached before
    const toSlot = chunks.take(), bytes = this.#format.imageBytes;
    const result = this.#transformer.transform({ slot, toSlot, bytes, compressed: false });
    this.#done = chunks.image(toSlot, result);
  }

  finished(): CompressedImage | undefined {
    return this.#done;
  }

  release(): void {
    this.#done = undefined;
  }

  wait(): void {}

  [Symbol.dispose](): void {
    this.#chunks?.[Symbol.dispose]();
  }
}
