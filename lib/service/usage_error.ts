/**
 * A command line that parses but makes no sense, such as a module that the detector does not have.
 * Ends a service with exit status 2. The message says what was given and what is allowed.
 */
export class UsageError extends Error {
  /** The class's name. */
  override readonly name = "UsageError";
}

/**
 * Does something with what was given on the command line: what is out of range there is a wrong argument.
 *
 * @throws {UsageError} Instead of a RangeError.
 */
export async function usage<T>(action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw cause instanceof RangeError ? new UsageError(cause.message, { cause }) : cause;
  }
}
