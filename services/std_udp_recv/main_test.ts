import { equal, match, ok } from "node:assert/strict";
import { jungfrauConfig, ROOT, TestProcess } from "../../tests/harness/mod.ts";

const MAIN = new URL("main.ts", import.meta.url).pathname;

function start(config: string, ...args: string[]): TestProcess {
  const permissions = ["--no-prompt", "-P=std_udp_recv", `--allow-read=${config},${ROOT}`];
  const all = ["run", "--quiet", ...permissions, MAIN, config, ...args];
  return new TestProcess("std_udp_recv", Deno.execPath(), all);
}

/** The CPUs that each thread of a process may use, as the kernel writes them. */
function cpusOfThreads(pid: number): string[] {
  const threads = [...Deno.readDirSync(`/proc/${pid}/task`)];
  return threads.flatMap(({ name }) => {
    const status = Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`);
    return /^Cpus_allowed_list:\t(.+)$/m.exec(status)?.[1] ?? [];
  });
}

Deno.test("std_udp_recv pins its threads to the CPUs of a list with ranges", async () => {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(path, JSON.stringify(jungfrauConfig(1, { frame_slots: 16 })));
    await using receiver = start(path, "--cpus", "0-0");
    await receiver.ready();
    ok(cpusOfThreads(receiver.pid).includes("0"));
    equal((await receiver.stop()).code, 0);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("std_udp_recv has status 2 for CPUs that are no list, or are not there", async () => {
  const config = new URL("../../docs/examples/jungfrau-1m.json", import.meta.url).pathname;
  for (
    const [cpus, complaint] of [
      ["a", /--cpus <list>' argument 'a' is invalid\. "a" is no list of CPUs; give one such/],
      ["0,1023", /CPU 1023 is not there: this machine has 0/],
    ] as const
  ) {
    await using receiver = start(config, "--cpus", cpus);
    equal((await receiver.end()).code, 2);
    match(receiver.tail(), complaint);
  }
});
