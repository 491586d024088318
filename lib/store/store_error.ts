/** The store could not be opened, reached or written. The message says which and what to do. */
export class StoreError extends Error {
  /** The class's name. */
  override readonly name: string = "StoreError";
}

/** An address or an id that cannot be one: what was asked for makes no sense, whatever the store says. */
export class StoreUsageError extends StoreError {
  /** The class's name. */
  override readonly name = "StoreUsageError";
}
