import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { OsError } from "./errno.ts";
import { runScript } from "./_run_script_test_util.ts";
import { cpuTimeMicroseconds, pinThread, processId, signalGroup } from "./process.ts";

Deno.test("processId() is the process's own", () => {
  strictEqual(processId(), Deno.pid);
});

Deno.test("withUmask() applies its mask during the action only", async () => {
  // The umask belongs to the whole process, so a process of its own changes it.
  const lines = await runScript(`
    import { withUmask } from ${JSON.stringify(new URL("./process.ts", import.meta.url).href)};
    Deno.umask(0o022);
    console.log(withUmask(0o177, () => Deno.umask()), Deno.umask());
    try {
      withUmask(0o177, () => { throw new RangeError("inside"); });
    } catch (error) {
      console.log(error.name, Deno.umask());
    }`);
  deepStrictEqual(lines, [`${0o177} ${0o022}`, `RangeError ${0o022}`]);
});

Deno.test("signalGroup() reaches what a child has started, and says when nothing is left", async () => {
  const child = new Deno.Command("sh", {
    args: ["-c", "sleep 600 & echo; wait"],
    stdout: "piped",
    detached: true,
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read(); // both are there
  ok(signalGroup(child.pid, "none"));
  ok(signalGroup(child.pid, "SIGKILL"));
  strictEqual((await child.status).signal, "SIGKILL");
  strictEqual((await reader.read()).done, true, "sleep, too, has closed it");
  const alone = new Deno.Command("true", { detached: true }).spawn();
  await alone.status;
  strictEqual(signalGroup(alone.pid, "none"), false);
  for (const nobody of [0, 1, -5, 1.5]) throws(() => signalGroup(nobody, "none"), RangeError);
});

Deno.test("pinThread() refuses CPUs that cannot exist", () => {
  throws(() => pinThread([-1]), RangeError);
  throws(() => pinThread([1.5]), RangeError);
  throws(() => pinThread([1024]), RangeError);
});

Deno.test("pinThread() says EINVAL for a CPU that this machine lacks", () => {
  if (navigator.hardwareConcurrency > 1000) return;
  throws(() => pinThread([1023]), (error: unknown) => {
    ok(error instanceof OsError);
    strictEqual(error.code, "EINVAL");
    ok(error.message.includes("1023"));
    return true;
  });
});

Deno.test("cpuTimeMicroseconds() tells less time than the kernel's tick", () => {
  for (const who of ["thread", "process"] as const) {
    let step = Infinity;
    for (let i = 0, last = cpuTimeMicroseconds(who); i < 1000; i++) {
      const now = cpuTimeMicroseconds(who);
      if (now > last) step = Math.min(step, now - last);
      last = now;
    }
    ok(step < 100, `the shortest step of the ${who}'s time is ${step} µs, expected less than 100`);
  }
});

Deno.test("cpuTimeMicroseconds() grows while this thread works", () => {
  const thread = cpuTimeMicroseconds("thread");
  const process = cpuTimeMicroseconds("process");
  ok(process >= thread);
  const end = thread + 5000;
  const deadline = Date.now() + 30_000;
  while (cpuTimeMicroseconds("thread") < end) ok(Date.now() < deadline, "no CPU time passes");
  ok(cpuTimeMicroseconds("process") >= process + 5000);
});
