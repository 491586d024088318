/**
 * The detector group's attributes, in a block that can be replaced as a whole.
 *
 * @module
 */
import { buildInMemory, objectAddress } from "./_h5wasm.ts";
import {
  MESSAGE_HEADER_BYTES,
  MessageType,
  readObjectHeader,
  UnexpectedStructureError,
} from "./_object_header.ts";

/** A text (stored as UTF-8 of fixed length), a number (float64) or an integer (int64, uint64). */
export type AttributeValue = string | number | bigint;

/** Messages in an attribute block: attributes, and empty ones in place of those not there yet. */
export const MESSAGE_SLOTS = 128;

/** Sizes of an attribute block, bytes: the first one that has room. A message is no longer than the last. */
const BLOCK_BYTES = [16_384, 65_536] as const;

/** Room in a first block for attributes that are added at the end, bytes. */
export const LAST_ATTRIBUTES_BYTES = 4096;

/** Texts among datatypes. */
const STRING_CLASS = 3;

/** An encoded attribute block. */
export interface AttributeBlock {
  /** What to write: all of it. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Where each counter's u64 is in it. */
  counterAt: Map<string, number>;
}

/**
 * Encodes a continuation block of the group's object header: the group's own message, counters,
 * other attributes, and nil messages up to a fixed count and one of two sizes. Blocks of one file can
 * thus be exchanged by changing one address.
 *
 * The attribute messages are the HDF5 library's own, taken out of a file made in memory.
 *
 * @param symbolTable The group's own message.
 * @param counters u64 attributes that are patched in place, by name.
 * @param attributes All others.
 * @param spare Room that is to stay, bytes.
 * @param blockBytes Size of the block; default: the smaller one, if they fit.
 * @throws {RangeError} If they do not fit, or a name is used twice or is empty.
 */
export function encodeAttributeBlock(
  symbolTable: Uint8Array,
  counters: ReadonlyMap<string, bigint>,
  attributes: ReadonlyMap<string, AttributeValue>,
  spare = 0,
  blockBytes?: number,
): AttributeBlock {
  let at = symbolTable.byteLength;
  const counterAt = new Map<string, number>();
  const names = [...counters.keys(), ...attributes.keys()];
  checkNames(names);
  const messages = encodeAttributes([...counters, ...attributes]);
  const needed = messages.reduce((sum, message) => sum + message.byteLength, 0);
  // Behind the attributes: nil messages of 8 bytes, at least one.
  const notTheirs = at + MESSAGE_SLOTS * MESSAGE_HEADER_BYTES + spare;
  const [small, large] = BLOCK_BYTES;
  const size = blockBytes ?? (needed <= small - notTheirs ? small : large);
  const room = size - notTheirs;
  if (messages.length >= MESSAGE_SLOTS || needed > room) {
    throw new RangeError(
      `${messages.length} attributes of ${needed} bytes do not fit into the file's attribute ` +
        `block (fewer than ${MESSAGE_SLOTS}, at most ${room} bytes): shorten the texts.`,
    );
  }
  const bytes = new Uint8Array(size);
  bytes.set(symbolTable);
  messages.forEach((message, i) => {
    bytes.set(message, at);
    at += message.byteLength;
    // A scalar's value comes last in its message.
    if (i < counters.size) counterAt.set(names[i]!, at - 8);
  });
  const nils = MESSAGE_SLOTS - messages.length;
  at += (nils - 1) * MESSAGE_HEADER_BYTES; // all zero: type nil, no body
  const view = new DataView(bytes.buffer);
  view.setUint16(at, MessageType.nil, true);
  view.setUint16(at + 2, size - at - MESSAGE_HEADER_BYTES, true);
  return { bytes, counterAt };
}

function checkNames(names: readonly string[]): void {
  const repeated = names.find((name, i) => name === "" || names.indexOf(name) !== i);
  if (repeated !== undefined) {
    throw new RangeError(
      `Attribute name ${JSON.stringify(repeated)} is empty or used twice: give each its own name.`,
    );
  }
}

/** The library's messages for scalar attributes, headers included, in the given order. */
function encodeAttributes(values: [string, AttributeValue][]): Uint8Array<ArrayBuffer>[] {
  if (values.length === 0) return [];
  const { bytes, result: root } = buildInMemory((file) => {
    for (const [name, value] of values) {
      if (typeof value === "string") {
        const length = Math.max(1, new TextEncoder().encode(value).byteLength);
        file.create_attribute(name, value, [], `S${length}`);
      } else if (typeof value === "number") {
        file.create_attribute(name, new Float64Array([value]), [], "<d");
      } else if (value >= 0n) {
        file.create_attribute(name, new BigUint64Array([value]), [], "<Q");
      } else {
        file.create_attribute(name, new BigInt64Array([value]), [], "<q");
      }
    }
    return objectAddress(file, "/");
  });
  const messages = readObjectHeader(bytes, root)
    .filter((message) => message.type === MessageType.attribute)
    .map((message) => bytes.slice(message.at, message.bodyAt + message.bodyBytes));
  if (messages.length !== values.length) {
    throw new UnexpectedStructureError(
      `${messages.length} attribute messages for ${values.length} attributes`,
    );
  }
  values.forEach(([, value], i) => {
    if (value === "") endByNul(messages[i]!);
  });
  return messages;
}

/**
 * Makes an empty text empty: it has one byte, of 0, which the library takes for a character where texts are
 * padded by spaces, as it makes them.
 */
function endByNul(message: Uint8Array<ArrayBuffer>): void {
  // Version, reserved, size of name (u16), of datatype and of dataspace; name, in eights; datatype.
  const nameBytes = new DataView(message.buffer).getUint16(MESSAGE_HEADER_BYTES + 2, true);
  const datatypeAt = MESSAGE_HEADER_BYTES + 8 + Math.ceil(nameBytes / 8) * 8;
  const [version, kind] = [message[MESSAGE_HEADER_BYTES], message[datatypeAt]! & 0xf];
  if (version !== 1 || kind !== STRING_CLASS) {
    throw new UnexpectedStructureError(
      `attribute version ${version} of datatype class ${kind} instead of 1 and ${STRING_CLASS}`,
    );
  }
  message[datatypeAt + 1]! &= 0xf0; // padding 0: it ends with a NUL
}
