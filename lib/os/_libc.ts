/**
 * The one place where libc is opened. Private to `lib/os`; everything outside uses the typed
 * functions of `mod.ts`.
 *
 * Pointers are declared `usize` and travel as BigInt: `Deno.UnsafePointer*` would need an unscoped
 * `--allow-ffi`, this way a permission for the library's exact path is enough.
 */
import { architecture, LIBC_PATHS } from "./platform.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "usize" },
  memcpy: { parameters: ["buffer", "usize", "usize"], result: "usize" },
  memcpy_to: { name: "memcpy", parameters: ["usize", "buffer", "usize"], result: "usize" },
  memcpy_address: { name: "memcpy", parameters: ["buffer", "buffer", "usize"], result: "usize" },

  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  /** Variadic in C; integer arguments travel alike on the supported machines. */
  openat2: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "buffer", "i64"],
    result: "i64",
  },
  /** In libc since glibc 2.30: by its number. */
  getdents64: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "i64"],
    result: "i64",
  },
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  renameat: { parameters: ["i32", "buffer", "i32", "buffer"], result: "i32" },
  /** In libc since glibc 2.28, not in musl: by its number. */
  renameat2: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "i64", "buffer", "i64"],
    result: "i64",
  },
  chmod: { parameters: ["buffer", "u32"], result: "i32" },
  lchown: { parameters: ["buffer", "u32", "u32"], result: "i32" },
  malloc: { parameters: ["usize"], result: "usize" },
  free: { parameters: ["usize"], result: "void" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  fdatasync: { parameters: ["i32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  fchown: { parameters: ["i32", "u32", "u32"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  statvfs: { parameters: ["buffer", "buffer"], result: "i32" },
  pwrite: { parameters: ["i32", "usize", "usize", "i64"], result: "isize" },
  pwrite_buffer: { name: "pwrite", parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  pwritev: { parameters: ["i32", "buffer", "i32", "i64"], result: "isize" },
  pread_buffer: { name: "pread", parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },

  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  munmap: { parameters: ["usize", "usize"], result: "i32" },

  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  recvmmsg: { parameters: ["i32", "usize", "u32", "i32", "usize"], result: "i32" },
  sendmmsg: { parameters: ["i32", "usize", "u32", "i32"], result: "i32" },

  poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
  poll_async: {
    name: "poll",
    parameters: ["usize", "usize", "i32"],
    result: "i32",
    nonblocking: true,
  },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  usleep: { parameters: ["u32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  umask: { parameters: ["u32"], result: "u32" },
  /** In libc since glibc 2.34. */
  dlopen: { parameters: ["buffer", "i32"], result: "usize", optional: true },
  getpid: { parameters: [], result: "i32" },
  kill: { parameters: ["i32", "i32"], result: "i32" },
  geteuid: { parameters: [], result: "u32" },
  getpwuid: { parameters: ["u32"], result: "usize" },
  getgrouplist: { parameters: ["buffer", "u32", "buffer", "buffer"], result: "i32" },
  /** Of the calling thread only. */
  setfsuid: { parameters: ["u32"], result: "i32" },
  setfsgid: { parameters: ["u32"], result: "i32" },
  /** Of the calling thread only, unlike libc's functions of these names. */
  getgroups_thread: { name: "syscall", parameters: ["i64", "i64", "buffer"], result: "i64" },
  setgroups_thread: { name: "syscall", parameters: ["i64", "i64", "buffer"], result: "i64" },
  sched_setaffinity: { parameters: ["i32", "usize", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

function openLibc(): Libc {
  const refusals: string[] = [];
  for (const path of LIBC_PATHS[architecture()]) {
    try {
      return Deno.dlopen(path, SYMBOLS).symbols;
    } catch (cause) {
      refusals.push(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  throw new Error(
    `No usable C library. Tried:\n  ${refusals.join("\n  ")}\n` +
      "Allow one of these paths with --allow-ffi=<path>.",
  );
}

/** libc's functions, opened at first import. */
export const libc: Libc = openLibc();

const encoder = new TextEncoder();

/** A NUL-terminated UTF-8 string for a libc call.
 *
 * @throws {TypeError} If the text holds a NUL byte, which would cut it short.
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new TypeError(`A path cannot hold a NUL byte: ${JSON.stringify(text)}`);
  }
  return encoder.encode(text + "\0");
}
