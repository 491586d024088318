import assert from "node:assert/strict";
import { programCall } from "./service_command.ts";

const COMMAND = {
  name: "det.recv",
  main: new URL("file:///opt/std daq/services/std_udp_recv/main.ts"),
  args: ["JF.json", "--modules", "0-3"],
  permissions: ["--allow-read=JF.json"],
  logLevel: "debug",
};
const ARGS = [
  "JF.json",
  "--modules",
  "0-3",
  "--service-name",
  "det.recv",
  "--exit-with-parent",
  "--log-level",
  "debug",
];

Deno.test("programCall() runs the script with exactly its permissions, without prompts", () => {
  assert.deepEqual(programCall(COMMAND, { execPath: "/usr/bin/deno", standalone: false }), {
    program: "/usr/bin/deno",
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-read=JF.json",
      "/opt/std daq/services/std_udp_recv/main.ts",
      ...ARGS,
    ],
  });
});

Deno.test("programCall() tells a service the name that others know it by", () => {
  const { args } = programCall({ ...COMMAND, serviceName: "psi.det.recv" });
  assert.equal(args[args.indexOf("--service-name") + 1], "psi.det.recv");
});

Deno.test("programCall() runs the sibling binary from a compiled binary", () => {
  assert.deepEqual(programCall(COMMAND, { execPath: "/usr/local/bin/daq", standalone: true }), {
    program: "/usr/local/bin/std_udp_recv",
    args: ARGS,
  });
});
