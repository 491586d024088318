/**
 * Listening Unix-domain sockets with an exact mode.
 *
 * @module
 */
import { cString, libc } from "./_libc.ts";
import { Errno, lastErrno, lastError, OsError } from "./errno.ts";
import { unlink } from "./file.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100000 : 0o400000;
const ENXIO = 6;
const ENAMETOOLONG = 36;
const EADDRINUSE = 98;
/** Bytes of `sun_path`, its NUL included. */
const PATH_BYTES = 108;
const BACKLOG = 100;

/** Who may connect to a Unix-domain socket. */
export interface UnixListenOptions {
  /** Permission bits of the socket file, exact; default 0o600. */
  mode?: number;
  /** Group to give the socket file to; default the process's own. */
  gid?: number;
}

/**
 * Listens on a Unix-domain socket. Its file has the wanted mode before the first peer can connect,
 * without touching the process's umask, which all threads share. A socket file left over by a
 * process that has ended is replaced; one that is served is not, and neither is any other file.
 *
 * @returns A non-blocking listening descriptor, the caller's to close.
 * @throws {OsError} EADDRINUSE (another socket is served there), EEXIST (a file that is no socket),
 * ENAMETOOLONG (more than 107 bytes), EACCES, ENOENT, EPERM, …
 */
export function listenUnix(path: string, options: UnixListenOptions = {}): number {
  const { mode = 0o600, gid } = options;
  const address = unixAddress(path);
  const fd = unixSocket();
  let bound = false;
  try {
    if (libc.bind(fd, address, address.byteLength) !== 0) {
      const errno = lastErrno();
      if (errno !== EADDRINUSE) throw new OsError("bind", errno, path);
      if (!removeLeftover(path, address)) throw new OsError("bind", EADDRINUSE, path);
      if (libc.bind(fd, address, address.byteLength) !== 0) throw lastError("bind", path);
    }
    bound = true;
    const file = cString(path);
    if (gid !== undefined && libc.lchown(file, 0xffff_ffff, gid) !== 0) {
      throw lastError("lchown", `${path} to group ${gid}`);
    }
    if (libc.chmod(file, mode) !== 0) throw lastError("chmod", path);
    // Only now can a peer connect.
    if (libc.listen(fd, BACKLOG) !== 0) throw lastError("listen", path);
    return fd;
  } catch (error) {
    libc.close(fd);
    if (bound) unlink(path);
    throw error;
  }
}

/** Closes a descriptor that has no owner, such as one of {@link listenUnix}. */
export function closeDescriptor(fd: number): void {
  libc.close(fd);
}

/**
 * Removes the file of a Unix-domain socket that nobody serves any more; leaves a served one alone.
 *
 * @returns Whether the path is free now.
 * @throws {OsError} EEXIST if it is no socket, EACCES, ENAMETOOLONG, …
 */
export function removeUnservedSocket(path: string): boolean {
  return removeLeftover(path, unixAddress(path));
}

function removeLeftover(path: string, address: Uint8Array<ArrayBuffer>): boolean {
  // open(2) of a socket fails with ENXIO: this tells it from every other file without following it.
  const opened = libc.open(cString(path), O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0);
  if (opened >= 0) {
    libc.close(opened);
    throw new OsError("bind", Errno.EEXIST, `${path} (a file that is not a socket)`);
  }
  const errno = lastErrno();
  if (errno === Errno.ENOENT) return true;
  if (errno !== ENXIO) throw new OsError("open", errno, path);

  const probe = unixSocket();
  try {
    const refused = libc.connect(probe, address, address.byteLength) !== 0 &&
      lastErrno() === Errno.ECONNREFUSED;
    if (!refused) return false;
  } finally {
    libc.close(probe);
  }
  unlink(path);
  return true;
}

function unixSocket(): number {
  const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw lastError("socket");
  return fd;
}

/** `struct sockaddr_un`: u16 family, then the path. */
function unixAddress(path: string): Uint8Array<ArrayBuffer> {
  const name = cString(path);
  if (name.byteLength > PATH_BYTES) {
    throw new OsError(
      "bind",
      ENAMETOOLONG,
      `${path} (${name.byteLength - 1} bytes, a socket's path has at most ${PATH_BYTES - 1})`,
    );
  }
  const address = new Uint8Array(2 + name.byteLength);
  address[0] = AF_UNIX;
  address.set(name, 2);
  return address;
}
