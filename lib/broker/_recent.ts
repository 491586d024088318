/** The last so many keys: a set that forgets the oldest. */
export class Recent {
  readonly #keys = new Set<string>();
  readonly #limit: number;

  /** Remembers at most `limit` keys. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether it is remembered. */
  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Remembers it as the newest. */
  add(key: string): void {
    this.#keys.delete(key);
    this.#keys.add(key);
    for (const oldest of this.#keys) {
      if (this.#keys.size <= this.#limit) break;
      this.#keys.delete(oldest);
    }
  }

  /** Forgets it; tells whether it was there. */
  delete(key: string): boolean {
    return this.#keys.delete(key);
  }
}
