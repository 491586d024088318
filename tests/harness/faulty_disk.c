/*
 * A disk that fails on demand, for one process: preloaded, it takes the place of libc for whoever opens
 * libc by dlopen, as Deno's FFI does, and fails calls on HDF5 files as a test tells it to.
 *
 * FAULTY_DISK names a file of three i32, shared with the test: an errno (0: none; -1: pwrite does only half
 * of what it is asked for, pwritev a part of it; -2: fdatasync takes two seconds), the calls that fail: 1 both of
 * them, 2 fallocate, 4 fdatasync, 8 ftruncate, 16 renameat2; and how many fdatasync of HDF5 files have ended well so far.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PWRITE = 1, FALLOCATE = 2, FDATASYNC = 4, FTRUNCATE = 8, RENAMEAT2 = 16 };

static volatile int *control;

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("FAULTY_DISK");
  int fd = path ? open(path, O_RDWR) : -1;
  if (fd < 0) return;
  void *at = mmap(NULL, 12, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) control = at;
  close(fd);
}

/* Whether it is an HDF5 file, in its place or not yet. */
static int ours(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path);
  if (length < 5) return 0;
  return memcmp(path + length - 3, ".h5", 3) == 0 || memcmp(path + length - 5, ".part", 5) == 0;
}

/* The errno that a call on a file is to fail with, 0 for none. */
static int fault(int fd, int call) {
  if (!control || !control[0] || !(control[1] & call)) return 0;
  return ours(fd) ? control[0] : 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF_TOLD(fd, call)      \
  do {                              \
    int code = fault(fd, call);     \
    if (code > 0) {                 \
      errno = code;                 \
      return -1;                    \
    }                               \
  } while (0)

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
  FAIL_IF_TOLD(fd, PWRITE);
  if (n > 1 && fault(fd, PWRITE) < 0) n /= 2;
  return REAL(pwrite)(fd, bytes, n, at);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) {
  FAIL_IF_TOLD(fd, PWRITE);
  if (count > 0 && fault(fd, PWRITE) < 0) {
    int whole = count / 2; /* and half of the next one */
    struct iovec last = pieces[whole];
    ssize_t n = whole == 0 ? 0 : REAL(pwritev)(fd, pieces, whole, at);
    ssize_t more = n < 0 ? 0 : REAL(pwrite)(fd, last.iov_base, last.iov_len / 2, at + n);
    return n < 0 ? n : more < 0 ? n : n + more;
  }
  return REAL(pwritev)(fd, pieces, count, at);
}

int fallocate(int fd, int mode, off_t at, off_t n) {
  FAIL_IF_TOLD(fd, FALLOCATE);
  return REAL(fallocate)(fd, mode, at, n);
}

int fdatasync(int fd) {
  FAIL_IF_TOLD(fd, FDATASYNC);
  if (fault(fd, FDATASYNC) < 0) sleep(2);
  int result = REAL(fdatasync)(fd);
  if (result == 0 && control && ours(fd)) __atomic_fetch_add(&control[2], 1, __ATOMIC_SEQ_CST);
  return result;
}

int ftruncate(int fd, off_t size) {
  FAIL_IF_TOLD(fd, FTRUNCATE);
  return REAL(ftruncate)(fd, size);
}

/* renameat2 among others, by its number: how an HDF5 file gets its name. */
long syscall(long number, ...) {
  long a[6];
  va_list arguments;
  va_start(arguments, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_renameat2 && control && control[0] > 0 && control[1] & RENAMEAT2) {
    errno = control[0];
    return -1;
  }
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Who asks for libc gets this library, in front of libc. */
void *dlopen(const char *path, int flags) {
  if (path && strstr(path, "/libc.so.6")) {
    Dl_info self;
    if (dladdr((void *)dlopen, &self)) path = self.dli_fname;
  }
  return REAL(dlopen)(path, flags);
}
