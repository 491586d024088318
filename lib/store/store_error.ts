/** The store could not be opened, reached or written. The message says which and what to do. */
export class StoreError extends Error {
  /** The class's name. */
  override readonly name = "StoreError";
}
