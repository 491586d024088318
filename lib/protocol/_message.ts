import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ProtocolError } from "./protocol_error.ts";

const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

/** `fromBinary` whose only error is ProtocolError. */
export function decodeMessage<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw new ProtocolError(
      `${schema.name}: ${bytes.byteLength} bytes are no such protobuf message (${cause}): ` +
        "check that both sides of the address speak the same protocol",
      { cause },
    );
  }
}

/** `create` and `toBinary` whose only error is ProtocolError. */
export function encodeMessage<Desc extends DescMessage>(
  schema: Desc,
  value: MessageInitShape<Desc>,
): Uint8Array<ArrayBuffer> {
  try {
    return toBinary(schema, create(schema, value));
  } catch (cause) {
    throw new ProtocolError(`${schema.name}: a value does not fit its field (${cause})`, { cause });
  }
}

/**
 * A uint64 field as a number.
 *
 * @throws {ProtocolError} If it is above 2^53 − 1.
 */
export function numberOf(field: string, value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ProtocolError(`${field} is ${value}, expected at most ${Number.MAX_SAFE_INTEGER}`);
  }
  return Number(value);
}

/**
 * A number or bigint as a uint64 field.
 *
 * @throws {ProtocolError} If it is no whole number from 0 to 2^64 − 1 (numbers: 2^53 − 1).
 */
export function uint64Of(field: string, value: number | bigint): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new ProtocolError(`${field} is ${value}, expected a whole number`);
  }
  const wide = BigInt(value);
  if (wide < 0n || wide > MAX_UINT64) {
    throw new ProtocolError(`${field} is ${value}, expected 0 to ${MAX_UINT64}`);
  }
  return wide;
}
