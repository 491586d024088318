import { deepStrictEqual } from "node:assert/strict";
import { IOVEC, MMSGHDR, MSG_TRUNC, SOL_UDP, UDP_GRO, UDP_SEGMENT } from "./message_layout.ts";

/** What the C compiler says about the structures that `lib/os` reads and writes by offset. */
async function compilerLayouts(): Promise<Record<string, number>> {
  const fields: [string, string, string][] = [
    ["mmsghdr", "struct mmsghdr", "msg_hdr.msg_name"],
    ["mmsghdr", "struct mmsghdr", "msg_hdr.msg_namelen"],
    ["mmsghdr", "struct mmsghdr", "msg_hdr.msg_iov"],
    ["mmsghdr", "struct mmsghdr", "msg_hdr.msg_iovlen"],
    ["mmsghdr", "struct mmsghdr", "msg_hdr.msg_control"],
    ["mmsghdr", "struct mmsghdr", "msg_hdr.msg_controllen"],
    ["mmsghdr", "struct mmsghdr", "msg_hdr.msg_flags"],
    ["mmsghdr", "struct mmsghdr", "msg_len"],
    ["iovec", "struct iovec", "iov_base"],
    ["iovec", "struct iovec", "iov_len"],
    ["sockaddr_in", "struct sockaddr_in", "sin_family"],
    ["sockaddr_in", "struct sockaddr_in", "sin_port"],
    ["sockaddr_in", "struct sockaddr_in", "sin_addr"],
    ["pollfd", "struct pollfd", "fd"],
    ["pollfd", "struct pollfd", "events"],
    ["pollfd", "struct pollfd", "revents"],
    ["open_how", "struct open_how", "flags"],
    ["open_how", "struct open_how", "mode"],
    ["open_how", "struct open_how", "resolve"],
    ["statvfs", "struct statvfs", "f_frsize"],
    ["statvfs", "struct statvfs", "f_blocks"],
    ["statvfs", "struct statvfs", "f_bavail"],
    ["timespec", "struct timespec", "tv_sec"],
    ["timespec", "struct timespec", "tv_nsec"],
  ];
  const constants = [
    "O_CREAT",
    "O_EXCL",
    "O_CLOEXEC",
    "O_NOFOLLOW",
    "O_NONBLOCK",
    "O_DIRECTORY",
    "SYS_openat2",
    "RESOLVE_BENEATH",
    "RESOLVE_NO_SYMLINKS",
    "RESOLVE_NO_MAGICLINKS",
    "SO_RCVBUFFORCE",
    "SO_SNDBUFFORCE",
    "SO_MEMINFO",
    "MSG_DONTWAIT",
    "MSG_TRUNC",
    "SOL_UDP",
    "UDP_GRO",
    "UDP_SEGMENT",
    "MAP_POPULATE",
    "EFD_NONBLOCK",
    "EFD_CLOEXEC",
    "CLOCK_PROCESS_CPUTIME_ID",
    "CLOCK_THREAD_CPUTIME_ID",
  ];
  const sizes = new Map(fields.map(([name, type]) => [name, type]));
  const lines = [
    ...fields.map(([name, type, field]) =>
      `printf("%s %zu\\n", "${name}.${field}", offsetof(${type}, ${field}));`
    ),
    ...[...sizes].map(([name, type]) => `printf("%s %zu\\n", "${name}", sizeof(${type}));`),
    ...constants.map((name) => `printf("%s %zu\\n", "${name}", (size_t)${name});`),
  ];
  const source = `#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
int main(void) { ${lines.join("\n")} return 0; }
`;
  const folder = await Deno.makeTempDir({ prefix: "std-daq-layouts-" });
  try {
    await Deno.writeTextFile(`${folder}/layouts.c`, source);
    const built = await new Deno.Command("gcc", {
      args: ["-o", `${folder}/layouts`, `${folder}/layouts.c`],
      stderr: "piped",
    }).output();
    if (!built.success) throw new Error(new TextDecoder().decode(built.stderr));
    const { stdout } = await new Deno.Command(`${folder}/layouts`).output();
    const values: Record<string, number> = {};
    for (const line of new TextDecoder().decode(stdout).trim().split("\n")) {
      const [name, value] = line.split(" ");
      values[name!] = Number(value);
    }
    return values;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("lib/os uses the structure layouts and constants of the C compiler", async () => {
  const arm = Deno.build.arch === "aarch64";
  deepStrictEqual(await compilerLayouts(), {
    "mmsghdr.msg_hdr.msg_name": MMSGHDR.name,
    "mmsghdr.msg_hdr.msg_namelen": MMSGHDR.nameLength,
    "mmsghdr.msg_hdr.msg_iov": MMSGHDR.iov,
    "mmsghdr.msg_hdr.msg_iovlen": MMSGHDR.iovCount,
    "mmsghdr.msg_hdr.msg_control": MMSGHDR.control,
    "mmsghdr.msg_hdr.msg_controllen": MMSGHDR.controlLength,
    "mmsghdr.msg_hdr.msg_flags": MMSGHDR.flags,
    "mmsghdr.msg_len": MMSGHDR.length,
    mmsghdr: MMSGHDR.bytes,
    "iovec.iov_base": IOVEC.base,
    "iovec.iov_len": IOVEC.length,
    iovec: IOVEC.bytes,
    // socketAddress()
    "sockaddr_in.sin_family": 0,
    "sockaddr_in.sin_port": 2,
    "sockaddr_in.sin_addr": 4,
    sockaddr_in: 16,
    // PollSet
    "pollfd.fd": 0,
    "pollfd.events": 4,
    "pollfd.revents": 6,
    pollfd: 8,
    // File.openBeneath()
    "open_how.flags": 0,
    "open_how.mode": 8,
    "open_how.resolve": 16,
    open_how: 24,
    // fileSystemSpace()
    "statvfs.f_frsize": 8,
    "statvfs.f_blocks": 16,
    "statvfs.f_bavail": 32,
    statvfs: 112,
    // clocks, cpuTimeMicroseconds()
    "timespec.tv_sec": 0,
    "timespec.tv_nsec": 8,
    timespec: 16,
    CLOCK_PROCESS_CPUTIME_ID: 2,
    CLOCK_THREAD_CPUTIME_ID: 3,
    O_CREAT: 0o100,
    O_EXCL: 0o200,
    O_CLOEXEC: 0o2000000,
    O_NONBLOCK: 0o4000,
    O_NOFOLLOW: arm ? 0o100000 : 0o400000,
    O_DIRECTORY: arm ? 0o40000 : 0o200000,
    SYS_openat2: 437,
    RESOLVE_BENEATH: 8,
    RESOLVE_NO_SYMLINKS: 4,
    RESOLVE_NO_MAGICLINKS: 2,
    SO_RCVBUFFORCE: 33,
    SO_SNDBUFFORCE: 32,
    SO_MEMINFO: 55,
    MSG_DONTWAIT: 0x40,
    MSG_TRUNC,
    SOL_UDP,
    UDP_GRO,
    UDP_SEGMENT,
    MAP_POPULATE: 0x8000,
    EFD_NONBLOCK: 0o4000,
    EFD_CLOEXEC: 0o2000000,
  });
});
