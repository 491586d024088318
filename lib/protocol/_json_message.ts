import type { z } from "zod";
import { issuesText } from "../validation/mod.ts";
import { ProtocolError } from "./protocol_error.ts";

/** A message as it is sent. */
export function encodeJson(message: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(message));
}

/**
 * Reads a message of JSON.
 *
 * @param what What it should be, for the error.
 * @throws {ProtocolError} If it is none; the message says what is wrong.
 */
export function decodeJson<Schema extends z.ZodType>(
  what: string,
  schema: Schema,
  bytes: Uint8Array,
): z.output<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ProtocolError(`${what}: ${bytes.byteLength} bytes that are no JSON`, { cause });
  }
  const { data, error } = schema.safeParse(json);
  if (error === undefined) return data;
  throw new ProtocolError(`${what}: ${issuesText(error.issues, json, "the message")}`);
}
