/**
 * What is on the wire: the three exchanges, JSON bodies, headers. See `docs/reference/broker.md`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { parseJson, stringifyJson } from "../protocol/json.ts";
import { textOf } from "./_retry.ts";
import { type Status, toAction } from "./status.ts";

/** The exchanges, as every client of the original declares them: neither durable nor auto-deleted. */
export const EXCHANGES = [
  { exchange: "request", type: "topic" },
  { exchange: "status", type: "fanout" },
  { exchange: "kill", type: "topic" },
];

/** Largest frame: RabbitMQ's own default. Headers must fit into one. */
export const FRAME_MAX = 131_072;
/** Longest message of a status, bytes in AMQP's form: with the other headers it fits into a frame. */
const MAX_MESSAGE_BYTES = 100_000;
/** Deepest message: those who write and read it call themselves at each level. */
const MAX_DEPTH = 100;
const MAX_INT64 = 2n ** 63n;

/** A message that arrived. */
export interface Delivery {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly requestId: string | undefined;
  readonly routingKey: string;
  /** A binding of an earlier tag has brought it, which a named queue keeps. */
  readonly isStray: boolean;
  readonly redelivered: boolean;
}

/** A message to send. */
export interface Outgoing {
  exchange: "request" | "status" | "kill";
  routingKey: string;
  requestId: string;
  headers: Record<string, unknown>;
  body: Uint8Array;
  /** To be reported when no queue is bound for the routing key. */
  mandatory?: boolean;
}

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true });

/** A value as the body of a message. */
export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(stringifyJson(value) ?? "null");
}

/** @throws {SyntaxError | TypeError} If it is not JSON in UTF-8. */
export function decodeJson(body: Uint8Array): unknown {
  return parseJson(strict.decode(body));
}

/** Bytes of a body as rabbitmq-client gives it: see `_codec.ts`. */
export function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  throw new TypeError("rabbitmq-client has decoded a body");
}

/** The form in which rabbitmq-client takes bytes without adding a content type. */
export function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/**
 * Headers of a status, the message shortened or left out when it is too long for a frame.
 *
 * @throws As {@link toMessage}.
 */
export function statusHeaders(
  { action, source, message }: Pick<Status, "action" | "source" | "message">,
): Record<string, unknown> {
  return { action, source, message: toMessage(message) };
}

/** Reads a status; undefined when it is none. A body that is not JSON counts as null. */
export function readStatus(
  { body, headers, requestId = "", routingKey }: Delivery,
): Status | undefined {
  const action = toAction(headers.action);
  if (action === undefined || typeof headers.source !== "string") return undefined;
  return {
    requestId,
    tag: routingKey,
    action,
    source: headers.source,
    message: readable(headers.message),
    request: readOrNull(body),
  };
}

/** The message of a status; a note where it is nested deeper than those who get it can follow. */
function readable(message: unknown): unknown {
  try {
    headerValue(message, 0);
    return message ?? null;
  } catch (error) {
    return `(left out: ${textOf(error)})`;
  }
}

/** The body as JSON, null where it is none. */
function readOrNull(body: Uint8Array): unknown {
  try {
    return decodeJson(body);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

/**
 * A value as the message of a status: as AMQP has it, shortened or replaced by a note when it is too long for
 * a frame. What has been through this once comes out of it again as it is.
 *
 * @throws {TypeError | RangeError} If it goes in circles or is nested too deep. Whatever a `toJSON` of
 * it throws.
 */
export function toMessage(value: unknown): unknown {
  stringifyJson(value); // finds circles, in which the following would not end
  const message = headerValue(value, 0);
  const bytes = sizeOf(message);
  if (bytes <= MAX_MESSAGE_BYTES) return message;
  if (typeof message === "string") return `${message.slice(0, MAX_MESSAGE_BYTES / 4)}…`;
  return `(${bytes} bytes left out: a status carries at most ${MAX_MESSAGE_BYTES})`;
}

/**
 * A value as AMQP field value that every version of pika reads as it was meant. What no form of a number
 * holds becomes text, and so do negative integers that pika would take for positive ones.
 */
function headerValue(value: unknown, depth: number): unknown {
  if (value === undefined || value === null) return null;
  if (typeof value === "bigint") {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    return value >= 0 && value < MAX_INT64 ? value : String(value);
  }
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "function" || typeof value === "symbol") return null;
  if (typeof value !== "object") return value;
  if (depth === MAX_DEPTH) throw new TypeError(`it is nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return value.map((member) => headerValue(member, depth + 1));
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return headerValue(value.toJSON(), depth + 1);
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, headerValue(member, depth + 1)]),
  );
}

/** Bytes that a field value takes in AMQP at most, the one of its type included. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return 5 + Buffer.byteLength(value);
  if (typeof value !== "object" || value === null) return 9;
  if (Array.isArray(value)) return value.reduce<number>((sum, member) => sum + sizeOf(member), 5);
  return Object.entries(value).reduce(
    (sum, [name, member]) => sum + 1 + Math.min(Buffer.byteLength(name), 255) + sizeOf(member),
    5,
  );
}
