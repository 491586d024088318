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
  /** Ours, to confirm_last_image and close_file: images of the run that were overwritten in the ring. */
  readonly nOverwritten?: number;
  /** Ours, likewise: images on file with something missing. */
  readonly nIncomplete?: number;
  /** Ours, likewise: packets missing in them. */
  readonly packetsMissing?: number;
  /** Ours, likewise: first packet of the first of its images, ns since 1970; left out if it is not known. */
  readonly firstPacketNs?: bigint;
  /** Ours, likewise: last packet of the last of its images. */
  readonly lastPacketNs?: bigint;
  /** Ours, to close_file: the run whose file was closed. */
  readonly closed?: ClosedRun;
  /**
   * Ours: so many record_image orders may be at the writer unanswered from now on; left out: as before. 0 counts
   * as 1: only an answer could tell of more.
   */
  readonly credit?: number;
  /** Ours: the action that is answered; left out by an original. */
  readonly action?: WriterActionName;
  /**
   * Ours: this is no answer, but the writer begins (true), or has ended (false), what may take minutes: making,
   * closing or syncing files.
   */
  readonly working?: boolean;
}

/** A run whose file was closed, for a driver that did not begin it. */
export interface ClosedRun {
  /** The path that was asked for. */
  readonly path: string;
  /** Number of the acquisition. */
  readonly runId: bigint;
  /** Images that were asked for; 0: until stopped. */
  readonly nImages: number;
  /** When it began, seconds since 1970. */
  readonly startTime: number;
}

/** Counts that may be told, and their fields. */
const COUNTS = [
  ["nWritten", "n_written"],
  ["nVisible", "n_visible"],
  ["nOverwritten", "n_overwritten"],
  ["nIncomplete", "n_incomplete"],
  ["packetsMissing", "packets_missing"],
  ["credit", "credit"],
] as const;

/** Times that may be told, and their fields. */
const TIMES = [
  ["firstPacketNs", "first_packet_ns"],
  ["lastPacketNs", "last_packet_ns"],
] as const;

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
  const { code, reason, imageId, closed, action, working } = response;
  return encodeMessage(WriterResponseSchema, {
    code: CODE_NUMBERS[code],
    reason,
    ...(imageId === undefined ? {} : { imageId: uint64Of("WriterResponse.image_id", imageId) }),
    ...Object.fromEntries(
      COUNTS.flatMap(([name, field]) => {
        const count = response[name];
        return count === undefined ? [] : [[name, uint64Of(`WriterResponse.${field}`, count)]];
      }),
    ),
    ...Object.fromEntries(
      TIMES.flatMap(([name, field]) => {
        const time = response[name];
        return time === undefined ? [] : [[name, uint64Of(`WriterResponse.${field}`, time)]];
      }),
    ),
    ...(closed !== undefined && {
      closed: {
        path: closed.path,
        runId: uint64Of("ClosedRun.run_id", closed.runId),
        nImages: uint64Of("ClosedRun.n_images", closed.nImages),
        startTime: closed.startTime,
      },
    }),
    action: action ?? "",
    ...(working !== undefined && { working }),
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
  const { imageId, closed, working } = message;
  const counts: { [name in typeof COUNTS[number][0]]?: number } = {};
  for (const [name, field] of COUNTS) {
    const count = message[name];
    if (count !== undefined) counts[name] = numberOf(`WriterResponse.${field}`, count);
  }
  const times: { [name in typeof TIMES[number][0]]?: bigint } = {};
  for (const [name] of TIMES) {
    const time = message[name];
    if (time !== undefined) times[name] = time;
  }
  return {
    code,
    reason: message.reason,
    ...(imageId === undefined ? {} : { imageId }),
    ...counts,
    ...times,
    ...(closed && {
      closed: {
        path: closed.path,
        runId: closed.runId,
        nImages: numberOf("ClosedRun.n_images", closed.nImages),
        startTime: closed.startTime,
      },
    }),
    ...(action === undefined ? {} : { action }),
    ...(working === undefined ? {} : { working }),
  };
}
