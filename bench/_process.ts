/**
 * What a process uses, by /proc.
 *
 * @module
 */

/** Memory that a process has for itself, MB. */
export async function ownMemory(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/smaps_rollup`);
  const kib = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1]);
  return (kib("Pss_Anon") + kib("Pss_File")) * 1024 / 1e6;
}

/** CPU time of all threads of a process, µs. */
export async function cpuMicroseconds(pid: number): Promise<number> {
  let nanoseconds = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    try {
      const stat = await Deno.readTextFile(`/proc/${pid}/task/${name}/schedstat`);
      nanoseconds += Number(stat.split(" ")[0]);
    } catch (error) {
      if (!threadEnded(error)) throw error;
    }
  }
  return nanoseconds / 1e3;
}

/** Whether a thread's file could not be read because the thread was gone (ENOENT, or ESRCH once opened). */
function threadEnded(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    (error instanceof Error && error.message.includes("os error 3"));
}
