/**
 * The way back to the writer agent.
 *
 * @module
 */
import { REASON_NO_FILE } from "../../lib/acquisition/writer_reasons.ts";
import { encodeWriterResponse, type WriterResponse } from "../../lib/protocol/mod.ts";
import type { Socket } from "../../lib/zmq/mod.ts";

/** What answers are sent with. */
export interface AnswersOptions {
  /** A PUSH socket. */
  socket: Socket;
  /** Longest wait for an agent that has just started, and is not connected yet: ms. */
  limitMs: number;
  /** Whether the service is to stop: nobody is waited for then. */
  isStopping(): boolean;
  /** Takes a line for the log. */
  log(level: "warning" | "error", message: string, fields?: Record<string, unknown>): void;
}

/** Sends answers in order, and logs those that tell of a failure. */
export class Answers {
  readonly #options: AnswersOptions;
  /** Images in a row that were refused. */
  #refused = 0;
  /** Answers in a row that nobody took. */
  #untaken = 0;

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /**
   * Sends an answer, or gives it up: that of an image at once when the one before was not taken either. An
   * agent that is gone has left orders, and as many waits would keep the images from the file; one that has
   * just started begins with another action.
   */
  send(answer: WriterResponse): void {
    this.#logRefusal(answer);
    const { socket, limitMs, isStopping } = this.#options;
    const isHopeless = answer.action === "record_image" && this.#untaken > 0;
    const waitMs = isStopping() || isHopeless ? 0 : limitMs;
    this.#logUntaken(answer, socket.sendBlocking(encodeWriterResponse(answer), waitMs));
  }

  /** Tells that the writer begins (true), or has ended (false), what may take minutes: to an agent that is there. */
  tellWorking(working: boolean): void {
    this.#options.socket.trySend(encodeWriterResponse({ code: "unknown", reason: "", working }));
  }

  /** Tells of the first image that is refused, and of how many followed. */
  #logRefusal(answer: WriterResponse): void {
    const { log } = this.#options;
    const isImage = answer.action === "record_image", failed = isFailure(answer);
    if (failed && (!isImage || this.#refused === 0)) {
      log("warning", `${answer.action}: ${answer.reason}`);
    }
    if (this.#refused > 1 && !(isImage && failed)) {
      log("warning", `${this.#refused - 1} more images in a row were not written`);
    }
    this.#refused = isImage && failed ? this.#refused + 1 : 0;
  }

  /** Likewise of answers that are not taken. */
  #logUntaken({ action }: WriterResponse, taken: boolean): void {
    const { log } = this.#options;
    if (!taken && this.#untaken === 0) {
      log("error", "an answer could not be sent: the writer agent takes none", { action });
    }
    if (taken && this.#untaken > 1) {
      log("error", `${this.#untaken - 1} more answers in a row could not be sent`);
    }
    this.#untaken = taken ? 0 : this.#untaken + 1;
  }
}

/** An agent that starts has a file closed that another one may have left: that there is none is well. */
function isFailure({ code, action, reason }: WriterResponse): boolean {
  return code !== "success" && !(action === "close_file" && reason === REASON_NO_FILE);
}
