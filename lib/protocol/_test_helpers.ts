import { ProtocolError } from "./protocol_error.ts";

/** Bytes of a hexadecimal string. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(hex);
}

/** Hexadecimal string of bytes. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** Runs `read` on bytes that may be anything: true if it gave a value, false if ProtocolError. */
export function survives(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

/** `bytes` with some of them replaced, and cut to `length`: what damage on the way looks like. */
export function damaged(
  bytes: Uint8Array,
  hits: readonly (readonly [number, number])[],
  length: number,
): Uint8Array {
  const copy = bytes.slice(0, length);
  for (const [at, value] of hits) if (copy.length > 0) copy[at % copy.length] = value;
  return copy;
}
