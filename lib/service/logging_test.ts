import assert from "node:assert/strict";
import fc from "fast-check";
import {
  configureLogging,
  formatForPeople,
  formatLine,
  logText,
  type LogThreshold,
  parseLine,
} from "./logging.ts";

function capture(
  level: LogThreshold,
  human = false,
): { lines: string[]; logger: ReturnType<typeof configureLogging> } {
  const lines: string[] = [];
  const logger = configureLogging({
    service: "det.recv",
    level,
    human,
    write: (line) => void lines.push(line),
  });
  return { lines, logger };
}

Deno.test("configureLogging() writes one line of JSON per record, with its values filled in and apart", () => {
  const { lines, logger } = capture("info");
  logger.info("{n} packets from {peer}", { n: 2n ** 40n, peer: "10.0.0.1" });
  assert.equal(lines.length, 1);
  assert.ok(lines[0]!.endsWith("\n"));
  const { time, ...line } = parseLine(lines[0]!)!;
  assert.match(time, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(line, {
    level: "info",
    service: "det.recv",
    message: "1099511627776 packets from 10.0.0.1",
    properties: { n: 1099511627776, peer: "10.0.0.1" },
  });
});

Deno.test("configureLogging() drops what is below the level, and at `off` all but the reason of a death", () => {
  const some = capture("warning");
  some.logger.info("no");
  some.logger.warning("yes");
  assert.equal(some.lines.length, 1);
  const off = capture("off");
  off.logger.error("no");
  logText(off.logger, "error", "no");
  off.logger.fatal("yes");
  assert.equal(off.lines.length, 1);
});

Deno.test("configureLogging() writes errors with code, stack and causes", () => {
  const { lines, logger } = capture("info");
  const error = Object.assign(new Error("no space", { cause: new Error("deep") }), {
    code: "ENOSPC",
  });
  logger.error("cannot write", { error });
  const { stack, cause, ...rest } = parseLine(lines[0]!)!.properties.error as Record<
    string,
    unknown
  >;
  assert.deepEqual(rest, { name: "Error", message: "no space", code: "ENOSPC" });
  assert.match(String(stack), /logging_test/);
  assert.equal((cause as Error).message, "deep");
});

Deno.test("logText() keeps braces and line feeds of foreign texts", () => {
  const { lines, logger } = capture("debug");
  logText(logger, "error", "a {b}\nc", { d: 1 });
  const { message, properties } = parseLine(lines[0]!)!;
  assert.deepEqual({ message, properties }, { message: "a {b}\nc", properties: { d: 1 } });
  assert.equal(lines[0]!.indexOf("\n"), lines[0]!.length - 1);
});

Deno.test("formatForPeople() shows time, level, service, message and the properties not in it", () => {
  const line = {
    time: "2026-01-02T03:04:05.678Z",
    level: "warning" as const,
    service: "recv",
    message: "5 late",
    properties: { n: 5, module: 3 },
  };
  assert.equal(formatForPeople(line), "03:04:05.678 warning recv: 5 late  module=3\n");
});

Deno.test("formatForPeople() lets nothing from elsewhere steer a terminal or look like another line", () => {
  const line = {
    time: "2026-01-02T03:04:05.678Z",
    level: "error" as const,
    service: "recv",
    message: "request \x1b[2J\u202e\x9bx\n03:04:05.679 info    recv: all is well",
    properties: { id: "a\nb\x07", error: new Error("no\nluck") },
  };
  const lines = formatForPeople(line).split("\n");
  assert.equal(lines.pop(), "");
  assert.equal(lines[0], "03:04:05.678 error   recv: request \ufffd[2J\ufffd\ufffdx");
  assert.match(lines[1]!, /^ {4}03:04:05\.679 info .*all is well {2}id=a b\ufffd$/);
  for (const further of lines.slice(1)) assert.match(further, /^ {4}/);
});

Deno.test("parseLine() reads what formatLine() wrote and nothing else", () => {
  fc.assert(fc.property(fc.string(), fc.dictionary(fc.string(), fc.string()), (message, bag) => {
    const properties = { ...bag };
    const line = { time: "t", level: "info" as const, service: "s", message, properties };
    assert.deepEqual(parseLine(formatLine(line)), line);
  }));
  fc.assert(fc.property(fc.json(), (text) => assert.equal(parseLine(text), undefined)));
  fc.assert(fc.property(fc.string(), (text) => assert.equal(parseLine(text), undefined)));
});
