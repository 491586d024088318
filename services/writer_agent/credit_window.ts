/**
 * The window of one file writer: no more images are at it unanswered than its credit says.
 *
 * @module
 */
import {
  REASON_NO_FILE,
  type WriterAnswer,
  type WriterCommand,
} from "../../lib/acquisition/mod.ts";
import { type Clock, SYSTEM_CLOCK, type WriterPort, type WriterPortHandlers } from "./ports.ts";

/** What a window follows. */
export interface CreditWindowOptions {
  /** Credit of a writer that has told none, images; asked for each of them. */
  defaultCredit(): number;
  /** The writer is lost when it owes the answer to an image for so long, ms. */
  readonly writerTimeoutMs: number;
  /** The same while it is at what may take minutes, ms. */
  readonly workTimeoutMs: number;
  readonly clock?: Clock;
}

/**
 * A writer to which no more images are sent than it has told that it takes ({@linkcode WriterAnswer.credit}).
 * The others wait here, in order, and what was sent after them waits behind them. An original, which answers no
 * image, is sent all of them.
 *
 * While its images wait other writers' go on, and their answers would hide that this one is silent: so that is
 * noticed here.
 */
export class CreditWindow implements WriterPort, Disposable {
  readonly #writer: WriterPort;
  readonly #options: CreditWindowOptions;
  readonly #clock: Clock;
  readonly #waiting = new Line<WriterCommand>();
  #handlers: WriterPortHandlers | undefined;
  /** What the writer told last. */
  #credit: number | undefined;
  /** Images that were sent and not answered. */
  #unanswered = 0;
  #answersImages = true;
  #isWorking = false;
  /** When the writer last said something, or began to owe an answer: monotonic ms. */
  #heardAt = 0;
  #cancelLook: (() => void) | undefined;

  /** @param writer Where commands go, and answers come from. */
  constructor(writer: WriterPort, options: CreditWindowOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
  }

  listen(handlers: WriterPortHandlers): void {
    this.#handlers = handlers;
    this.#writer.listen({
      onAnswer: (answer) => {
        this.#account(answer);
        this.#release(); // first: the writer is not to wait for what comes of its answer
        handlers.onAnswer(answer);
      },
      onWorking: (working) => {
        this.#isWorking = working;
        this.#heardAt = this.#now();
        handlers.onWorking(working);
      },
      onFailure: (reason) => {
        this.#forget();
        handlers.onFailure(reason);
      },
    });
  }

  send(command: WriterCommand): void {
    this.#waiting.add(command);
    this.#release();
  }

  dropUnsent(): void {
    this.#forget();
    this.#writer.dropUnsent();
  }

  /** Resolves when nothing waits for delivery; images that wait for credit are not on their way yet. */
  drained(): Promise<void> {
    return this.#writer.drained();
  }

  /** Looks after the writer no more. */
  [Symbol.dispose](): void {
    this.#forget();
  }

  /** Sends what may go, in order. */
  #release(): void {
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      if (next.action === "record_image" && !this.#hasRoom()) return;
      this.#waiting.shift();
      this.#note(next);
      this.#writer.send(next);
    }
  }

  #hasRoom(): boolean {
    if (!this.#answersImages) return true;
    return this.#unanswered < Math.max(1, this.#credit ?? this.#options.defaultCredit());
  }

  /** Takes down what is sent. */
  #note({ action }: WriterCommand): void {
    if (action === "create_file") {
      this.#unanswered = 0;
      this.#credit = undefined;
      this.#answersImages = true; // its answer tells
    }
    if (action !== "record_image" || !this.#answersImages) return;
    if (this.#unanswered++ > 0) return;
    this.#heardAt = this.#now();
    if (this.#cancelLook === undefined) this.#lookIn(this.#limitMs);
  }

  /** Takes down what is answered. */
  #account({ action, ok, reason, credit }: WriterAnswer): void {
    this.#heardAt = this.#now();
    if (credit !== undefined) this.#credit = credit;
    if (action === undefined) this.#answersImages = false;
    if (action === "record_image") this.#unanswered = Math.max(0, this.#unanswered - 1);
    // One that was started again does not know of what it owes.
    if (action === "close_file" || (!ok && reason.startsWith(REASON_NO_FILE))) this.#unanswered = 0;
  }

  /** Whether the writer still answers. */
  #look(): void {
    this.#cancelLook = undefined;
    if (this.#unanswered === 0) return;
    const leftMs = this.#heardAt + this.#limitMs - this.#now();
    if (leftMs > 0) return this.#lookIn(leftMs);
    const seconds = this.#limitMs / 1000;
    this.#forget();
    this.#handlers?.onFailure(`no answer from the file writer for ${seconds} s`);
  }

  /** Not too late either when the writer ends what takes minutes. */
  #lookIn(ms: number): void {
    const wait = Math.ceil(Math.min(ms, this.#options.writerTimeoutMs));
    this.#cancelLook = this.#clock.after(wait, () => this.#look());
  }

  #forget(): void {
    this.#waiting.clear();
    this.#unanswered = 0;
    this.#isWorking = false;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  get #limitMs(): number {
    const { writerTimeoutMs, workTimeoutMs } = this.#options;
    return this.#isWorking ? workTimeoutMs : writerTimeoutMs;
  }

  #now(): number {
    return this.#clock.now().monotonicMs;
  }
}

/** A queue; an array's `shift` would move all that is behind. */
class Line<T> {
  #items: T[] = [];
  #gone = 0;

  get first(): T | undefined {
    return this.#items[this.#gone];
  }

  add(item: T): void {
    this.#items.push(item);
  }

  shift(): void {
    this.#gone++;
    if (2 * this.#gone <= this.#items.length) return;
    this.#items = this.#items.slice(this.#gone);
    this.#gone = 0;
  }

  clear(): void {
    this.#items = [];
    this.#gone = 0;
  }
}
