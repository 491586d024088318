import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { isRunUnderWay, runGate, type RunLeave, tryCloseGate } from "./run_locks.ts";

function withFolder(body: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "std-daq-gate-" });
  try {
    body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function why(leave: RunLeave): string | undefined {
  return "refused" in leave ? leave.refused : undefined;
}

Deno.test("no run begins while its gate is closed, and one that has begun is seen", () =>
  withFolder((folder) => {
    const gate = runGate("JF1", folder);
    const run = gate.enter();
    ok(!("refused" in run));
    {
      using closed = tryCloseGate("JF1", folder);
      ok(closed, "a run does not keep the gate open");
      strictEqual(tryCloseGate("JF1", folder), undefined);
      strictEqual(isRunUnderWay("JF1", folder), true);
      run[Symbol.dispose]();
      strictEqual(isRunUnderWay("JF1", folder), false);
      match(why(gate.enter()) ?? "", /^A config is being deployed.*no run begins meanwhile/);
      const other = runGate("JF2", folder).enter();
      ok(!("refused" in other), "another detector's does not matter");
      other[Symbol.dispose]();
    }
    const next = gate.enter();
    ok(!("refused" in next));
    next[Symbol.dispose]();
    deepStrictEqual([...Deno.readDirSync(folder)], []);
  }));

Deno.test("a gate that cannot be seen keeps runs out, and says why", () =>
  withFolder((folder) => {
    const leave = runGate("JF1", `${folder}/none`).enter();
    match(why(leave) ?? "", /cannot be seen: .*JF1-deployment\.lock: ENOENT/);
  }));
