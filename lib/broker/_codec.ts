/**
 * rabbitmq-client's codec, mended where its form of headers harms. See `docs/decisions/0020-broker.md`.
 *
 * - It calls itself at each level of a header, and gives the connection up when it cannot read one. A message
 *   whose headers are nested too deep would take the connection from everyone it is handed to, and from a queue
 *   that is not ours it would come again each time. Its headers count as empty instead.
 * - It writes small integers in the forms of 8 and 16 bits. pika takes the first for unsigned, and versions
 *   before 1.2 cannot read the other.
 * - It decodes a body whose sender told a content type, and so rounds large integers and overlooks what is no
 *   UTF-8. What is received has none: a body is the bytes that were sent.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import library from "rabbitmq-client/lib/codec.js";

/** Reads so many bytes from the broker. */
type Read = (bytes: number) => Promise<Buffer>;

/** Properties of a message, and where it goes. */
interface Properties {
  headers?: object;
}

/** What of the codec is not in its types, but in this version of it. */
interface Codec {
  decodeFrame(read: Read): Promise<unknown>;
  /** First where the message goes, then its properties, then its body. */
  genContentFrames(
    channelId: number,
    properties: Properties,
    body: Buffer,
    frameMax: number,
  ): Iterator<Buffer> & Iterable<Buffer>;
}

/** Type of the frame that has the properties of a message. */
const HEADER_FRAME = 2;
/** Bytes of a frame before its payload: type, channel, size of the payload. */
const HEAD_BYTES = 7;
/** Where a frame tells the size of its payload. */
const SIZE_AT = 3;
/** In the payload: which properties follow, and the first of them. */
const FLAGS_AT = 12;
const PROPERTIES_AT = 14;
/** Flags of the properties up to the headers, in their order. */
const [CONTENT_TYPE, CONTENT_ENCODING, HEADERS] = [0x8000, 0x4000, 0x2000];
/** Beyond it a name is cut, bytes. */
const MAX_NAME_BYTES = 255;

mend(library);

function mend(codec: unknown): void {
  if (!isCodec(codec)) throw new Error("rabbitmq-client's codec is another one than expected");
  const { decodeFrame, genContentFrames } = codec;
  codec.decodeFrame = async (read) => {
    const parts: Buffer[] = [];
    try {
      const frame = await decodeFrame(async (bytes) => {
        const part = await read(bytes);
        parts.push(part);
        return part;
      });
      return withoutContentType(frame);
    } catch (error) {
      const bare = withoutHeaders(parts);
      if (bare === undefined) throw error;
      return withoutContentType(
        await decodeFrame(() => Promise.resolve(bare.shift() ?? Buffer.alloc(0))),
      );
    }
  };
  codec.genContentFrames = function* (channelId, message, body, frameMax): Generator<Buffer> {
    const { headers, ...properties } = message;
    const frames = genContentFrames(channelId, properties, body, frameMax);
    if (headers !== undefined) {
      const [method, bare] = [frames.next().value, frames.next().value];
      // An error is one of this message alone before anything of it is written.
      const header = withHeaders(bare, encodeTable(headers), frameMax);
      yield method;
      yield header;
    }
    yield* frames;
  };
}

function isCodec(value: unknown): value is Codec {
  return typeof value === "object" && value !== null &&
    "decodeFrame" in value && typeof value.decodeFrame === "function" &&
    "genContentFrames" in value && typeof value.genContentFrames === "function";
}

/** A decoded frame without the property that would have the body decoded, too. */
function withoutContentType(frame: unknown): unknown {
  if (typeof frame !== "object" || frame === null || !("fields" in frame)) return frame;
  const { fields } = frame;
  return typeof fields === "object" && fields !== null
    ? { ...frame, fields: { ...fields, contentType: undefined } }
    : frame;
}

/** The parts of a frame, its headers left out; undefined when it has none. */
function withoutHeaders([head, payload]: readonly Buffer[]): Buffer[] | undefined {
  if (head?.[0] !== HEADER_FRAME || payload === undefined) return undefined;
  const flags = payload.readUInt16BE(FLAGS_AT);
  if ((flags & HEADERS) === 0) return undefined;
  const from = headersAt(payload, flags);
  const to = from + 4 + payload.readUInt32BE(from);
  const bare = Buffer.concat([payload.subarray(0, from), payload.subarray(to)]);
  bare.writeUInt16BE(flags & ~HEADERS, FLAGS_AT);
  return [resized(head, bare), bare];
}

/** @throws {RangeError} If it does not fit into a frame. */
function withHeaders(frame: Buffer, headers: Buffer, frameMax: number): Buffer {
  const payload = frame.subarray(HEAD_BYTES);
  const flags = payload.readUInt16BE(FLAGS_AT);
  const at = headersAt(payload, flags);
  const full = Buffer.concat([payload.subarray(0, at), headers, payload.subarray(at)]);
  full.writeUInt16BE(flags | HEADERS, FLAGS_AT);
  const bytes = full.length - 1;
  if (bytes > frameMax) {
    throw new RangeError(`frame size of ${bytes} bytes exceeds maximum of ${frameMax}`);
  }
  return Buffer.concat([resized(frame, full), full]);
}

/** Where the headers are among the properties, or would be. */
function headersAt(payload: Buffer, flags: number): number {
  let at = PROPERTIES_AT;
  for (const text of [CONTENT_TYPE, CONTENT_ENCODING]) {
    if ((flags & text) !== 0) at += 1 + payload.readUInt8(at);
  }
  return at;
}

/** The start of a frame, for this payload. */
function resized(frame: Buffer, payload: Buffer): Buffer {
  const head = Buffer.from(frame.subarray(0, HEAD_BYTES));
  head.writeUInt32BE(payload.length - 1, SIZE_AT); // its last byte ends the frame
  return head;
}

/** Fields as AMQP's table. */
function encodeTable(fields: object): Buffer {
  return sized(
    Object.entries(fields).flatMap(([name, value]) => {
      const text = Buffer.from(name).subarray(0, MAX_NAME_BYTES);
      return [Buffer.of(text.length), text, encodeField(value)];
    }),
  );
}

/** A value with its type: of the forms that there are for numbers, one that everybody reads alike. */
function encodeField(value: unknown): Buffer {
  switch (typeof value) {
    case "string":
      return Buffer.concat([Buffer.from("S"), sized([Buffer.from(value)])]);
    case "boolean":
      return Buffer.concat([Buffer.from("t"), Buffer.of(Number(value))]);
    case "number":
      return encodeNumber(value);
    case "bigint":
      return encodeLong(value);
    case "object":
      if (value === null) break;
      return Array.isArray(value)
        ? Buffer.concat([Buffer.from("A"), sized(value.map(encodeField))])
        : Buffer.concat([Buffer.from("F"), encodeTable(value)]);
  }
  return Buffer.from("V"); // nothing
}

/** pika takes 64-bit integers for unsigned, and the whole part of a float: what is below int32 goes as such. */
function encodeNumber(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  if (value === (value | 0)) {
    bytes.write("I");
    bytes.writeInt32BE(value, 1);
    return bytes.subarray(0, 5);
  }
  if (value >= 0 && Number.isSafeInteger(value)) return encodeLong(BigInt(value));
  bytes.write("d");
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

/** @throws {RangeError} If it does not fit into 64 bits. */
function encodeLong(value: bigint): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.write("l");
  bytes.writeBigInt64BE(value, 1);
  return bytes;
}

/** Parts, and before them their bytes. */
function sized(parts: readonly Buffer[]): Buffer {
  const all = Buffer.concat([Buffer.alloc(4), ...parts]);
  all.writeUInt32BE(all.length - 4);
  return all;
}
