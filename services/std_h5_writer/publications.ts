/**
 * When what was written is made visible.
 *
 * @module
 */

/** Longest wait for an action, so that a stop is on time: ms. */
const LONGEST_WAIT_MS = 50;

/**
 * Publications are due so often, ns. Whoever is told "at least every second" gets that: the rest of the second is
 * for the action that is carried out when one is due, and for the publication itself.
 */
export const PUBLISH_EVERY_NS = 900_000_000n;

/**
 * The times at which publications are due: each so long after the one before was due, not after it was done,
 * so that they do not come later and later. Who takes long (fsync of a slow disk) has at least as much time
 * for images in between, up to a whole period.
 */
export class Publications {
  readonly #everyNs: bigint;
  readonly #clock: () => bigint;
  #dueNs: bigint;

  /**
   * The first is due after `everyNs`.
   *
   * @param clock A time that never steps, ns.
   */
  constructor(everyNs: bigint, clock: () => bigint) {
    this.#everyNs = everyNs;
    this.#clock = clock;
    this.#dueNs = clock() + everyNs;
  }

  /** How long to wait for an action, ms: at most until the next one is due. */
  get waitMs(): number {
    const leftMs = Number(this.#dueNs - this.#clock()) / 1e6;
    return Math.min(LONGEST_WAIT_MS, Math.max(0, leftMs));
  }

  /** Has it done if it is due; whether it was. */
  runIfDue(publish: () => void): boolean {
    const begin = this.#clock();
    if (begin < this.#dueNs) return false;
    publish();
    const end = this.#clock();
    const pause = end - begin < this.#everyNs ? end - begin : this.#everyNs;
    const next = this.#dueNs + this.#everyNs;
    this.#dueNs = next > end + pause ? next : end + pause;
    return true;
  }
}
