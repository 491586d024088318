/**
 * The queue of images between the writer's thread and a compressor Worker, on shared memory.
 *
 * Layout: i32 images submitted, i32 images done; then for each of {@link CHUNKS} images i64 address of
 * the image, i64 address of its chunk, i64 bytes of the chunk. One thread submits, one works; image n
 * uses place n mod {@link CHUNKS}.
 *
 * @module
 */
import {
  type CompressedImage,
  Compressor,
  type Compressors,
  type ImageFormat,
} from "./compressors.ts";

const SUBMITTED = 0;
const DONE = 1;
/** Images of one Worker under way: one is compressed while the one before is written. */
const CHUNKS = 2;
const PLACES_AT = 2; // i64
const PLACE_WORDS = 3;
const BYTES = 8 * (PLACES_AT + CHUNKS * PLACE_WORDS);
/** Longest sleep of a Worker between two looks at whether to stop, ms. */
const LONGEST_SLEEP_MS = 20;

/** What the two threads share. */
export interface CompressorQueue {
  /** The images of one Worker. */
  readonly images: SharedArrayBuffer;
  /** Four bytes, the same for all Workers, rung for every image that is done. */
  readonly bell: SharedArrayBuffer;
}

/** The queues of so many Workers. */
export function makeCompressorQueues(workers: number): CompressorQueue[] {
  const bell = new SharedArrayBuffer(4);
  return Array.from({ length: workers }, () => ({ images: new SharedArrayBuffer(BYTES), bell }));
}

/** The Worker's side: compresses images until told to stop. */
export function runCompressor(
  { images, bell }: CompressorQueue,
  format: ImageFormat,
  stopping: () => boolean,
): void {
  const compressor = new Compressor(format, CHUNKS);
  const counts = new Int32Array(images), places = new BigInt64Array(images);
  const doneBell = new Int32Array(bell);
  let done = Atomics.load(counts, DONE);
  while (!stopping()) {
    if (Atomics.load(counts, SUBMITTED) === done) {
      Atomics.wait(counts, SUBMITTED, done, LONGEST_SLEEP_MS);
      continue;
    }
    const chunk = placeOf(done);
    const at = PLACES_AT + chunk * PLACE_WORDS;
    const { address, bytes } = compressor.compress(places[at]!, chunk);
    places[at + 1] = address;
    places[at + 2] = BigInt(bytes);
    done = (done + 1) | 0;
    Atomics.store(counts, DONE, done);
    Atomics.add(doneBell, 0, 1);
    Atomics.notify(doneBell, 0);
  }
}

/** One Worker as the writer's thread sees it. */
interface Lane {
  counts: Int32Array;
  places: BigInt64Array;
  /** Images whose memory was freed. */
  released: number;
}

/** Gives images to Workers in turn. */
export class WorkerCompressors implements Compressors {
  readonly #lanes: Lane[];
  readonly #bell: Int32Array;
  #threads: number;
  /** Images submitted and released since {@link WorkerCompressors.use}. */
  #submitted = 0;
  #released = 0;

  /** @param queues One per Worker, at least one. */
  constructor(queues: readonly CompressorQueue[]) {
    this.#lanes = queues.map(({ images }) => ({
      counts: new Int32Array(images),
      places: new BigInt64Array(images),
      released: 0,
    }));
    this.#bell = new Int32Array(queues[0]!.bell);
    this.#threads = queues.length;
  }

  get capacity(): number {
    return CHUNKS * this.#threads;
  }

  use(threads: number): void {
    this.#threads = threads === 0 ? this.#lanes.length : Math.min(threads, this.#lanes.length);
    this.#submitted = this.#released = 0;
  }

  submit(address: bigint): void {
    const { counts, places } = this.#lane(this.#submitted++);
    const submitted = Atomics.load(counts, SUBMITTED);
    places[PLACES_AT + placeOf(submitted) * PLACE_WORDS] = address;
    Atomics.store(counts, SUBMITTED, (submitted + 1) | 0);
    Atomics.notify(counts, SUBMITTED);
  }

  oldest(): CompressedImage | undefined {
    if (this.#released === this.#submitted) return undefined;
    const { counts, places, released } = this.#lane(this.#released);
    if (Atomics.load(counts, DONE) === released) return undefined;
    const at = PLACES_AT + placeOf(released) * PLACE_WORDS;
    return { address: places[at + 1]!, bytes: Number(places[at + 2]!) };
  }

  release(): void {
    const lane = this.#lane(this.#released++);
    lane.released = (lane.released + 1) | 0;
  }

  wait(): void {
    const before = Atomics.load(this.#bell, 0);
    if (this.oldest() === undefined) Atomics.wait(this.#bell, 0, before, 1);
  }

  #lane(image: number): Lane {
    return this.#lanes[image % this.#threads]!;
  }
}

function placeOf(image: number): number {
  return (image >>> 0) % CHUNKS;
}
