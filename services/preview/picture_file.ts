/**
 * Pictures beside the files of others.
 *
 * @module
 */
import {
  effectiveUserId,
  Errno,
  type FileOwner,
  type FileUser,
  fileUserById,
  OsError,
} from "../../lib/os/mod.ts";
import { DataRoots, type FileOwnership } from "../../lib/writer/data_roots.ts";

/** What a picture is to be like, and what there is to say if it became that. */
interface Attempt {
  readonly ownership: FileOwnership;
  readonly warning?: string;
}

/**
 * Makes a picture that belongs to the user and the group of the file that it is of, and has its mode: whoever may
 * see the one may see the other. It is made as that user, as the file was: nothing is made where the user may not.
 * A process that may not do so makes a file of its own, of that group if it is in it; where it is not, its own
 * group may do no more with the picture than everybody.
 *
 * @param roots Absolute paths of the folders that may be written to.
 * @param onWarning Told when the picture is another user's, or group's, than the file.
 * @throws {OsError} EEXIST, EACCES, ENOSPC, …; there is no picture then.
 */
export function writePicture(
  path: string,
  bytes: Uint8Array,
  { roots, owner, onWarning }: {
    roots: readonly string[];
    owner: FileOwner;
    onWarning: (message: string) => void;
  },
): void {
  const attempts = attemptsFor(owner);
  for (const [i, { ownership, warning }] of attempts.entries()) {
    try {
      new DataRoots(roots, ownership).write(path, bytes);
      if (warning !== undefined) onWarning(warning);
      return;
    } catch (error) {
      const isRefused = error instanceof OsError && error.errno === Errno.EPERM;
      if (!isRefused || i === attempts.length - 1) throw error;
    }
  }
}

function attemptsFor({ uid, gid, mode: allBits }: FileOwner): Attempt[] {
  const us = effectiveUserId();
  const mode = allBits & 0o666;
  const everybody = mode & 0o004;
  const notTheirs = `pictures of user ${uid}'s files belong to user ${us}`;
  const notTheirGroup =
    `${uid === us ? "pictures" : notTheirs + " and"} are not of group ${gid}: ` +
    `add user ${us} to it`;
  const capabilities = "give the service CAP_SETUID and CAP_SETGID";
  return [
    ...(uid === us ? [] : [{ ownership: { mode, gid, user: ownerAsUser(uid, gid) } }]),
    {
      ownership: { mode, gid },
      ...(uid !== us && { warning: `${notTheirs}: ${capabilities}` }),
    },
    {
      ownership: { mode: mode & 0o604 | everybody << 3 },
      warning: notTheirGroup + (uid === us ? "" : `, or ${capabilities}`),
    },
  ];
}

/** The owner of a file, who may use its group's files: also one that this machine knows by number only. */
function ownerAsUser(uid: number, gid: number): FileUser {
  const groups = fileUserById(uid)?.groups ?? [];
  return { uid, gid, groups: groups.includes(gid) ? groups : [...groups, gid] };
}
