/**
 * The queue of jobs between the assembler's thread and a converter Worker, on shared memory.
 *
 * Layout, i32 each: submitted, completed, then a ring of jobs of eight numbers (operation, module, frame
 * slot, image slot, missing packets, bank; and what came of it: saturated pixels, pixels of invalid
 * gain). One thread submits, one works.
 *
 * @module
 */
import type { InvalidPixels } from "../kernels/mod.ts";
import { type Converters, type ConvertJob, doJob } from "./converters.ts";
import type { ModuleConverter } from "./module_converter.ts";

const SUBMITTED = 0;
const COMPLETED = 1;
const JOBS_AT = 16;
const JOB_WORDS = 8;
/** Where a job's result is among its numbers. */
const RESULT = 6;
const CAPACITY = 4096; // more than open images × modules of a Worker can need; submit waits when full
const WORDS = JOBS_AT + CAPACITY * JOB_WORDS;

const CONVERT = 0;
const BLANK = 1;
const ATTACH = 2;

/** A queue's memory: shared between the two threads. */
export function makeConverterQueue(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * 4);
}

/** The Worker's side: does jobs until told to stop. */
export function runConverter(
  queue: SharedArrayBuffer,
  bell: SharedArrayBuffer,
  converter: ModuleConverter,
  stopping: () => boolean,
): void {
  const words = new Int32Array(queue);
  const doneBell = new Int32Array(bell);
  let done = Atomics.load(words, COMPLETED);
  while (!stopping()) {
    if (Atomics.load(words, SUBMITTED) === done) {
      Atomics.wait(words, SUBMITTED, done, 20);
      continue;
    }
    const at = JOBS_AT + ((done >>> 0) % CAPACITY) * JOB_WORDS;
    const module = words[at + 1]!;
    if (words[at] === ATTACH) converter.attach(module);
    else {
      const { saturated, invalidGain } = doJob(converter, {
        operation: words[at] === CONVERT ? "convert" : "blank",
        module,
        frameSlot: words[at + 2]!,
        imageSlot: words[at + 3]!,
        missingPackets: words[at + 4]!,
        bank: words[at + 5] === 1 ? 1 : 0,
      });
      words[at + RESULT] = saturated;
      words[at + RESULT + 1] = invalidGain;
    }
    done = (done + 1) | 0;
    Atomics.store(words, COMPLETED, done);
    Atomics.add(doneBell, 0, 1);
    Atomics.notify(doneBell, 0);
  }
}

/** One Worker as the assembler sees it. */
interface Lane {
  words: Int32Array;
  /** `done` callbacks of submitted jobs, in order. */
  waiting: ((invalid: InvalidPixels) => void)[];
  completed: number;
}

/** Spreads jobs over Workers, each responsible for its own modules. */
export class WorkerConverters implements Converters {
  readonly #lanes: Lane[];
  readonly #laneOf: readonly number[];
  readonly #bell: Int32Array;

  /**
   * @param queues One queue per Worker.
   * @param bell Four bytes that all Workers ring when they have done a job.
   * @param laneOf Worker of each module.
   */
  constructor(
    queues: readonly SharedArrayBuffer[],
    bell: SharedArrayBuffer,
    laneOf: readonly number[],
  ) {
    this.#lanes = queues.map((queue) => ({
      words: new Int32Array(queue),
      waiting: [],
      completed: 0,
    }));
    this.#laneOf = laneOf;
    this.#bell = new Int32Array(bell);
  }

  submit(job: ConvertJob): void {
    const operation = job.operation === "convert" ? CONVERT : BLANK;
    const { module, frameSlot, imageSlot, missingPackets, bank } = job;
    this.#push(
      [operation, module, frameSlot, imageSlot, missingPackets, bank],
      (invalid) => job.done(invalid),
    );
  }

  poll(): number {
    let pending = 0;
    for (const lane of this.#lanes) {
      const completed = Atomics.load(lane.words, COMPLETED);
      while (lane.completed !== completed) {
        const at = JOBS_AT + ((lane.completed >>> 0) % CAPACITY) * JOB_WORDS + RESULT;
        lane.completed = (lane.completed + 1) | 0;
        lane.waiting.shift()!({ saturated: lane.words[at]!, invalidGain: lane.words[at + 1]! });
      }
      pending += lane.waiting.length;
    }
    return pending;
  }

  wait(): void {
    const before = Atomics.load(this.#bell, 0);
    const idle = this.#lanes.every((lane) =>
      Atomics.load(lane.words, COMPLETED) === lane.completed
    );
    if (idle) Atomics.wait(this.#bell, 0, before, 1);
  }

  attach(module: number): void {
    this.#push([ATTACH, module, 0, 0, 0, 0], () => {});
  }

  /** Submits a job: its first six numbers. */
  #push(
    job: [operation: number, module: number, ...rest: [number, number, number, number]],
    done: (invalid: InvalidPixels) => void,
  ): void {
    const lane = this.#lanes[this.#laneOf[job[1]]!]!;
    while (lane.waiting.length >= CAPACITY) {
      this.wait();
      this.poll();
    }
    const submitted = Atomics.load(lane.words, SUBMITTED);
    const at = JOBS_AT + ((submitted >>> 0) % CAPACITY) * JOB_WORDS;
    lane.words.set(job, at);
    lane.waiting.push(done);
    Atomics.store(lane.words, SUBMITTED, (submitted + 1) | 0);
    Atomics.notify(lane.words, SUBMITTED);
  }
}
