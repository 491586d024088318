/**
 * Whose the files are that the service writes, by its config.
 *
 * @module
 */
import type { DetectorConfig } from "../../lib/config/mod.ts";
import { asFileUser, effectiveUserId, type FileUser, fileUserById } from "../../lib/os/mod.ts";
import { resolveGroup, UsageError } from "../../lib/service/mod.ts";
import type { FileOwnership } from "../../lib/writer/mod.ts";

/** The fields that decide. */
type OwnershipConfig = Pick<
  DetectorConfig,
  "file_mode" | "file_group" | "switch_user_active" | "writer_user_id" | "allowed_user_ids"
>;

/**
 * Mode, group and user of files, and the users that runs may ask for. That this process may make files as each
 * of them is tried.
 *
 * @param onWarning Told what is allowed and hardly wanted.
 * @throws {UsageError} If there is no such user or group.
 * @throws {OsError} EPERM if this process may not make files as one of the users.
 */
export async function fileOwnership(
  config: OwnershipConfig,
  onWarning: (message: string) => void,
): Promise<FileOwnership> {
  const gid = await resolveGroup(config.file_group, "file_group");
  const { switch_user_active = true, writer_user_id, allowed_user_ids } = config;
  const user = switch_user_active ? fileUser("writer_user_id", writer_user_id, gid) : undefined;
  const users = new Map(
    allowed_user_ids.map((uid) => [uid, fileUser("allowed_user_ids", uid, gid)]),
  );
  for (const each of [user, ...users.values()]) if (each !== undefined) asFileUser(each, () => {});
  const isAskedFor = switch_user_active && writer_user_id === 0;
  if (effectiveUserId() === 0 && user === undefined && !isAskedFor) {
    onWarning(
      "files will belong to root: set writer_user_id" +
        (switch_user_active ? "" : " and switch_user_active") +
        ", or run the service as another user",
    );
  }
  return { mode: parseInt(config.file_mode, 8), gid, user, users };
}

/** The user to become; undefined where that is who we are, or nobody is named. */
function fileUser(
  field: string,
  uid: number | undefined,
  gid: number | undefined,
): FileUser | undefined {
  if (uid === undefined || uid === effectiveUserId()) return undefined;
  const known = fileUserById(uid);
  if (known !== undefined) return known;
  // In a container the users of the machine may have numbers only.
  if (gid !== undefined) return { uid, gid, groups: [gid] };
  throw new UsageError(
    `${field} ${uid}: this machine has no such user, and so no group for its files: ` +
      "correct it, or give file_group, too",
  );
}
