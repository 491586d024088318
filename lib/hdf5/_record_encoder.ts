/**
 * Puts the values of records into bytes.
 *
 * @module
 */
import type { RecordFields, RecordType, RecordValues } from "./record_type.ts";

const FIELD_BYTES: Readonly<Record<RecordType, number>> = {
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  float64: 8,
};

/** Size of a record, bytes. */
export function recordBytes(fields: RecordFields): number {
  return Object.values(fields).reduce((sum, type) => sum + FIELD_BYTES[type], 0);
}

/** Puts values into records. */
export class RecordEncoder {
  readonly #names: readonly string[];
  readonly #types: readonly RecordType[];

  /** For records of these fields. */
  constructor(fields: RecordFields) {
    this.#names = Object.keys(fields);
    this.#types = Object.values(fields);
  }

  /**
   * Checks values before they are encoded.
   *
   * @throws {RangeError} If there are not as many values as fields.
   */
  check(values: RecordValues): void {
    if (values.length === this.#types.length) return;
    throw new RangeError(
      `${values.length} values for a record of ${this.#types.length} fields ` +
        `(${this.#names.join(", ")}): give one for each, in that order.`,
    );
  }

  /** Puts values, which were checked, into a record. */
  encode(into: DataView, at: number, values: RecordValues): void {
    for (let i = 0; i < this.#types.length; i++) {
      const type = this.#types[i]!;
      putField(into, at, type, values[i]!);
      at += FIELD_BYTES[type];
    }
  }
}

function putField(into: DataView, at: number, type: RecordType, value: number | bigint): void {
  switch (type) {
    case "uint8":
      return into.setUint8(at, Number(value));
    case "uint16":
      return into.setUint16(at, Number(value), true);
    case "uint32":
      return into.setUint32(at, Number(value), true);
    case "uint64":
      return into.setBigUint64(at, BigInt(value), true);
    case "float64":
      return into.setFloat64(at, Number(value), true);
  }
}
