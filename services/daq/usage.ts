import { UsageError } from "../../lib/service/mod.ts";

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
