/*
 * Kills hundreds of file writers, each at a random moment, for little: each is a process that carries
 * out the system calls of the real writer, which a test has recorded, and gets SIGKILL meanwhile.
 *
 * Arguments: tape, folder, number of writers. Writes <folder>/.<n>.part, which becomes <folder>/<n>.h5
 * where the tape says so, and prints how many were killed before they were done. The first few may finish, to
 * see how long that takes on this machine, now: the shortest of them, since others may have been kept waiting.
 *
 * The tape is a sequence of steps: u64 kind (0 pwrite, 1 ftruncate, 2 fallocate, 3 rename), u64 offset
 * or size, u64 bytes; behind a pwrite's its bytes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void play(const char *at, const char *end, const char *temporary, const char *path) {
  int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0) _exit(1);
  while (at < end) {
    const uint64_t *step = (const uint64_t *)at;
    at += 24;
    int failed;
    switch (step[0]) {
      case 0:
        failed = pwrite(fd, at, step[2], step[1]) != (ssize_t)step[2];
        at += step[2];
        break;
      case 1: failed = ftruncate(fd, step[1]); break;
      case 3: failed = renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE); break;
      default: failed = fallocate(fd, 0, step[1], step[2]); break;
    }
    if (failed) _exit(1);
  }
  _exit(0);
}

enum { FINISHED = 5 };

static long microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int tape = open(argv[1], O_RDONLY);
  struct stat info;
  if (tape < 0 || fstat(tape, &info) != 0) return 2;
  const char *steps = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, tape, 0);
  if (steps == MAP_FAILED) return 2;
  srandom(time(NULL) ^ getpid());
  int killed = 0, wanted = atoi(argv[3]);
  long whole = 0;
  for (int n = 0; n < wanted; n++) {
    char path[4096], temporary[4096];
    snprintf(path, sizeof path, "%s/%d.h5", argv[2], n);
    snprintf(temporary, sizeof temporary, "%s/.%d.part", argv[2], n);
    pid_t child = fork();
    if (child < 0) return 2;
    if (child == 0) play(steps, steps + info.st_size, temporary, path);
    int status;
    long start = microseconds();
    if (n >= FINISHED) {
      usleep(random() % whole);
      kill(child, SIGKILL);
    }
    waitpid(child, &status, 0);
    const long took = microseconds() - start + 1;
    if (n == 0 || (n < FINISHED && took < whole)) whole = took;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) killed++;
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return 1;
  }
  printf("%d\n", killed);
  return 0;
}
