/**
 * What the agent leaves in the store: finished acquisitions, statuses and rates.
 *
 * @module
 */
import type { AcquisitionStatus, WriterStatus } from "../../lib/acquisition/mod.ts";
import { stringifyJson } from "../../lib/http/mod.ts";
import { atMost } from "../../lib/os/at_most.ts";
import type { Store } from "../../lib/store/mod.ts";
import { writerBody } from "./api.ts";
import { REMEMBERED_RUNS } from "./controller.ts";
import type { Rate } from "./rates.ts";

const PERIOD_MS = 1000;
/** Who asks for the status waits no longer for a store that is slow, ms. */
const REPORTS_LIMIT_MS = 500;

/** What a recorder works with. */
export interface RecorderOptions {
  readonly store: Pick<Store, "addLog" | "addStats" | "addStatus" | "problem" | "reports">;
  readonly status: () => WriterStatus;
  readonly rates: () => { detector: Rate; writer: Rate };
  /** Told what the store refused of statuses and rates, and of reports when they are asked for. */
  readonly onError: (error: unknown) => void;
  /** Told of an acquisition that is not in the store, as JSON of at most {@link LONGEST_JSON} characters. */
  readonly onUnlogged: (error: unknown, acquisition: string) => void;
}

/** An acquisition that lost images has their ids: up to so many characters of it are told. */
export const LONGEST_JSON = 16_384;

/** A run that is in the store. */
interface LoggedRun {
  readonly runId: bigint;
  readonly stopTime: number;
  /** Id of its entry. */
  readonly logId: string;
  /** What is known of it so far, the oldest first. */
  reports: readonly unknown[];
}

/** Writes to the store; nothing waits for it. */
export class Recorder implements Disposable {
  readonly #options: RecorderOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  /** The last run that was logged ended then, epoch s. */
  #logged: number | null;
  /** The last runs that are in the store, the latest first. */
  #runs: readonly LoggedRun[] = [];

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
    const { runId } = status.acquisition.info;
    store.addLog(acquisition).then(
      (logId) => {
        const run = { runId, stopTime, logId, reports: [] };
        this.#runs = [run, ...this.#runs].slice(0, REMEMBERED_RUNS);
      },
      (error) => onUnlogged(error, stringifyJson(acquisition).slice(0, LONGEST_JSON)),
    );
  }

  /**
   * What services have said of a run since it ended, the oldest first. While the store is away, or slow, what
   * was known before.
   */
  async reportsOn({ info, stats }: AcquisitionStatus): Promise<readonly unknown[]> {
    const { store, onError } = this.#options;
    const run = this.#runs.find(({ runId, stopTime }) =>
      runId === info.runId && stopTime === stats.stopTime
    );
    if (run === undefined) return [];
    if (store.problem === null) {
      const reading = store.reports(run.logId).then((entries) => {
        run.reports = entries.map(({ value }) => value).filter((value) => value !== undefined)
          .toReversed();
      }).catch(onError);
      await atMost(REPORTS_LIMIT_MS, reading);
    }
    return run.reports;
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
