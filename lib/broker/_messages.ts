/**
 * What is on the wire: the three exchanges, JSON bodies, headers. See `docs/reference/broker.md`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { parseJson, stringifyJson } from "../protocol/json.ts";
import { type Status, toAction } from "./status.ts";

/** The exchanges, as every client of the original declares them: neither durable nor auto-deleted. */
export const EXCHANGES = [
  { exchange: "request", type: "topic" },
  { exchange: "status", type: "fanout" },
  { exchange: "kill", type: "topic" },
];

/** Largest frame: RabbitMQ's own default. Headers must fit into one. */
export const FRAME_MAX = 131_072;
/** Longest message in a status's headers, bytes of JSON: half a frame, since AMQP's own form is longer. */
const MAX_MESSAGE_BYTES = 60_000;
const MAX_INT64 = 2n ** 63n;

/** A message that arrived. */
export interface Delivery {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly requestId: string | undefined;
  readonly routingKey: string;
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

/** Bytes of a body as rabbitmq-client gives it, which is decoded when its sender told a content type. */
export function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  return typeof body === "string" ? encoder.encode(body) : encodeJson(body);
}

/** The form in which rabbitmq-client takes bytes without adding a content type. */
export function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Headers of a status, the message shortened or left out when it is too long for a frame. */
export function statusHeaders(
  { action, source, message }: Pick<Status, "action" | "source" | "message">,
): Record<string, unknown> {
  return { action, source, message: headerValue(bounded(message)) };
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
    message: headers.message ?? null,
    request: readOrNull(body),
  };
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

function bounded(message: unknown): unknown {
  const bytes = encodeJson(message).length;
  if (bytes <= MAX_MESSAGE_BYTES) return message;
  if (typeof message === "string") return `${message.slice(0, MAX_MESSAGE_BYTES / 4)}…`;
  return `(${bytes} bytes left out: a status carries at most ${MAX_MESSAGE_BYTES})`;
}

/**
 * A value as AMQP field value that every version of pika reads as it was meant. rabbitmq-client sends small
 * integers in the 16-bit form, which pika before 1.2 stumbles over: as bigint they go in the 64-bit form.
 */
function headerValue(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (typeof value === "bigint") return value < MAX_INT64 ? value : String(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return String(value);
    return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : value;
  }
  if (Array.isArray(value)) return value.map(headerValue);
  if (typeof value !== "object") return typeof value === "function" ? null : value;
  if ("toJSON" in value && typeof value.toJSON === "function") return headerValue(value.toJSON());
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, headerValue(member)]),
  );
}
