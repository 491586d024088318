/**
 * Stand-ins for the file writer and the image ring, for tests.
 *
 * @module
 */
import type { RingImage, WriterAnswer, WriterCommand } from "../../lib/acquisition/mod.ts";
import type { ImageSource, WriterPort, WriterPortHandlers } from "./ports.ts";

/** What a fake writer says to a command; undefined: nothing. */
export type Reaction = (command: WriterCommand, nWritten: number) => WriterAnswer | undefined;

/** Says yes to everything. */
export const WELL: Reaction = ({ action }, nWritten) => ({
  ok: true,
  reason: "",
  action,
  nWritten,
});

/** A file writer in this thread: answers in a later turn, as a real one does. */
export class FakeWriter implements WriterPort {
  /** Commands received. */
  readonly commands: WriterCommand[] = [];
  react: Reaction = WELL;
  #handlers: WriterPortHandlers | undefined;
  #nWritten = 0;

  listen(handlers: WriterPortHandlers): void {
    this.#handlers = handlers;
  }

  send(command: WriterCommand): void {
    this.commands.push(command);
    if (command.action === "create_file") this.#nWritten = 0;
    if (command.action === "record_image") this.#nWritten++;
    const answer = this.react(command, this.#nWritten);
    if (answer !== undefined) queueMicrotask(() => this.answer(answer));
  }

  /** Gives an answer now. */
  answer(answer: WriterAnswer): void {
    this.#handlers?.onAnswer(answer);
  }

  /** Says that it begins, or has ended, what may take minutes. */
  working(working: boolean): void {
    this.#handlers?.onWorking(working);
  }

  /** Loses what was sent to it. */
  fail(reason: string): void {
    this.#handlers?.onFailure(reason);
  }

  dropUnsent(): void {}

  drained(): Promise<void> {
    return Promise.resolve();
  }
}

/** Images that a test publishes. */
export class FakeImages implements ImageSource {
  slots: number | undefined = 8;
  /** Where the last sequence was to begin. */
  from: bigint | undefined;
  /** Images handed out. */
  taken = 0;
  #queue: RingImage[] = [];
  #next = 0;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;

  /** Publishes an image. */
  publish(skipped = 0): void {
    const imageId = BigInt(this.#queue.length);
    this.#queue.push({
      entry: imageId,
      skipped,
      metadata: {
        imageId,
        height: 2,
        width: 3,
        size: 12,
        dtype: "uint16",
        status: "good_image",
        compression: "none",
      },
    });
    this.#wake?.();
  }

  /** Breaks the sequence. */
  fail(error: Error): void {
    this.#failure = error;
    this.#wake?.();
  }

  follow(signal: AbortSignal, startImageId?: bigint): AsyncIterable<RingImage> {
    this.from = startImageId;
    this.#queue = [];
    this.#next = 0;
    return this.#images(signal);
  }

  async *#images(signal: AbortSignal): AsyncGenerator<RingImage, void, void> {
    signal.addEventListener("abort", () => this.#wake?.());
    while (!signal.aborted) {
      if (this.#failure !== undefined) throw this.#failure;
      const image = this.#queue[this.#next];
      if (image === undefined) {
        await new Promise<void>((resolve) => this.#wake = resolve);
        continue;
      }
      this.#next++;
      this.taken++;
      yield image;
    }
  }
}

/** Waits until something holds; for what has no event of its own. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`still waiting: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
