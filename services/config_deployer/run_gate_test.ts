import assert from "node:assert/strict";
import { runGate } from "../../lib/acquisition/run_locks.ts";
import { lockedGate } from "./run_gate.ts";

Deno.test("lockedGate() waits for the run under way and lets none begin in its wake", async () => {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-gate-" });
  try {
    const agent = runGate("JF1", folder);
    const run = agent.enter();
    assert.ok(!("refused" in run));
    const waits = Promise.withResolvers<string>();
    const { signal } = new AbortController();
    const closing = lockedGate(folder, waits.resolve).close("JF1", signal);
    assert.match(await waits.promise, /^waiting for the end of the acquisition/);
    run[Symbol.dispose]();
    // In the very moment of its end, which the deployer has not seen yet.
    assert.ok("refused" in agent.enter());
    {
      using _closed = await closing;
      assert.ok("refused" in agent.enter());
    }
    const next = agent.enter();
    assert.ok(!("refused" in next));
    next[Symbol.dispose]();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("lockedGate() waits for another deployment, and opens again when it is given up", async () => {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-gate-" });
  try {
    const { signal } = new AbortController();
    const gate = lockedGate(folder, () => {});
    {
      using _other = await gate.close("JF1", signal);
      const waits = Promise.withResolvers<string>();
      const ending = new AbortController();
      const second = lockedGate(folder, waits.resolve).close("JF1", ending.signal);
      assert.match(await waits.promise, /^waiting for another deployment of JF1/);
      ending.abort();
      await assert.rejects(second, /AbortError/);
    }
    using _free = await gate.close("JF1", signal);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
