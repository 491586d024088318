/** A ring that exists but is not what was expected. */
export class RingMismatchError extends Error {
  /** The class's name. */
  override name = "RingMismatchError";
}

/** A ring that another live process writes. */
export class RingBusyError extends Error {
  /** The class's name. */
  override name = "RingBusyError";
}

/** A ring that does not fit into shared memory. */
export class RingSpaceError extends Error {
  /** The class's name. */
  override name = "RingSpaceError";
}

/** A ring that is not there (yet). */
export class RingMissingError extends Error {
  /** The class's name. */
  override name = "RingMissingError";
}
