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
  readonly #put: ((record: DataView, value: number | bigint) => void)[];

  /** For records of these fields. */
  constructor(fields: RecordFields) {
    this.#names = Object.keys(fields);
    let end = 0;
    this.#put = Object.values(fields).map((type) => {
      const at = end;
      end += FIELD_BYTES[type];
      return (record, value) => putField(record, at, type, value);
    });
  }

  /**
   * Checks values before they are encoded.
   *
   * @throws {RangeError} If there are not as many values as fields.
   */
  check(values: RecordValues): void {
    if (values.length === this.#put.length) return;
    throw new RangeError(
      `${values.length} values for a record of ${this.#put.length} fields ` +
        `(${this.#names.join(", ")}): give one for each, in that order.`,
    );
  }

  /** Puts values, which were checked, into a record. */
  encode(record: DataView, values: RecordValues): void {
    this.#put.forEach((put, i) => put(record, values[i]!));
  }
}

function putField(record: DataView, at: number, type: RecordType, value: number | bigint): void {
  if (type === "uint64") return record.setBigUint64(at, BigInt(value), true);
  const number = Number(value);
  switch (type) {
    case "uint8":
      return record.setUint8(at, number);
    case "uint16":
      return record.setUint16(at, number, true);
    case "uint32":
      return record.setUint32(at, number, true);
    case "float64":
      return record.setFloat64(at, number, true);
  }
}
