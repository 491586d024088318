/**
 * A command line that parses but makes no sense, such as a module that the detector does not have.
 * Ends a service with exit status 2. The message says what was given and what is allowed.
 */
export class UsageError extends Error {
  /** The class's name. */
  override readonly name = "UsageError";
}
