/**
 * Arguments and settings that several services share.
 *
 * @module
 */
import { readEnv } from "./env.ts";
import { UsageError } from "./usage_error.ts";

/**
 * A list of modules such as `0-3,7`; all modules where none is given.
 *
 * @param modules How many the detector has.
 * @throws {UsageError} If it is no such list, names a module twice or one that does not exist.
 */
export function parseModules(list: string | undefined, modules: number): number[] {
  if (list === undefined) return Array.from({ length: modules }, (_, module) => module);
  const result = list.split(",").flatMap((part) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || last < first || last >= modules) {
      throw new UsageError(
        `--modules ${list}: "${part}" is not a module or a range of modules of this detector; ` +
          `give numbers from 0 to ${modules - 1}, e.g. 0-${modules - 1}`,
      );
    }
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  if (new Set(result).size !== result.length) {
    throw new UsageError(`--modules ${list} names a module twice`);
  }
  return result;
}

/** Folder of the ipc sockets: STD_DAQ_IPC_DIR, or std-daq's own choice. */
export function ipcFolder(): string {
  return readEnv("STD_DAQ_IPC_DIR") ?? "/tmp";
}

/**
 * Number of a group, given by name or number.
 *
 * @param field What gives it, for the error.
 * @throws {UsageError} If /etc/group has no such group.
 */
export async function resolveGroup(
  group: string | number | undefined,
  field = "shm_group",
): Promise<number | undefined> {
  if (group === undefined || typeof group === "number") return group;
  if (/^\d+$/.test(group)) return Number(group);
  const line = (await Deno.readTextFile("/etc/group")).split("\n").find((l) =>
    l.startsWith(`${group}:`)
  );
  const gid = Number(line?.split(":")[2]);
  if (!Number.isInteger(gid)) {
    throw new UsageError(
      `${field} ${
        JSON.stringify(group)
      }: /etc/group has no such group; create it or give its number`,
    );
  }
  return gid;
}
