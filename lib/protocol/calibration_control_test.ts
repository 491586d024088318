import assert from "node:assert/strict";
import {
  type CalibrationAnswer,
  type CalibrationRequest,
  decodeCalibrationAnswer,
  decodeCalibrationRequest,
  encodeCalibrationMessage,
} from "./calibration_control.ts";

Deno.test("questions and answers survive the wire", () => {
  const requests: CalibrationRequest[] = [
    { command: "status" },
    { command: "load", file: "/calibration/p.h5" },
  ];
  for (const request of requests) {
    assert.deepEqual(decodeCalibrationRequest(encodeCalibrationMessage(request)), request);
  }
  const answers: CalibrationAnswer[] = [
    { status: "error", message: "no" },
    {
      status: "ok",
      calibration: {
        calibration_id: "00000000000000ff",
        loaded: "2026-07-01T12:00:00.000Z",
        gains: ["/a", "/b"],
        pedestal: "/p",
        pixel_mask: null,
        masked: { mask: 1, gain: 2, pedestal: 3 },
      },
    },
  ];
  for (const answer of answers) {
    assert.deepEqual(decodeCalibrationAnswer(encodeCalibrationMessage(answer)), answer);
  }
});

Deno.test("what is no question is refused with the reason", () => {
  const cases: [string, RegExp][] = [
    ["", /0 bytes that are no JSON/],
    ["[1]", /calibration request: /],
    ['{"command":"unload"}', /command: /],
    ['{"command":"load"}', /file: /],
    ['{"command":"load","file":"p.h5"}', /file: expected an absolute path/],
    ['{"command":"status","more":1}', /more/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => decodeCalibrationRequest(new TextEncoder().encode(text)), {
      name: "ProtocolError",
      message,
    });
  }
});
