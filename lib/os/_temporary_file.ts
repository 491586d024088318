/**
 * Files that are in work under names of their own, and what is left of them after a kill.
 *
 * A temporary file is called `.std-daq.<uuid>.<boot id>.part`. Whoever makes it holds a shared lock (flock) on it
 * until it has its right name: a lock that the kernel drops with the process, so that an exclusive one which can
 * be taken proves that its maker is gone. Shared, since HDF5's readers take such a lock themselves: a file that
 * has just got its name opens although its maker has not let go of it yet. Locks of other machines need not be
 * seen (GPFS, Lustre, NFS by its mount options), so that the name has the id of the running kernel.
 *
 * @module
 */
import { cString, libc } from "./_libc.ts";
import { OsError } from "./errno.ts";
import { wallClockNs } from "./clock.ts";
import { File } from "./file.ts";

const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

/** A folder with more names is looked through only so far. */
const MOST_NAMES = 20_000;

/**
 * Younger files are left alone, s: they are most likely in work, and a lock that is tried just when its holder
 * lets go would keep a reader of the new file out for that moment.
 */
const YOUNG_S = 5;

/** Times that a file is made anew because somebody took it for one that was left. */
const TRIES = 3;

/** A file that does not have its right name. */
export interface TemporaryFile {
  /** Open for reading and writing. */
  readonly file: File;
  /** Its name in the folder. */
  readonly name: string;
}

/**
 * Makes a temporary file. Where there are no locks, it has a name that {@link removeLeftTemporaries} does not know.
 *
 * @param mode Permission bits, exact.
 * @param path What {@link File.path} is to be.
 * @throws {OsError} EACCES, ENOSPC, …
 */
export function makeTemporary(folder: File, mode: number, path: string): TemporaryFile {
  const boot = bootId();
  for (let i = 0; boot !== undefined && i < TRIES; i++) {
    const name = `.std-daq.${crypto.randomUUID()}.${boot}.part`;
    const file = File.createIn(folder, name, mode, path);
    const locked = tryHold(file);
    if (locked) return { file, name };
    libc.unlinkat(folder.fd, cString(name), 0);
    file.close();
    if (locked === undefined) break;
  }
  const name = `.std-daq.${crypto.randomUUID()}.part`;
  return { file: File.createIn(folder, name, mode, path), name };
}

/**
 * Removes the temporary files in a folder that processes of this machine left when they were killed, since it
 * started last. What may not be listed, opened or locked stays, and so does every other file.
 */
export function removeLeftTemporaries(folder: File): void {
  const boot = bootId();
  if (boot === undefined) return;
  const isOurs = new RegExp(`^\\.std-daq\\.${UUID}\\.${boot}\\.part$`);
  try {
    for (const name of File.namesIn(folder, MOST_NAMES)) {
      if (isOurs.test(name)) removeIfLeft(folder, name);
    }
  } catch (error) {
    if (!(error instanceof OsError)) throw error; // nobody needs the right to list it
  }
}

function removeIfLeft(folder: File, name: string): void {
  try {
    using file = File.openIn(folder, name, `${folder.path}/${name}`);
    const age = Number(wallClockNs() / 1_000_000_000n) - file.modifiedS();
    if (!file.isRegular() || age < YOUNG_S || !file.tryLock()) return;
    libc.unlinkat(folder.fd, cString(name), 0);
  } catch (error) {
    if (!(error instanceof OsError)) throw error; // another user's, gone by now, or no locks here
  }
}

/** Whether the lock is held, and the file still there; undefined where there are no locks. */
function tryHold(file: File): boolean | undefined {
  try {
    return file.tryLockShared() && file.linkCount() > 0;
  } catch (error) {
    if (error instanceof OsError) return undefined;
    throw error;
  }
}

let known: { readonly boot: string | undefined } | undefined;

/** Which run of the machine's kernel this is; the same in all its containers. */
function bootId(): string | undefined {
  known ??= { boot: readBootId() };
  return known.boot;
}

function readBootId(): string | undefined {
  try {
    using file = File.open("/proc/sys/kernel/random/boot_id");
    const bytes = new Uint8Array(64);
    const text = new TextDecoder().decode(bytes.subarray(0, file.readAt(bytes, 0))).trim();
    return new RegExp(`^${UUID}$`).test(text) ? text : undefined;
  } catch (error) {
    if (error instanceof OsError) return undefined; // /proc is not there
    throw error;
  }
}
