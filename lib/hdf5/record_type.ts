/**
 * Records of what is known of each image, beside its id and status.
 *
 * @module
 */

/** Types of a record's field, little endian. */
export type RecordType = "uint8" | "uint16" | "uint32" | "uint64" | "float64";

/** Fields of a record, packed in this order. */
export type RecordFields = Readonly<Record<string, RecordType>>;

/** Values of a record's fields, in their order. */
export type RecordValues = readonly (number | bigint)[];
