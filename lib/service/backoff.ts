/** How long to wait between restarts. */
export interface BackoffOptions {
  /** First wait, ms. Default 100. */
  firstMs?: number;
  /** Longest wait, ms. Default 5000. */
  maxMs?: number;
  /** A run that lasted this long starts the waits afresh, ms. Default 10 000. */
  resetAfterMs?: number;
}

/** Exponential waits between restarts: each twice the one before, up to a limit. */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #next: number;

  /** Starts with the shortest pause. */
  constructor(options: BackoffOptions = {}) {
    this.#options = { firstMs: 100, maxMs: 5_000, resetAfterMs: 10_000, ...options };
    this.#next = this.#options.firstMs;
  }

  /**
   * The wait before the next restart, ms.
   *
   * @param healthyMs How long the run that just ended had been healthy, ms.
   */
  next(healthyMs: number): number {
    const { firstMs, maxMs, resetAfterMs } = this.#options;
    if (healthyMs >= resetAfterMs) this.#next = firstMs;
    const wait = Math.min(this.#next, maxMs);
    this.#next = Math.min(2 * wait, maxMs);
    return wait;
  }
}
