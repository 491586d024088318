/**
 * A file writer that writes nothing: tells each action on stdout, one JSON line, and answers it.
 *
 * Arguments: detector, folder of the ipc sockets.
 */
import {
  type ClosedRun,
  decodeWriterAction,
  driverAddress,
  encodeWriterResponse,
  type WriterAction,
  writerAddress,
  type WriterResponse,
} from "../../../lib/protocol/mod.ts";
import { stringifyJson } from "../../../lib/http/mod.ts";
import { REASON_FILE_OPEN, REASON_NO_FILE } from "../../../lib/acquisition/mod.ts";
import { Socket } from "../../../lib/zmq/mod.ts";

const [detector = "", folder = ""] = Deno.args;
const actions = new Socket("PULL");
actions.connect(driverAddress(detector, 0, folder));
const answers = new Socket("PUSH");
answers.bind(writerAddress(detector, 0, folder));
let open: ClosedRun | undefined;
let nWritten = 0;

tell({ event: "ready" });
for await (const [bytes] of actions) {
  const action = decodeWriterAction(bytes ?? new Uint8Array());
  tell(action);
  const answer: WriterResponse = { action: action.action, ...perform(action) };
  await answers.send(encodeWriterResponse(answer));
}

function perform(action: WriterAction): Omit<WriterResponse, "action"> {
  if (action.action === "create_file") {
    if (open) return { code: "failure", reason: REASON_FILE_OPEN };
    const { path, runId, nImages } = action;
    open = { path, runId, nImages, startTime: 1 };
    nWritten = 0;
    return { code: "success", reason: "" };
  }
  if (!open) return { code: "failure", reason: REASON_NO_FILE };
  if (action.action === "record_image") nWritten++;
  const answer = { code: "success", reason: "", nWritten } as const;
  if (action.action !== "close_file") return answer;
  const closed = open;
  open = undefined;
  return { ...answer, closed };
}

function tell(what: object): void {
  Deno.stdout.writeSync(new TextEncoder().encode(stringifyJson(what) + "\n"));
}
