/**
 * Questions to an assembler about its calibration, and its answers: JSON, REQ and REP over
 * `ipc:///tmp/<detector>-calibration`. Ours; the original has no such socket.
 *
 * @module
 */
import { z } from "zod";
import { decodeJson, encodeJson } from "./_json_message.ts";

/** A question: what is in force, or have the next images made with another pedestal. */
export type CalibrationRequest =
  | { readonly command: "status" }
  | {
    readonly command: "load";
    /**
     * Absolute path of a pedestal file; gains and a pixel mask in it replace those of the config's gain
     * and pedestal files, what it lacks is the config's.
     */
    readonly file: string;
  };

/** A calibration that images are made with. */
export interface CalibrationState {
  /** Its id as people write it, 16 hexadecimal digits; images carry it as a number. */
  readonly calibration_id: string;
  /** When it was read, ISO 8601. */
  readonly loaded: string;
  /** Where its gains are from: a file, or one per module. */
  readonly gains: string | readonly string[];
  /** Where its pedestals are from. */
  readonly pedestal: string | readonly string[];
  /** Where its pixel mask is from, or the masks that it is put together from; null if it has none. */
  readonly pixel_mask: string | readonly string[] | null;
  /** Masked pixels of all modules: by the mask, and those without usable gain or pedestal. */
  readonly masked: { readonly mask: number; readonly gain: number; readonly pedestal: number };
}

/** An answer; that of `load` comes when the next image that begins gets the calibration. */
export type CalibrationAnswer =
  | { readonly status: "ok"; readonly calibration: CalibrationState }
  | { readonly status: "error"; readonly message: string };

/** A calibration's id as people write it: 16 hexadecimal digits. */
export function formatCalibrationId(id: bigint): string {
  return id.toString(16).padStart(16, "0");
}

const path = z.union([z.string(), z.array(z.string())]);
const count = z.int().min(0);

const requestSchema = z.discriminatedUnion("command", [
  z.strictObject({ command: z.literal("status") }),
  z.strictObject({
    command: z.literal("load"),
    file: z.string().regex(/^\/[^\0]*$/, "expected an absolute path"),
  }),
]);

const answerSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("ok"),
    calibration: z.object({
      calibration_id: z.string().regex(/^[0-9a-f]{16}$/),
      loaded: z.iso.datetime(),
      gains: path,
      pedestal: path,
      pixel_mask: path.nullable(),
      masked: z.object({ mask: count, gain: count, pedestal: count }),
    }),
  }),
  z.object({ status: z.literal("error"), message: z.string() }),
]);

/**
 * Reads a question.
 *
 * @throws {ProtocolError} If it is none; the message says what is wrong.
 */
export function decodeCalibrationRequest(bytes: Uint8Array): CalibrationRequest {
  return decodeJson("calibration request", requestSchema, bytes);
}

/**
 * Reads an answer.
 *
 * @throws {ProtocolError} If it is none.
 */
export function decodeCalibrationAnswer(bytes: Uint8Array): CalibrationAnswer {
  return decodeJson("calibration answer", answerSchema, bytes);
}

/** A question or an answer as it is sent. */
export function encodeCalibrationMessage(
  message: CalibrationRequest | CalibrationAnswer,
): Uint8Array<ArrayBuffer> {
  return encodeJson(message);
}
