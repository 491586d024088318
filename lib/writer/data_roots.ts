/**
 * The folders that files may be written to.
 *
 * @module
 */
import { File } from "../os/mod.ts";

/** A path outside the allowed folders. */
export class OutsideRootsError extends Error {
  override name = "OutsideRootsError";
}

/**
 * Creates a file below one of the allowed folders; it must not exist yet. The kernel resolves the path:
 * neither `..` nor a symbolic link leads out of the folder.
 *
 * @param roots Absolute paths of the allowed folders.
 * @throws {OutsideRootsError} If the path is below none of them.
 * @throws {OsError} EEXIST, EXDEV, ELOOP, ENOENT, …
 */
export function createBeneathRoots(path: string, roots: readonly string[], mode = 0o644): File {
  for (const root of roots) {
    const prefix = root.endsWith("/") ? root : root + "/";
    if (!path.startsWith(prefix)) continue;
    return File.openBeneath(root, path.slice(prefix.length), {
      write: true,
      create: "exclusive",
      mode,
    });
  }
  throw new OutsideRootsError(
    `${path} is outside the folders that may be written to (${roots.join(", ")}). ` +
      "Choose a path below one of them, or start the writer with another --data-root.",
  );
}
