/**
 * What a process uses, and whatever else the kernel tells in files.
 *
 * @module
 */

/** Memory that a process has for itself, MB. */
export async function ownMemory(pid: number): Promise<number> {
  const text = await readKernelFiles(`/proc/${pid}/smaps_rollup`);
  const kib = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1]);
  return (kib("Pss_Anon") + kib("Pss_File")) * 1024 / 1e6;
}

/** CPU time of all threads of a process, µs. */
export async function cpuMicroseconds(pid: number): Promise<number> {
  const threads = (await readKernelFiles(`/proc/${pid}/task/*/schedstat`)).trim().split("\n");
  const nanoseconds = threads.map((line) => Number(line.split(" ")[0])).reduce((a, b) => a + b, 0);
  return nanoseconds / 1e3;
}

/**
 * What files of /proc and /sys say that a pattern of the shell names. Deno itself reads them only for programs
 * that may do everything; threads that end in the meantime are left out.
 *
 * @throws {Error} If there is none.
 */
export async function readKernelFiles(pattern: string): Promise<string> {
  const command = new Deno.Command("sh", { args: ["-c", `cat ${pattern}`], stderr: "null" });
  const text = new TextDecoder().decode((await command.output()).stdout);
  if (text === "") {
    throw new Error(`${pattern} cannot be read: the process has ended, or is another's`);
  }
  return text;
}
