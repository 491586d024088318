/**
 * What the agent leaves in the store: finished acquisitions, statuses and rates.
 *
 * @module
 */
import type { WriterStatus } from "../../lib/acquisition/mod.ts";
import { stringifyJson } from "../../lib/http/mod.ts";
import type { Store } from "../../lib/store/mod.ts";
import { writerBody } from "./api.ts";
import type { Rate } from "./rates.ts";

const PERIOD_MS = 1000;

/** What a recorder works with. */
export interface RecorderOptions {
  readonly store: Pick<Store, "addLog" | "addStats" | "addStatus">;
  readonly status: () => WriterStatus;
  readonly rates: () => { detector: Rate; writer: Rate };
  /** Told what the store refused of statuses and rates. */
  readonly onError: (error: unknown) => void;
  /** Told of an acquisition that is not in the store, as JSON of at most {@link LONGEST_JSON} characters. */
  readonly onUnlogged: (error: unknown, acquisition: string) => void;
}

/** An acquisition that lost images has their ids: up to so many characters of it are told. */
export const LONGEST_JSON = 16_384;

/** Writes to the store; nothing waits for it. */
export class Recorder implements Disposable {
  readonly #options: RecorderOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  /** The last run that was logged ended then, epoch s. */
  #logged: number | null;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#logged = options.status().acquisition.stats.stopTime;
    this.#timer = setInterval(() => this.sample(), PERIOD_MS);
  }

  /** Looks at a new status: an acquisition that has ended is logged, once. */
  changed(status: WriterStatus): void {
    const { stopTime } = status.acquisition.stats;
    if (stopTime === null || stopTime === this.#logged) return;
    this.#logged = stopTime;
    const { store, onUnlogged } = this.#options;
    const { acquisition } = writerBody(status);
    store.addLog(acquisition).catch((error) =>
      onUnlogged(error, stringifyJson(acquisition).slice(0, LONGEST_JSON))
    );
  }

  /** Adds status and rates as they are now; done once a second. */
  sample(): void {
    const { store, status, rates } = this.#options;
    const { detector, writer } = rates();
    this.#keep(store.addStatus(writerBody(status())));
    // `writes_per_second` is what readers of the original look for.
    const written = { ...writer, writes_per_second: writer.images_per_second };
    this.#keep(store.addStats({ detector, writer: written }));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #keep(stored: Promise<unknown>): void {
    stored.catch(this.#options.onError);
  }
}
