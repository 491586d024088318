/**
 * Questions to a running `daq run`, and its answers: JSON, REQ and REP over `ipc:///tmp/<detector>-run`.
 * Ours; the original has no such socket.
 *
 * @module
 */
import { z } from "zod";
import { decodeJson, encodeJson } from "./_json_message.ts";

/** A question: how it is, or read the config file again and start again what it changes. */
export interface RunRequest {
  /** What to do. */
  readonly command: "status" | "apply";
}

/** How `daq run` is; after `apply`, once all services are ready again. */
export interface RunState {
  /** Whether an acquisition runs, which an `apply` could end. */
  readonly acquiring: boolean;
  /** Where each service stands, such as `ready`. */
  readonly services: Readonly<Record<string, string>>;
  /** The services that `apply` has started again. */
  readonly restarted: readonly string[];
  /** From the stop of the first of them until all were ready again, ms. */
  readonly away_ms: number;
}

/** An answer. */
export type RunAnswer =
  | { readonly status: "ok"; readonly run: RunState }
  | { readonly status: "error"; readonly message: string };

const requestSchema = z.strictObject({ command: z.enum(["status", "apply"]) });

const answerSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("ok"),
    run: z.object({
      acquiring: z.boolean(),
      services: z.record(z.string(), z.string()),
      restarted: z.array(z.string()),
      away_ms: z.number().nonnegative(),
    }),
  }),
  z.object({ status: z.literal("error"), message: z.string() }),
]);

/**
 * Reads a question.
 *
 * @throws {ProtocolError} If it is none; the message says what is wrong.
 */
export function decodeRunRequest(bytes: Uint8Array): RunRequest {
  return decodeJson("run request", requestSchema, bytes);
}

/**
 * Reads an answer.
 *
 * @throws {ProtocolError} If it is none.
 */
export function decodeRunAnswer(bytes: Uint8Array): RunAnswer {
  return decodeJson("run answer", answerSchema, bytes);
}

/** A question or an answer as it is sent. */
export function encodeRunMessage(message: RunRequest | RunAnswer): Uint8Array<ArrayBuffer> {
  return encodeJson(message);
}
