/** An error as plain data: for a JSON log line, or to cross from a worker to the main thread. */
export interface ErrorDescription {
  /** The error's class, e.g. `OsError`. */
  name: string;
  /** What happened, in words. */
  message: string;
  /** Where, if known. */
  stack?: string;
  /** Symbolic code, e.g. `ENOSPC`, where the error has one. */
  code?: string;
  /** The error behind it. */
  cause?: ErrorDescription;
}

/** At most this many causes are followed: a chain may be a circle. */
const MAX_CAUSES = 16;

/**
 * Describes what was thrown.
 *
 * @param error Anything; what is not an `Error` becomes one by its text.
 */
export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack, cause } = error;
  const description: ErrorDescription = { name, message };
  if (stack !== undefined) description.stack = stack;
  if ("code" in error && typeof error.code === "string") description.code = error.code;
  if (cause !== undefined && depth < MAX_CAUSES) {
    description.cause = describeError(cause, depth + 1);
  }
  return description;
}

/**
 * The inverse of {@link describeError}: an `Error` with the name, stack, code and causes described.
 *
 * @param description What `describeError` gave, perhaps in another thread.
 */
export function restoreError(description: ErrorDescription): Error {
  const { name, message, stack, code, cause } = description;
  const error = new Error(message, cause && { cause: restoreError(cause) });
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}
