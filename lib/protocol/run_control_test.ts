import { deepStrictEqual, throws } from "node:assert/strict";
import {
  decodeRunAnswer,
  decodeRunRequest,
  encodeRunMessage,
  type RunAnswer,
  type RunRequest,
} from "./run_control.ts";

Deno.test("questions to daq run and its answers survive the way", () => {
  const request: RunRequest = { command: "apply" };
  deepStrictEqual(decodeRunRequest(encodeRunMessage(request)), request);
  const answers: RunAnswer[] = [
    { status: "error", message: "no" },
    {
      status: "ok",
      run: { acquiring: true, services: { a: "ready" }, restarted: ["a"], away_ms: 1.5 },
    },
  ];
  for (const answer of answers) deepStrictEqual(decodeRunAnswer(encodeRunMessage(answer)), answer);
});

Deno.test("what is no question to daq run is refused with the reason", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  throws(() => decodeRunRequest(bytes("{")), /run request: 1 bytes that are no JSON/);
  throws(() => decodeRunRequest(bytes('{"command":"reboot"}')), /run request: command: /);
  throws(
    () => decodeRunRequest(bytes('{"command":"apply","file":"/etc/passwd"}')),
    /run request: /,
  );
  throws(() => decodeRunAnswer(bytes('{"status":"ok"}')), /run answer: run: /);
});
