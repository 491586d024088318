/** Types of a field on the wire: unsigned, little endian. */
export type WireType = "u8" | "u16" | "u32" | "u64";

/** One field of a packed struct. */
export interface WireField {
  /** The field's name in TypeScript. */
  readonly name: string;
  /** Bytes from the start of the struct. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Width; every field is unsigned, little endian. */
  readonly type: WireType;
  /** Unit of the value: "px", "bytes", "ns", "id", "number", "bits", … */
  readonly unit: string;
  /** What it says. */
  readonly meaning: string;
}

/** A packed, little-endian struct: its one table of offsets. */
export interface WireStruct<Name extends string> {
  /** The struct's name in the original. */
  readonly name: string;
  /** Bytes on the wire, padding included. */
  readonly bytes: number;
  /** Bytes used by fields; the rest up to `bytes` is zero. */
  readonly usedBytes: number;
  /** Offset of each field, bytes. */
  readonly at: Readonly<Record<Name, number>>;
  /** Its fields in order. */
  readonly fields: readonly WireField[];
}

/** One row of a struct's definition. */
export type WireRow = readonly [type: WireType, unit: string, meaning: string];

const WIRE_TYPE_BYTES: Readonly<Record<WireType, number>> = { u8: 1, u16: 2, u32: 4, u64: 8 };

/**
 * Lays `rows` out one after the other without alignment (C++ `#pragma pack(1)`), padded to `bytes`.
 *
 * @throws {RangeError} If the rows need more than `bytes`.
 */
export function defineWireStruct<Name extends string>(
  name: string,
  bytes: number,
  rows: Readonly<Record<Name, WireRow>>,
): WireStruct<Name> {
  const fields: WireField[] = [];
  // Every key of `rows` is set below.
  const at = {} as Record<Name, number>;
  let offset = 0;
  for (const field in rows) {
    const [type, unit, meaning] = rows[field];
    const size = WIRE_TYPE_BYTES[type];
    fields.push({ name: field, offset, size, type, unit, meaning });
    at[field] = offset;
    offset += size;
  }
  if (offset > bytes) throw new RangeError(`${name}: the fields need ${offset} bytes of ${bytes}`);
  return { name, bytes, usedBytes: offset, at, fields };
}

/** A view of all of `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
