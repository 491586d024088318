/**
 * Files as another user: the file system's idea of who a thread is.
 *
 * @module
 */
import { copyFrom } from "./address.ts";
import { libc } from "./_libc.ts";
import { Errno, lastErrno, OsError } from "./errno.ts";

/** These two calls have other numbers on arm64. */
const [SYS_GETGROUPS, SYS_SETGROUPS] = Deno.build.arch === "aarch64" ? [158n, 159n] : [115n, 116n];
const MOST_GROUPS = 65_536;
const NO_CHANGE = 0xffff_ffff;

/** A user as files know one. */
export interface FileUser {
  /** User id. */
  readonly uid: number;
  /** Group of files that are made. */
  readonly gid: number;
  /** All groups whose files may be used. */
  readonly groups: readonly number[];
}

/** The user id that this process has. */
export function effectiveUserId(): number {
  return libc.geteuid();
}

/**
 * A user by number, with all groups, as the machine's user database has them (LDAP and the like
 * included).
 *
 * @returns undefined if there is no such user.
 */
export function fileUserById(uid: number): FileUser | undefined {
  // struct passwd {char *name, char *password, u32 uid, u32 gid, …}
  const at = libc.getpwuid(uid);
  if (at === 0n) return undefined;
  const entry = new BigUint64Array(3);
  copyFrom(at, new Uint8Array(entry.buffer));
  const gid = Number(entry[2]! >> 32n);
  const name = textAt(entry[0]!);
  const groups = new Uint32Array(MOST_GROUPS);
  const count = new Int32Array([MOST_GROUPS]);
  const found = libc.getgrouplist(name, gid, asBytes(groups), asBytes(count));
  return { uid, gid, groups: found < 0 ? [gid] : [...groups.subarray(0, count[0])] };
}

/**
 * Has `action` make, open and remove files as another user: what it may not do is refused, what it makes
 * is theirs. Only the calling thread changes, and it is as before afterwards.
 *
 * @throws {OsError} EPERM if this process may not do so; `action` did not run then.
 */
export function asFileUser<T>(user: FileUser, action: () => T): T {
  const before = threadGroups();
  setThreadGroups(user.groups);
  try {
    const gid = libc.setfsgid(user.gid);
    try {
      const uid = libc.setfsuid(user.uid);
      try {
        // These calls do not say whether they succeeded.
        if (libc.setfsuid(NO_CHANGE) !== user.uid || libc.setfsgid(NO_CHANGE) !== user.gid) {
          throw notPermitted("setfsuid", user);
        }
        return action();
      } finally {
        libc.setfsuid(uid);
      }
    } finally {
      libc.setfsgid(gid);
    }
  } finally {
    setThreadGroups(before);
  }

  function setThreadGroups(groups: readonly number[]): void {
    const list = Uint32Array.from(groups);
    const count = BigInt(list.length);
    if (libc.setgroups_thread(SYS_SETGROUPS, count, asBytes(list)) === 0n) return;
    throw lastErrno() === Errno.EPERM
      ? notPermitted("setgroups", user)
      : new OsError("setgroups", lastErrno(), `${groups.length} groups`);
  }
}

function notPermitted(call: string, { uid, gid }: FileUser): OsError {
  return new OsError(
    call,
    Errno.EPERM,
    `to user ${uid}, group ${gid}: needs CAP_SETUID and CAP_SETGID, or to run as this user`,
  );
}

function threadGroups(): number[] {
  const list = new Uint32Array(MOST_GROUPS);
  const count = libc.getgroups_thread(SYS_GETGROUPS, BigInt(MOST_GROUPS), asBytes(list));
  return [...list.subarray(0, Number(count))];
}

/** Bytes of a text in foreign memory, its NUL included. */
function textAt(address: bigint): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const byte = new Uint8Array(1);
  do {
    copyFrom(address + BigInt(bytes.length), byte);
    bytes.push(byte[0]!);
  } while (byte[0] !== 0);
  return Uint8Array.from(bytes);
}

function asBytes(
  view: Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(view.buffer);
}
