/**
 * Bytes that are not what a wire format says, or values it cannot carry.
 *
 * The message names the format, what was wrong, the value found and what was expected; `cause` is the
 * decoder's own error where there is one.
 */
export class ProtocolError extends Error {
  /** The class's name. */
  override readonly name = "ProtocolError";
}
