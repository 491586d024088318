/**
 * rabbitmq-client's codec, mended: it calls itself at each level of a header, and gives the connection up when
 * it cannot read one. A message whose headers are nested too deep would take the connection from everyone it
 * is handed to, and from a queue that is not ours it would come again each time. Its headers count as empty
 * instead. See `docs/decisions/0020-broker.md`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import library from "rabbitmq-client/lib/codec.js";

/** Reads so many bytes from the broker. */
type Read = (bytes: number) => Promise<Buffer>;

/** What of the codec is not in its types, but in this version of it. */
interface Codec {
  decodeFrame(read: Read): Promise<unknown>;
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

mend(library);

function mend(codec: unknown): void {
  if (!isCodec(codec)) throw new Error("rabbitmq-client's codec is another one than expected");
  const { decodeFrame } = codec;
  codec.decodeFrame = async (read) => {
    const parts: Buffer[] = [];
    try {
      return await decodeFrame(async (bytes) => {
        const part = await read(bytes);
        parts.push(part);
        return part;
      });
    } catch (error) {
      const bare = withoutHeaders(parts);
      if (bare === undefined) throw error;
      return await decodeFrame(() => Promise.resolve(bare.shift() ?? Buffer.alloc(0)));
    }
  };
}

function isCodec(value: unknown): value is Codec {
  return typeof value === "object" && value !== null && "decodeFrame" in value &&
    typeof value.decodeFrame === "function";
}

/** The parts of a frame, its headers left out; undefined when it has none. */
function withoutHeaders([head, payload]: readonly Buffer[]): Buffer[] | undefined {
  if (head?.[0] !== HEADER_FRAME || payload === undefined) return undefined;
  const flags = payload.readUInt16BE(FLAGS_AT);
  if ((flags & HEADERS) === 0) return undefined;
  let from = PROPERTIES_AT;
  for (const text of [CONTENT_TYPE, CONTENT_ENCODING]) {
    if ((flags & text) !== 0) from += 1 + payload.readUInt8(from);
  }
  const to = from + 4 + payload.readUInt32BE(from);
  const bare = Buffer.concat([payload.subarray(0, from), payload.subarray(to)]);
  bare.writeUInt16BE(flags & ~HEADERS, FLAGS_AT);
  const bareHead = Buffer.from(head.subarray(0, HEAD_BYTES));
  bareHead.writeUInt32BE(bare.length - 1, SIZE_AT); // the last byte ends the frame
  return [bareHead, bare];
}
