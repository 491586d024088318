/**
 * The queue of images between a service's thread and one of its Workers, on shared memory.
 *
 * Layout, i32 each: submitted, completed, jobs left at which to ring; from 16 on places of eight numbers:
 * what to do (0 attach, 1 an image, 2 detach); slot, slot to go to, bytes, compressed (or the descriptors
 * of both files, and slots); and what came of it: bytes, compressed. One thread submits, one works; job n
 * uses place n mod {@link PLACES}.
 *
 * @module
 */
import type {
  RingFiles,
  SlotTransformer,
  TransformJob,
  TransformResult,
} from "./slot_transformer.ts";

const SUBMITTED = 0;
const COMPLETED = 1;
const RING_AT = 2;
const PLACES_AT = 16;
const PLACE_WORDS = 8;
/** Where a job's result is among its numbers. */
const RESULT = 5;
const ATTACH = 0;
const IMAGE = 1;
const DETACH = 2;
/** Images of a Worker under way, at most and by default: one is worked on, the others wait for it. */
const MOST_IMAGES = 8;
/** More than anybody has under way; the jobs of all Workers at once are waited for. */
const PLACES = 16; // a power of two, so that counts may wrap around
/** Longest sleep of a Worker between two looks at whether to stop, ms. */
const LONGEST_SLEEP_MS = 20;

/** What the two threads share. */
export interface TransformQueue {
  /** The jobs of one Worker. */
  readonly jobs: SharedArrayBuffer;
  /** Four bytes, the same for all Workers, rung when some of a Worker's jobs are done, and few are left. */
  readonly bell: SharedArrayBuffer;
}

/** The queues of so many Workers. */
export function makeTransformQueues(workers: number): TransformQueue[] {
  const bell = new SharedArrayBuffer(4);
  const bytes = 4 * (PLACES_AT + PLACES * PLACE_WORDS);
  return Array.from({ length: workers }, () => ({ jobs: new SharedArrayBuffer(bytes), bell }));
}

/**
 * The Worker's side: works until told to stop.
 *
 * @param onDamaged Told of images that are not what they should be.
 */
export function runTransformer(
  { jobs, bell }: TransformQueue,
  transformer: SlotTransformer,
  stopping: () => boolean,
  onDamaged: (slot: number, reason: string) => void,
): void {
  const words = new Int32Array(jobs), doneBell = new Int32Array(bell);
  let done = Atomics.load(words, COMPLETED);
  while (!stopping()) {
    if (Atomics.load(words, SUBMITTED) === done) {
      Atomics.wait(words, SUBMITTED, done, LONGEST_SLEEP_MS);
      continue;
    }
    const at = placeOf(done);
    const operation = words[at]!;
    const a = words[at + 1]!, b = words[at + 2]!, c = words[at + 3]!, d = words[at + 4]!;
    if (operation === ATTACH) transformer.attach({ from: a, to: b, slots: c });
    else if (operation === DETACH) transformer.detach();
    else {
      const job = { slot: a, toSlot: b, bytes: c >>> 0, compressed: d === 1 };
      const { bytes, compressed, reason } = transformer.transform(job);
      words[at + RESULT] = bytes;
      words[at + RESULT + 1] = compressed ? 1 : 0;
      if (reason !== undefined) onDamaged(a, reason);
    }
    done = (done + 1) | 0;
    Atomics.store(words, COMPLETED, done);
    if (((Atomics.load(words, SUBMITTED) - done) | 0) > words[RING_AT]!) continue;
    Atomics.add(doneBell, 0, 1);
    Atomics.notify(doneBell, 0);
  }
}

/** Who works on images; each is told of its end by {@link Hands.poll}. */
export interface Hands {
  /** Whether another image can be taken. */
  readonly free: boolean;
  /** Has rings mapped; returns when it is done, or the service is to stop. */
  attach(files: RingFiles): void;
  /** Starts an image; {@link Hands.free} was true. */
  submit(job: TransformJob, done: (result: TransformResult) => void): void;
  /** Tells of images that are done. */
  poll(): void;
  /** Blocks until an image may be done, at most so long, ms. */
  wait(milliseconds: number): void;
}

/** One Worker as the service's thread sees it. */
interface Lane {
  words: Int32Array;
  /** Told of the jobs under way, in order. */
  waiting: ((result: TransformResult) => void)[];
  completed: number;
}

/** Gives images to the Workers that have least to do. */
export class WorkerHands implements Hands {
  readonly #lanes: Lane[];
  readonly #bell: Int32Array;
  readonly #stopping: () => boolean;
  readonly #most: number;

  /**
   * A Worker rings when it has half of its images left, not after each. To wake a thread costs both of them
   * tens of microseconds: who is woken finds several images done, and has time for them until the Worker has
   * nothing to do.
   *
   * @param queues One per Worker, at least one.
   * @param stopping Whether the service is to stop: nobody is waited for any more.
   * @param most Images of a Worker under way, from 2 to 8.
   */
  constructor(
    queues: readonly TransformQueue[],
    stopping: () => boolean,
    most: number = MOST_IMAGES,
  ) {
    this.#stopping = stopping;
    this.#most = most;
    this.#lanes = queues.map(({ jobs }) => ({
      words: new Int32Array(jobs),
      waiting: [],
      completed: 0,
    }));
    for (const { words } of this.#lanes) Atomics.store(words, RING_AT, most >> 1);
    this.#bell = new Int32Array(queues[0]!.bell);
  }

  get free(): boolean {
    return this.#idlest.waiting.length < this.#most;
  }

  /** As {@link Hands.attach}; `files` may be others for each Worker, by its number. */
  attach(files: RingFiles | ((worker: number) => RingFiles)): void {
    this.#all((worker) => {
      const { from, to, slots } = typeof files === "function" ? files(worker) : files;
      return [ATTACH, from, to, slots, 0];
    });
  }

  /** Has the rings let go; returns when it is done, or the service is to stop. No image is under way. */
  detach(): void {
    this.#all(() => [DETACH, 0, 0, 0, 0]);
  }

  /** As {@link Hands.submit}; to a certain Worker, if its number is given. */
  submit(job: TransformJob, done: (result: TransformResult) => void, worker?: number): void {
    const { slot, toSlot, bytes, compressed } = job;
    const lane = worker === undefined ? this.#idlest : this.#lanes[worker]!;
    this.#push(lane, [IMAGE, slot, toSlot, bytes, compressed ? 1 : 0], done);
  }

  poll(): void {
    for (const lane of this.#lanes) {
      const completed = Atomics.load(lane.words, COMPLETED);
      while (lane.completed !== completed) {
        const at = placeOf(lane.completed) + RESULT;
        const bytes = lane.words[at]! >>> 0, compressed = lane.words[at + 1] === 1;
        lane.completed = (lane.completed + 1) | 0;
        lane.waiting.shift()!({ bytes, compressed });
      }
    }
  }

  wait(milliseconds: number): void {
    const before = Atomics.load(this.#bell, 0);
    const idle = this.#lanes.every(({ words, completed }) =>
      Atomics.load(words, COMPLETED) === completed
    );
    if (idle) Atomics.wait(this.#bell, 0, before, milliseconds);
  }

  get #idlest(): Lane {
    return this.#lanes.reduce((a, b) => b.waiting.length < a.waiting.length ? b : a);
  }

  /** Gives each Worker a job, and waits until all are done. */
  #all(job: (worker: number) => Job): void {
    let done = 0;
    this.#lanes.forEach((lane, worker) => this.#push(lane, job(worker), () => void done++));
    while (done < this.#lanes.length && !this.#stopping()) {
      this.wait(LONGEST_SLEEP_MS);
      this.poll();
    }
  }

  #push(lane: Lane, job: Job, done: (result: TransformResult) => void): void {
    const submitted = Atomics.load(lane.words, SUBMITTED);
    lane.words.set(job, placeOf(submitted));
    lane.waiting.push(done);
    Atomics.store(lane.words, SUBMITTED, (submitted + 1) | 0);
    Atomics.notify(lane.words, SUBMITTED);
  }
}

/** The first numbers of a place. */
type Job = [operation: number, a: number, b: number, c: number, d: number];

/** Where a job's numbers begin. */
function placeOf(job: number): number {
  return PLACES_AT + ((job >>> 0) % PLACES) * PLACE_WORDS;
}
