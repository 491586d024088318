/**
 * The `.dat` dump of UDP packets that std-daq's `std_udp_dump` writes and `std_udp_replay` sends:
 * for each packet its length (u64, little endian, bytes) and the packet, repeated to the end.
 *
 * @module
 */
import { ProtocolError } from "./protocol_error.ts";
import { viewOf } from "./wire_struct.ts";

/** The most a UDP datagram over IPv4 can carry, bytes. */
export const MAX_DATAGRAM_BYTES = 65507;

/** Bytes of a record's length field. */
const LENGTH_BYTES = 8;

/**
 * The packets of a dump that is in memory, in order, as views into `bytes`.
 *
 * @throws {ProtocolError} If a length is not 1 to 65507, or the dump ends inside a record; the message
 * names the offset. The packets before it have been given by then.
 */
export function* readDump(bytes: Uint8Array): Generator<Uint8Array, void> {
  let at = 0;
  for (let packet = packetAt(bytes, at, 0); packet !== undefined;) {
    yield packet;
    at += LENGTH_BYTES + packet.byteLength;
    packet = packetAt(bytes, at, 0);
  }
  checkEnd(bytes.byteLength - at, at);
}

/**
 * The packets of a dump that comes in pieces (a file's `readable`, say), cut anywhere. A packet may be
 * a view into a piece: use or copy it before the piece is reused.
 *
 * @throws {ProtocolError} As {@link readDump}.
 */
export async function* readDumpStream(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  let rest: Uint8Array = new Uint8Array(0);
  let restOffset = 0;
  for await (const chunk of chunks) {
    const bytes = rest.byteLength === 0 ? chunk : joined(rest, chunk);
    let at = 0;
    for (let packet = packetAt(bytes, at, restOffset); packet !== undefined;) {
      yield packet;
      at += LENGTH_BYTES + packet.byteLength;
      packet = packetAt(bytes, at, restOffset);
    }
    rest = bytes.slice(at);
    restOffset += at;
  }
  checkEnd(rest.byteLength, restOffset);
}

/**
 * One record: the length and the packet.
 *
 * @throws {ProtocolError} If the packet is empty or longer than 65507 bytes.
 */
export function encodeDumpRecord(packet: Uint8Array): Uint8Array<ArrayBuffer> {
  checkLength(BigInt(packet.byteLength), "packet to dump");
  const record = new Uint8Array(LENGTH_BYTES + packet.byteLength);
  viewOf(record).setBigUint64(0, BigInt(packet.byteLength), true);
  record.set(packet, LENGTH_BYTES);
  return record;
}

/**
 * A whole dump of `packets`.
 *
 * @throws {ProtocolError} As {@link encodeDumpRecord}.
 */
export function encodeDump(packets: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  const records = Array.from(packets, encodeDumpRecord);
  const dump = new Uint8Array(records.reduce((sum, record) => sum + record.byteLength, 0));
  let at = 0;
  for (const record of records) {
    dump.set(record, at);
    at += record.byteLength;
  }
  return dump;
}

/** The packet of the record at `at`, or undefined when `bytes` ends before it does. */
function packetAt(bytes: Uint8Array, at: number, base: number): Uint8Array | undefined {
  const start = at + LENGTH_BYTES;
  if (start > bytes.byteLength) return undefined;
  const length = checkLength(viewOf(bytes).getBigUint64(at, true), `dump at offset ${base + at}`);
  return start + length > bytes.byteLength ? undefined : bytes.subarray(start, start + length);
}

function checkLength(length: bigint, where: string): number {
  if (length < 1n || length > BigInt(MAX_DATAGRAM_BYTES)) {
    throw new ProtocolError(
      `${where}: packet length ${length}, expected 1 to ${MAX_DATAGRAM_BYTES} bytes`,
    );
  }
  return Number(length);
}

function checkEnd(left: number, offset: number): void {
  if (left === 0) return;
  throw new ProtocolError(
    `dump ends inside the record at offset ${offset}, ${left} bytes of it are there: ` +
      "the file was cut off",
  );
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}
