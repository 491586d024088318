import type { DaqContext } from "./context.ts";

const CLEAR_LINE = "\r\x1b[K";

/** The last line of a terminal, drawn again and again, below what is logged meanwhile. */
export class DrawnLine implements Disposable {
  readonly #context: DaqContext;
  #text = "";

  constructor(context: DaqContext) {
    this.#context = context;
  }

  /** Draws the line; nothing where stderr is no terminal. */
  draw(text: string): void {
    if (!this.#context.interactive) return;
    this.#text = text.slice(0, this.#context.width() - 1);
    this.#context.err(CLEAR_LINE + this.#text);
  }

  /** Writes whole lines above it. */
  log(text: string): void {
    this.#context.err(this.#text === "" ? text : CLEAR_LINE + text + this.#text);
  }

  /** Removes it. */
  [Symbol.dispose](): void {
    if (this.#text !== "") this.#context.err(CLEAR_LINE);
    this.#text = "";
  }
}
