/**
 * The machine that is measured on, for the table's head.
 *
 * @module
 */

import { readKernelFiles } from "./_process.ts";

/** A paragraph: CPU, cores, memory, kernel, versions, date, and what else ran. */
export async function describeMachine(): Promise<string> {
  const cpu = /^model name\s*:\s*(.+)$/m.exec(await readKernelFiles("/proc/cpuinfo"))?.[1] ??
    Deno.build.arch;
  const cache = await readKernelFiles("/sys/devices/system/cpu/cpu0/cache/index3/size")
    .catch(() => "?");
  const { total } = Deno.systemMemoryInfo();
  const [load] = Deno.loadavg();
  const gcc = new TextDecoder().decode(
    (await new Deno.Command("gcc", { args: ["--version"] }).output()).stdout,
  );
  return [
    `- CPU: ${cpu}, ${navigator.hardwareConcurrency} cores, L3 ${cache.trim()}`,
    `- Memory: ${(total / 2 ** 30).toFixed(0)} GiB`,
    `- Kernel: Linux ${Deno.osRelease()}`,
    `- Deno ${Deno.version.deno}, V8 ${Deno.version.v8}; ${gcc.split("\n")[0]}, -O3 -march=native`,
    `- Date: ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC; load average before: ${
      load!.toFixed(1)
    }`,
  ].join("\n");
}
