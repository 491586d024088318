/**
 * Files by descriptor: what rings and HDF5 files need and `Deno.FsFile` does not offer (placed
 * writes from raw memory, preallocation, locks, exclusive creation with a mode).
 *
 * @module
 */
import { cString, libc } from "./_libc.ts";
import { Errno, lastErrno, lastError, OsError } from "./errno.ts";

const O_RDWR = 0o2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_CLOEXEC = 0o2000000;
// O_NOFOLLOW differs between the two architectures (asm-generic and arm64's own value).
const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100000 : 0o400000;
const O_DIRECTORY = Deno.build.arch === "aarch64" ? 0o40000 : 0o200000;
const O_PATH = 0o10000000;
const O_NONBLOCK = 0o4000;
const AT_EMPTY_PATH = 0x1000;
const STATX_TYPE = 1;
const STATX_MODE = 2;
const STATX_NLINK = 4;
const STATX_UID = 8;
const STATX_GID = 0x10;
const STATX_MTIME = 0x40;
const STATX_INO = 0x100;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const SYS_OPENAT2 = 437n; // the same number on both architectures
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const RESOLVE_BENEATH = 0x08n;
const SYS_GETDENTS64 = Deno.build.arch === "aarch64" ? 61n : 217n;
const DIRECTORY_BYTES = 32_768;
const MFD_CLOEXEC = 1;
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const SEEK_END = 2;

/** How to open a file. */
export interface OpenOptions {
  /** Open for writing too; default read-only. */
  write?: boolean;
  /** Create it; `"exclusive"` fails with EEXIST when it is there. */
  create?: boolean | "exclusive";
  /** Permission bits of a created file, exact (the umask is not applied); default 0o600. */
  mode?: number;
}

/** Whose a file is, and who may use it. */
export interface FileOwner {
  /** User id. */
  readonly uid: number;
  /** Group id. */
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** A file descriptor with an owner: closed by `using` or `close()`, once. */
export class File implements Disposable {
  /** The descriptor, for calls of this folder; -1 once closed. */
  #fd: number;
  /** The path it was opened by. */
  readonly path: string;

  private constructor(fd: number, path: string) {
    this.#fd = fd;
    this.path = path;
  }

  /**
   * Opens a file; symbolic links in the last path component are not followed.
   *
   * @throws {OsError} ENOENT, EEXIST, EACCES, ELOOP (a symbolic link), …
   */
  static open(path: string, options: OpenOptions = {}): File {
    const { write = false, create = false, mode = 0o600 } = options;
    // Nothing is waited for: a pipe in a file's place would let its reader wait for ever.
    let flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    if (write) flags |= O_RDWR;
    if (create) flags |= O_CREAT;
    if (create === "exclusive") flags |= O_EXCL;
    const fd = libc.open(cString(path), flags, mode);
    if (fd < 0) throw lastError("open", path);
    const file = new File(fd, path);
    if (create) {
      // The umask may have taken bits away; only the owner may repair them.
      if (libc.fchmod(fd, mode) !== 0 && lastErrno() !== Errno.EPERM) {
        const error = lastError("fchmod", path);
        file.close();
        throw error;
      }
    }
    return file;
  }

  /**
   * Opens `path` below the folder `root` so that no link and no `..` can lead out of it: the kernel
   * resolves it with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS (openat2, Linux 5.6), without a moment
   * between check and use. `root` itself is trusted and may be a link.
   *
   * @param path Relative to `root`.
   * @throws {OsError} EXDEV (leads out of the root), ELOOP (a symbolic link), ENOENT, EEXIST, …
   */
  static openBeneath(root: string, path: string, options: OpenOptions = {}): File {
    const { write = false, create = false, mode = 0o600 } = options;
    using directory = openFolder(root);
    let flags = write ? O_RDWR : 0;
    if (create) flags |= O_CREAT;
    if (create === "exclusive") flags |= O_EXCL;
    const fd = openAt(directory.fd, path, flags, create ? mode : 0, `${root}/${path}`);
    const file = new File(fd, `${root}/${path}`);
    if (create) file.chmod(mode);
    return file;
  }

  /**
   * Holds a folder below `root`, as {@link File.openBeneath} finds it, so that files can be made, renamed
   * and removed in it; nobody needs the right to list it for that. It can be neither read nor synced.
   *
   * @param path Relative to `root`.
   * @throws {OsError} EXDEV, ELOOP, ENOENT, ENOTDIR, EACCES, …
   */
  static folderBeneath(root: string, path: string): File {
    using directory = openFolder(root);
    const where = `${root}/${path}`;
    return new File(openAt(directory.fd, path, O_PATH | O_DIRECTORY, 0, where), where);
  }

  /**
   * Makes a file in a folder that is held; fails with EEXIST when it is there.
   *
   * @param mode Permission bits, exact.
   * @param path What {@link File.path} is to be.
   * @throws {OsError} EEXIST, EACCES, …
   */
  static createIn(folder: File, name: string, mode: number, path: string): File {
    const file = new File(openAt(folder.fd, name, O_RDWR | O_CREAT | O_EXCL, mode, path), path);
    file.chmod(mode);
    return file;
  }

  /**
   * Opens what is there in a folder that is held, for reading and writing; nothing is waited for.
   *
   * @param path What {@link File.path} is to be.
   * @throws {OsError} ENOENT, EACCES, ELOOP (a symbolic link), EISDIR, …
   */
  static openIn(folder: File, name: string, path: string): File {
    return new File(openAt(folder.fd, name, O_RDWR | O_NONBLOCK, 0, path), path);
  }

  /**
   * Names in a folder that is held, `.` and `..` among them, in the file system's order.
   *
   * @param most So many, or a few more, at most.
   * @throws {OsError} EACCES where that may not be listed, EIO, …
   */
  static namesIn(folder: File, most: number): string[] {
    using list = new File(openAt(folder.fd, ".", O_DIRECTORY, 0, folder.path), folder.path);
    const names: string[] = [];
    const bytes = new Uint8Array(DIRECTORY_BYTES);
    const view = new DataView(bytes.buffer);
    while (names.length < most) {
      const read = Number(
        libc.getdents64(SYS_GETDENTS64, BigInt(list.fd), bytes, BigInt(bytes.byteLength)),
      );
      if (read < 0) throw lastError("getdents64", folder.path);
      if (read === 0) break;
      // struct linux_dirent64 {u64 ino, s64 offset, u16 length, u8 type, char name[]}
      for (let at = 0; at < read; at += view.getUint16(at + 16, true)) {
        names.push(new TextDecoder().decode(bytes.subarray(at + 19, bytes.indexOf(0, at + 19))));
      }
    }
    return names;
  }

  /**
   * Makes the folders of a path below `root` that are missing, as {@link File.openBeneath} finds them.
   *
   * @param path Of a folder, relative to `root`.
   * @param mode Permission bits of those that are made, exact.
   * @param onMade Called with each that is made.
   * @throws {OsError} EXDEV, ELOOP, ENOTDIR, EACCES, …
   */
  static makeFoldersBeneath(
    root: string,
    path: string,
    mode: number,
    onMade: (folder: File) => void = () => {},
  ): void {
    let where = root;
    let parent: { readonly fd: number; close(): void } = openFolder(root);
    try {
      for (const name of path.split("/").filter((name) => name !== "" && name !== ".")) {
        where += `/${name}`;
        // "exclusively": what is there already, or is made by others meanwhile, keeps its mode.
        const made = libc.mkdirat(parent.fd, cString(name), mode) === 0;
        if (!made && lastErrno() !== Errno.EEXIST) throw lastError("mkdirat", where);
        const folder = new File(openAt(parent.fd, name, O_DIRECTORY, 0, where), where);
        parent.close();
        parent = folder;
        if (!made) continue;
        folder.chmod(mode);
        onMade(folder);
      }
    } finally {
      parent.close();
    }
  }

  /**
   * Whether there is a file that can be read: a single system call where there is none.
   *
   * @throws {OsError} EACCES, … For all reasons but its absence.
   */
  static isThere(path: string): boolean {
    try {
      File.open(path).close();
      return true;
    } catch (error) {
      if (error instanceof OsError && error.errno === Errno.ENOENT) return false;
      throw error;
    }
  }

  /**
   * Whether there is a file below `root`, as {@link File.openBeneath} finds it.
   *
   * @throws {OsError} EISDIR, ELOOP if it is a folder or a link; EXDEV, EACCES, …
   */
  static isThereBeneath(root: string, path: string): boolean {
    const where = `${root}/${path}`;
    using directory = openFolder(root);
    try {
      using file = new File(openAt(directory.fd, path, O_PATH, 0, where), where);
      if (file.isFolder()) throw new OsError("openat2", Errno.EISDIR, where);
      return true;
    } catch (error) {
      if (error instanceof OsError && error.errno === Errno.ENOENT) return false;
      throw error;
    }
  }

  /**
   * Removes a file below `root`, as {@link File.openBeneath} finds it; what is no regular file stays.
   *
   * @throws {OsError} EXDEV, ELOOP, ENOENT, EISDIR, EACCES, …
   */
  static removeBeneath(root: string, path: string): void {
    const [, folder = ".", name = path] = /^(.*)\/([^/]*)$/.exec(path) ?? [];
    using parent = File.folderBeneath(root, folder);
    // Not through a link, and not one itself.
    libc.close(openAt(parent.fd, name, O_PATH, 0, `${root}/${path}`));
    if (libc.unlinkat(parent.fd, cString(name), 0) !== 0) {
      throw lastError("unlinkat", `${root}/${path}`);
    }
  }

  /**
   * Makes a file without a name, in memory: it goes with the last descriptor and mapping. Other threads
   * of this process map it by its descriptor.
   *
   * @param label What `/proc` shows.
   * @param bytes Its size.
   * @throws {OsError} ENOMEM, …
   */
  static anonymous(label: string, bytes: number): File {
    const fd = libc.memfd_create(cString(label), MFD_CLOEXEC);
    if (fd < 0) throw lastError("memfd_create", label);
    const file = new File(fd, label);
    try {
      file.truncate(bytes);
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Whether it was closed here. */
  get isClosed(): boolean {
    return this.#fd < 0;
  }

  /** The open descriptor.
   *
   * @throws {OsError} EBADF once closed.
   */
  get fd(): number {
    if (this.#fd < 0) throw new OsError("fd", 9, this.path);
    return this.#fd;
  }

  /** Size in bytes. */
  size(): number {
    const end = Number(libc.lseek(this.fd, 0n, SEEK_END));
    if (end < 0) throw lastError("lseek", this.path);
    return end;
  }

  /** Names that the file has: 0 when it was removed. */
  linkCount(): number {
    return this.#statx(STATX_NLINK).getUint32(16, true);
  }

  /** Number of the file in its file system: no other one has it as long as this one is open. */
  inode(): bigint {
    return this.#statx(STATX_INO).getBigUint64(32, true);
  }

  /**
   * Whether a path below `root`, as {@link File.openBeneath} finds it, is this very file. Where that may not be
   * looked at, it is taken to be.
   */
  isBeneath(root: string, path: string): boolean {
    const where = `${root}/${path}`;
    try {
      using directory = openFolder(root);
      using there = new File(openAt(directory.fd, path, O_PATH, 0, where), where);
      return there.#identity() === this.#identity();
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      return error.errno === Errno.EACCES;
    }
  }

  /** Whether it is a folder. */
  isFolder(): boolean {
    return (this.#statx(STATX_TYPE).getUint16(28, true) & S_IFMT) === S_IFDIR;
  }

  /** Whether it is a regular file: no folder, pipe, device, …. */
  isRegular(): boolean {
    return (this.#statx(STATX_TYPE).getUint16(28, true) & S_IFMT) === S_IFREG;
  }

  /** Whose it is, and who may use it. */
  owner(): FileOwner {
    const info = this.#statx(STATX_UID | STATX_GID | STATX_MODE);
    const uid = info.getUint32(20, true), gid = info.getUint32(24, true);
    return { uid, gid, mode: info.getUint16(28, true) & 0o7777 };
  }

  /** When its content was changed last, seconds since 1970 by the clock of its file system. */
  modifiedS(): number {
    return Number(this.#statx(STATX_MTIME).getBigInt64(112, true));
  }

  /** Sets the size in bytes; new bytes read as zero and take no space until written. */
  truncate(bytes: number): void {
    if (libc.ftruncate(this.fd, BigInt(bytes)) !== 0) {
      throw lastError("ftruncate", `${this.path} to ${bytes} bytes`);
    }
  }

  /**
   * Reserves blocks for `[from, from + bytes)`, extending the file unless `keepSize`.
   *
   * @throws {OsError} ENOSPC where there is no room, EOPNOTSUPP where the file system cannot.
   */
  allocate(from: number, bytes: number, keepSize = false): void {
    const mode = keepSize ? FALLOC_FL_KEEP_SIZE : 0;
    while (libc.fallocate(this.fd, mode, BigInt(from), BigInt(bytes)) !== 0) {
      const errno = lastErrno();
      if (errno !== Errno.EINTR) {
        throw new OsError("fallocate", errno, `${bytes} bytes of ${this.path}`);
      }
    }
  }

  /**
   * Makes `[from, from + bytes)` read as zero and gives its blocks back; the size stays. Safe while
   * others have the file mapped.
   *
   * @throws {OsError} EOPNOTSUPP where the file system cannot.
   */
  punchHole(from: number, bytes: number): void {
    const mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
    if (libc.fallocate(this.fd, mode, BigInt(from), BigInt(bytes)) !== 0) {
      throw lastError("fallocate", `hole in ${this.path}`);
    }
  }

  /**
   * Writes all of `bytes` at a position.
   *
   * @throws {OsError} ENOSPC, EIO, EDQUOT, …
   */
  writeAt(bytes: Uint8Array, position: number): void {
    let done = 0;
    while (done < bytes.byteLength) {
      const rest = done === 0 ? bytes : bytes.subarray(done);
      const n = Number(
        libc.pwrite_buffer(
          this.fd,
          rest as Uint8Array<ArrayBuffer>,
          BigInt(rest.byteLength),
          BigInt(position + done),
        ),
      );
      done += this.#written(n, position + done);
    }
  }

  /**
   * Writes `bytes` bytes of raw memory at a position: how an image goes from a ring to disk without
   * passing through JavaScript.
   *
   * @param address Address of the first byte, see {@link addressOf}.
   * @throws {OsError} ENOSPC, EIO, EDQUOT, …
   */
  writeFrom(address: bigint, bytes: number, position: number): void {
    let done = Number(libc.pwrite(this.fd, address, BigInt(bytes), BigInt(position)));
    if (done === bytes) return;
    for (done = this.#written(done, position); done < bytes;) {
      const n = Number(
        libc.pwrite(this.fd, address + BigInt(done), BigInt(bytes - done), BigInt(position + done)),
      );
      done += this.#written(n, position + done);
    }
  }

  /**
   * Writes pieces of raw memory one after the other, with a single call if all goes well.
   *
   * @param pieces Address and size of each, bytes; at most 1024 (IOV_MAX).
   * @throws {OsError} ENOSPC, EIO, EDQUOT, …
   */
  writeAllFrom(pieces: BigUint64Array<ArrayBuffer>, position: number): void {
    const count = pieces.length / 2; // struct iovec {void *base, size_t length}
    const n = Number(libc.pwritev(this.fd, pieces, count, BigInt(position)));
    let written = this.#written(n, position);
    for (let i = 0; i < pieces.length; i += 2) {
      const bytes = Number(pieces[i + 1]);
      const done = Math.min(written, bytes);
      written -= done;
      if (done < bytes) this.writeFrom(pieces[i]! + BigInt(done), bytes - done, position + done);
      position += bytes;
    }
  }

  /** Reads up to `target.byteLength` bytes from a position; returns how many were there. */
  readAt(target: Uint8Array, position: number): number {
    let done = 0;
    while (done < target.byteLength) {
      const rest = done === 0 ? target : target.subarray(done);
      const n = Number(
        libc.pread_buffer(
          this.fd,
          rest as Uint8Array<ArrayBuffer>,
          BigInt(rest.byteLength),
          BigInt(position + done),
        ),
      );
      if (n < 0) {
        const errno = lastErrno();
        if (errno === Errno.EINTR) continue;
        throw new OsError("pread", errno, this.path);
      }
      if (n === 0) break;
      done += n;
    }
    return done;
  }

  /** Waits until the file's data are on the device. */
  sync(): void {
    if (libc.fdatasync(this.fd) !== 0) throw lastError("fdatasync", this.path);
  }

  /** Sets the permission bits. */
  chmod(mode: number): void {
    if (libc.fchmod(this.fd, mode) !== 0) throw lastError("fchmod", this.path);
  }

  /** Gives the file to a group. */
  chgrp(gid: number): void {
    if (libc.fchown(this.fd, 0xffff_ffff, gid) !== 0) throw lastError("fchown", this.path);
  }

  /**
   * Tries to become the file's only lock holder. The kernel drops the lock when the process ends,
   * however it ends: a lock that can be taken proves that its former holder is gone.
   *
   * @returns Whether the lock was taken.
   */
  tryLock(): boolean {
    return this.#tryLock(LOCK_EX);
  }

  /**
   * Tries to become one of the file's lock holders, which may be several and keep {@link File.tryLock} out.
   *
   * @returns Whether the lock was taken.
   * @throws {OsError} ENOSYS, EOPNOTSUPP, ENOLCK, … where the file system knows no locks.
   */
  tryLockShared(): boolean {
    return this.#tryLock(LOCK_SH);
  }

  /** Gives the lock back. */
  unlock(): void {
    if (libc.flock(this.fd, LOCK_UN) !== 0) throw lastError("flock", this.path);
  }

  /** Closes the descriptor; further calls do nothing. */
  close(): void {
    if (this.#fd < 0) return;
    libc.close(this.#fd);
    this.#fd = -1;
  }

  /** Same as {@link File.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #tryLock(kind: number): boolean {
    if (libc.flock(this.fd, kind | LOCK_NB) === 0) return true;
    const errno = lastErrno();
    if (errno === Errno.EAGAIN) return false;
    throw new OsError("flock", errno, this.path);
  }

  #identity(): string {
    const info = this.#statx(STATX_INO);
    const device = [info.getUint32(136, true), info.getUint32(140, true)];
    return `${device.join(":")}/${info.getBigUint64(32, true)}`;
  }

  /** struct statx {…, u32 nlink at 16, uid at 20, gid at 24, u16 mode at 28, …, u64 ino at 32, …, mtime at 112, …, u32 dev[2] at 136, …}. */
  #statx(mask: number): DataView {
    const info = new Uint8Array(256);
    if (libc.statx(this.fd, cString(""), AT_EMPTY_PATH, mask, info) !== 0) {
      throw lastError("statx", this.path);
    }
    return new DataView(info.buffer);
  }

  #written(n: number, position: number): number {
    if (n >= 0) return n;
    const errno = lastErrno();
    if (errno === Errno.EINTR) return 0;
    throw new OsError("pwrite", errno, `${this.path} at ${position}`);
  }
}

/** Opens a folder that is trusted. */
function openFolder(path: string): { readonly fd: number } & Disposable & { close(): void } {
  const fd = libc.open(cString(path), O_CLOEXEC | O_DIRECTORY, 0);
  if (fd < 0) throw lastError("open", path);
  const close = (): void => void libc.close(fd);
  return { fd, close, [Symbol.dispose]: close };
}

/** Opens beneath a folder; see {@link File.openBeneath}. */
function openAt(
  directory: number,
  path: string,
  flags: number,
  mode: number,
  where: string,
): number {
  // struct open_how {u64 flags, u64 mode, u64 resolve}
  const how = new BigUint64Array([
    BigInt(flags | O_CLOEXEC),
    BigInt(mode),
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  ]);
  const fd = Number(libc.openat2(SYS_OPENAT2, BigInt(directory), cString(path), how, 24n));
  if (fd < 0) throw lastError("openat2", where);
  return fd;
}

/** Removes a file; false where there is none.
 *
 * @throws {OsError} EACCES, EPERM, EROFS, …
 */
export function unlink(path: string): boolean {
  if (libc.unlink(cString(path)) === 0) return true;
  const errno = lastErrno();
  if (errno === Errno.ENOENT) return false;
  throw new OsError("unlink", errno, path);
}

/** Space of a file system. */
export interface FileSystemSpace {
  /** Total size, bytes. */
  totalBytes: number;
  /** What an unprivileged process can still take, bytes. */
  availableBytes: number;
}

/**
 * Space left where `path` is.
 *
 * @throws {OsError} ENOENT, EACCES, …
 */
export function fileSystemSpace(path: string): FileSystemSpace {
  // struct statvfs (glibc, 64 bit): f_bsize 0, f_frsize 8, f_blocks 16, f_bfree 24, f_bavail 32
  const buffer = new BigUint64Array(14);
  if (libc.statvfs(cString(path), buffer) !== 0) throw lastError("statvfs", path);
  const fragment = Number(buffer[1]);
  return {
    totalBytes: Number(buffer[2]) * fragment,
    availableBytes: Number(buffer[4]) * fragment,
  };
}
