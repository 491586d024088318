/**
 * Names of what a bench run leaves in shared memory and in the temporary folder while it is at work.
 *
 * @module
 */

const PREFIX = `bench-${Deno.pid}-`;
const FOLDER_PREFIX = `std-daq-${PREFIX}`;
const SHM = "/dev/shm";
/** Where files go: the bench's permissions name it. */
const TEMPORARY = "/tmp";

/** A name in shared memory, of this run alone. */
export function benchName(what: string): string {
  return PREFIX + what;
}

/** A new temporary folder. */
export async function benchFolder(): Promise<string> {
  return await Deno.makeTempDir({ dir: TEMPORARY, prefix: FOLDER_PREFIX });
}

/** Removes everything of this run: for one that is interrupted. */
export function removeAll(): void {
  // Deno itself lists /dev/shm only for programs that may do everything.
  const all = `rm -rf ${SHM}/${PREFIX}* ${TEMPORARY}/${FOLDER_PREFIX}*`;
  new Deno.Command("sh", { args: ["-c", all] }).outputSync();
}
