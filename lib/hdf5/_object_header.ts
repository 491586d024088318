/**
 * Version-1 object headers: where their messages are, so that fields can be patched in place.
 *
 * Source: HDF5 File Format Specification 3.0, IV.A.1.a ("Version 1 Data Object Header Prefix") and
 * IV.A.2 (messages).
 *
 * @module
 */

/** Message types used here. */
export const MessageType = {
  nil: 0x00,
  dataspace: 0x01,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
} as const;

/** Bytes before a message's body: u16 type, u16 body bytes, u8 flags, 3 reserved. */
export const MESSAGE_HEADER_BYTES = 8;

/** One header message. */
export interface HeaderMessage {
  /** One of {@link MessageType}, or another. */
  type: number;
  /** Where the message's own 8-byte header starts, bytes from the start of the file. */
  at: number;
  /** Where its body starts. */
  bodyAt: number;
  /** Size of the body, bytes, a multiple of 8. */
  bodyBytes: number;
}

/** Thrown when h5wasm made a file whose bytes are not laid out as the writer needs them. */
export class UnexpectedStructureError extends Error {
  override name = "UnexpectedStructureError";

  /** @param what What was found and what was expected. */
  constructor(what: string) {
    super(
      `The HDF5 library laid the file out in an unforeseen way: ${what}. ` +
        "Use the h5wasm version pinned in deno.json.",
    );
  }
}

/**
 * Lists the messages of the object header at `address`, continuation blocks included.
 *
 * @param file The file's first bytes, up to and including all blocks of the header.
 * @throws {UnexpectedStructureError} If there is no version-1 header.
 */
export function readObjectHeader(file: Uint8Array, address: number): HeaderMessage[] {
  if (file[address] !== 1) {
    throw new UnexpectedStructureError(
      `object header version ${file[address]} at ${address} instead of 1`,
    );
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const messages: HeaderMessage[] = [];
  const blocks = [{ at: address + 16, bytes: view.getUint32(address + 8, true) }];
  for (const block of blocks) {
    let at = block.at;
    while (at + MESSAGE_HEADER_BYTES <= block.at + block.bytes) {
      const type = view.getUint16(at, true);
      const bodyBytes = view.getUint16(at + 2, true);
      const bodyAt = at + MESSAGE_HEADER_BYTES;
      messages.push({ type, at, bodyAt, bodyBytes });
      if (type === MessageType.continuation) {
        blocks.push({
          at: Number(view.getBigUint64(bodyAt, true)),
          bytes: Number(view.getBigUint64(bodyAt + 8, true)),
        });
      }
      at = bodyAt + bodyBytes;
    }
  }
  return messages;
}

/**
 * The header's only message of a type.
 *
 * @throws {UnexpectedStructureError} If there is none or more than one.
 */
export function onlyMessage(messages: readonly HeaderMessage[], type: number): HeaderMessage {
  const found = messages.filter((message) => message.type === type);
  if (found.length !== 1) {
    throw new UnexpectedStructureError(`${found.length} messages of type ${type} instead of 1`);
  }
  return found[0]!;
}
