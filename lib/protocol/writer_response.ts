/**
 * What a file writer answers to the writer driver, on `ipc:///tmp/<detector>-writer-<i>`.
 *
 * Format: `proto/std_buffer/writer_action.proto`: std-daq's fields, and ours from number 100 up, which
 * the original ignores and does not send.
 *
 * @module
 */
import { ResponseCode, WriterResponseSchema } from "../../proto/gen/std_buffer/writer_action_pb.ts";
import { decodeMessage, encodeMessage, numberOf, uint64Of } from "./_message.ts";
import { ProtocolError } from "./protocol_error.ts";
import type { WriterActionName } from "./writer_action.ts";

/** How the action ended. */
export type WriterResponseCode = "unknown" | "success" | "failure";

/** Answer of a file writer to one action. */
export interface WriterResponse {
  /** How it ended. */
  readonly code: WriterResponseCode;
  /** Why it failed; empty on success. */
  readonly reason: string;
  /** Ours: the image the answer speaks of. */
  readonly imageId?: bigint;
  /** Ours: images written to the current file so far. */
  readonly nWritten?: number;
  /** Ours: images that readers of the file see by now. */
  readonly nVisible?: number;
  /** Ours: the action that is answered; left out by an original. */
  readonly action?: WriterActionName;
}

const CODE_NUMBERS: Readonly<Record<WriterResponseCode, ResponseCode>> = {
  unknown: ResponseCode.UNKNOWN,
  success: ResponseCode.SUCCESS,
  failure: ResponseCode.FAILURE,
};
const CODES: readonly WriterResponseCode[] = ["unknown", "success", "failure"];
const ACTIONS: readonly WriterActionName[] = [
  "create_file",
  "record_image",
  "close_file",
  "confirm_last_image",
];

/**
 * The message for an answer. Without our own fields it is byte for byte what the original sends.
 *
 * @throws {ProtocolError} If a value does not fit its field.
 */
export function encodeWriterResponse(response: WriterResponse): Uint8Array<ArrayBuffer> {
  const { code, reason, imageId, nWritten, nVisible, action } = response;
  return encodeMessage(WriterResponseSchema, {
    code: CODE_NUMBERS[code],
    reason,
    ...(imageId === undefined ? {} : { imageId: uint64Of("WriterResponse.image_id", imageId) }),
    ...(nWritten === undefined ? {} : { nWritten: uint64Of("WriterResponse.n_written", nWritten) }),
    ...(nVisible === undefined ? {} : { nVisible: uint64Of("WriterResponse.n_visible", nVisible) }),
    action: action ?? "",
  });
}

/**
 * The answer in a received message. No bytes at all are the valid answer "unknown".
 *
 * @throws {ProtocolError} If the bytes are no such message, or its code or action is not known.
 */
export function decodeWriterResponse(bytes: Uint8Array): WriterResponse {
  const message = decodeMessage(WriterResponseSchema, bytes);
  const code = CODES.find((name) => CODE_NUMBERS[name] === message.code);
  if (code === undefined) {
    throw new ProtocolError(
      `WriterResponse.code is ${message.code}, expected 0 unknown, 1 success or 2 failure`,
    );
  }
  const action = ACTIONS.find((name) => name === message.action);
  if (action === undefined && message.action !== "") {
    throw new ProtocolError(
      `WriterResponse.action is ${JSON.stringify(message.action)}, expected one of ${
        ACTIONS.join(", ")
      }`,
    );
  }
  const { imageId, nWritten, nVisible } = message;
  return {
    code,
    reason: message.reason,
    ...(imageId === undefined ? {} : { imageId }),
    ...(nWritten === undefined ? {} : { nWritten: numberOf("WriterResponse.n_written", nWritten) }),
    ...(nVisible === undefined ? {} : { nVisible: numberOf("WriterResponse.n_visible", nVisible) }),
    ...(action === undefined ? {} : { action }),
  };
}
