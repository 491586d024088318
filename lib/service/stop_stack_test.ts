import assert from "node:assert/strict";
import { StopStack } from "./stop_stack.ts";

Deno.test("StopStack.run() runs every step, the last added first, whatever the others do", async () => {
  const done: string[] = [];
  const stack = new StopStack(20);
  stack.push(() => void done.push("socket"), "socket");
  stack.push(() => new Promise<void>(() => {}), "stuck");
  stack.push(() => {
    throw new Error("cannot close");
  }, "file");
  stack.push(() => void done.push("worker"), "worker");
  const problems = await stack.run();
  assert.deepEqual(done, ["worker", "socket"]);
  assert.deepEqual(problems.map(({ name }) => name), ["file", "stuck"]);
  assert.match(String(problems[1]?.error), /stuck took longer than 20 ms/);
  assert.deepEqual(await stack.run(), []);
});

Deno.test("StopStack.run() begins every step, and waits for none when its time is up", async () => {
  const done: string[] = [];
  const stack = new StopStack();
  stack.push(() => void done.push("ring"), "ring");
  stack.push(() => {
    done.push("told");
    return new Promise<void>(() => {});
  }, "telling");
  stack.push(() => new Promise<void>(() => {}), "file");
  const problems = await stack.run(20);
  assert.deepEqual(done, ["told", "ring"]);
  assert.deepEqual(problems.map(({ name }) => name), ["file", "telling"]);
  assert.match(String(problems[1]?.error), /telling took longer than \d ms/);
});
