import assert from "node:assert/strict";
import { limited } from "./limited.ts";
import { configureLogging, parseLine } from "./logging.ts";

function fixture(): {
  lines: () => unknown[];
  log: ReturnType<typeof limited>;
  at(ms: number): void;
} {
  const texts: string[] = [];
  let now = 0;
  const logger = configureLogging({
    service: "t",
    level: "debug",
    human: false,
    write: (line) => void texts.push(line),
  });
  return {
    lines: () => texts.map((text) => [parseLine(text)?.message, parseLine(text)?.properties]),
    log: limited(logger, crypto.randomUUID(), 2, () => now),
    at: (ms) => void (now = ms),
  };
}

Deno.test("limited() lets a burst through, then counts, then says how many were suppressed", () => {
  const { log, lines, at } = fixture();
  for (let i = 0; i < 5; i++) log.log("warning", "packet {i}", { i });
  at(500);
  log.log("warning", "packet {i}", { i: 5 });
  at(5_000);
  log.log("warning", "packet {i}", { i: 6 });
  assert.deepEqual(lines(), [
    ["packet 0", { i: 0 }],
    ["packet 1", { i: 1 }],
    ["packet 5", { i: 5, suppressed: 3 }],
    ["packet 6", { i: 6 }],
  ]);
});

Deno.test("limited() tells on flush what it still holds back, once", () => {
  const { log, lines } = fixture();
  for (let i = 0; i < 4; i++) log.log("warning", "packet");
  log.flush();
  log.flush();
  assert.equal(lines().length, 3);
  assert.match(JSON.stringify(lines()[2]), /"2 more lines of .* were suppressed"/);
});

Deno.test("limited() gives the same limiter for the same logger and key", () => {
  const logger = configureLogging({ service: "t", level: "debug", write: () => {} });
  const key = crypto.randomUUID();
  assert.equal(limited(logger, key, 1), limited(logger, key, 1));
});
