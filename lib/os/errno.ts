/**
 * errno as typed errors.
 *
 * @module
 */
import { libc } from "./_libc.ts";

/** Names of Linux's error numbers (asm-generic: the same on x86-64 and arm64). */
const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  4: "EINTR",
  5: "EIO",
  6: "ENXIO",
  7: "E2BIG",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  16: "EBUSY",
  17: "EEXIST",
  18: "EXDEV",
  19: "ENODEV",
  20: "ENOTDIR",
  21: "EISDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  25: "ENOTTY",
  26: "ETXTBSY",
  27: "EFBIG",
  28: "ENOSPC",
  29: "ESPIPE",
  30: "EROFS",
  32: "EPIPE",
  36: "ENAMETOOLONG",
  38: "ENOSYS",
  40: "ELOOP",
  75: "EOVERFLOW",
  88: "ENOTSOCK",
  90: "EMSGSIZE",
  92: "ENOPROTOOPT",
  93: "EPROTONOSUPPORT",
  94: "ESOCKTNOSUPPORT",
  95: "EOPNOTSUPP",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  100: "ENETDOWN",
  101: "ENETUNREACH",
  104: "ECONNRESET",
  105: "ENOBUFS",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  113: "EHOSTUNREACH",
  116: "ESTALE",
  122: "EDQUOT",
};

/** What a person can do about the errors that operators really meet. */
const ADVICE: Readonly<Record<string, string>> = {
  EACCES: "check the owner and mode of the path, or run as a user who may use it",
  EADDRINUSE:
    "another process uses this address: stop it or choose another (start_udp_port for packets)",
  EADDRNOTAVAIL: "no interface of this machine has the address: correct udp_bind_address",
  EDQUOT: "the quota is used up: free space or choose another folder",
  EEXIST: "choose another name or remove the old file",
  EIO: "the disk, or the way to it, is broken: the kernel's log (dmesg) says more",
  EMFILE: "too many open files: raise `ulimit -n`",
  ENOENT: "check that the path exists",
  ENOMEM: "not enough memory: lower the slot counts or `--ram`",
  ENOSPC: "the disk or /dev/shm is full: free space or lower the slot counts",
  EPERM: "the process lacks the privilege for this call",
  ESTALE: "the file server no longer knows the file: look at the mount",
  EROFS: "the file system is mounted read-only: choose another folder",
};

/** ENOSPC of a file that is no ring. */
const FULL_DISK = "the disk is full: free space or choose another folder";

function isFileOfDisk(code: string, subject: string): boolean {
  return code === "ENOSPC" && /(^| )\/(?!dev\/shm\/)/.test(subject);
}

/** A system call that failed: which call, on what, and the name of its error. */
export class OsError extends Error {
  override name = "OsError";
  /** The system call, e.g. `pwrite`. */
  readonly call: string;
  /** The error number. */
  readonly errno: number;
  /** The error's name, e.g. `ENOSPC`. */
  readonly code: string;

  /**
   * @param call The system call that failed.
   * @param errno Its error number.
   * @param subject What it was applied to: a path, a port, a size.
   */
  constructor(call: string, errno: number, subject = "") {
    const code = errnoName(errno);
    const advice = isFileOfDisk(code, subject) ? FULL_DISK : ADVICE[code];
    super(`${call}${subject ? ` ${subject}` : ""}: ${code}${advice ? ` (${advice})` : ""}`);
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

/** The name of an error number, `errno <n>` where it has none here. */
export function errnoName(errno: number): string {
  return NAMES[errno] ?? `errno ${errno}`;
}

/** Error numbers that callers act on. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  EACCES: 13,
  EEXIST: 17,
  EISDIR: 21,
  EINVAL: 22,
  ENOSPC: 28,
  ENOSYS: 38,
  EOPNOTSUPP: 95,
  ECONNREFUSED: 111,
} as const;

const errnoBuffer = new Int32Array(1);

/** The calling thread's errno. Read it right after the failed call, before anything else runs. */
export function lastErrno(): number {
  libc.memcpy(errnoBuffer, libc.__errno_location(), 4n);
  return errnoBuffer[0]!;
}

/** The failed call as an {@link OsError}; read right after the call. */
export function lastError(call: string, subject = ""): OsError {
  return new OsError(call, lastErrno(), subject);
}
