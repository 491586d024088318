/*
 * Kills hundreds of file writers, each at a random moment, for little: each is a process that carries
 * out the system calls of the real writer, which a test has recorded, and gets SIGKILL meanwhile.
 *
 * Arguments: tape, folder, number of writers to kill. Writes <folder>/.<n>.part, which becomes
 * <folder>/<n>.h5 where the tape says so; writer 0 is left alone, so that the whole tape is played once.
 *
 * Moments are places on the tape, not times, so that they are the same on any machine. One writer in
 * EARLY is killed before its file has a name. The others each have a stretch of the rest of the tape,
 * all of the same length, and a random step of it. Every other writer kills itself there, between two
 * steps. Its neighbour stops there, for us to wake and to kill a moment later, within a step if it so
 * happens. That moment is of any order of magnitude, since nobody knows how fast this machine is; if it
 * is too long, the writer has killed itself less than MOST_STEPS further on.
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
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EARLY = 8, MOST_STEPS = 32, MAGNITUDES = 12, NEVER = -1 };

/* Steps before which a writer stops, and before which it kills itself. */
struct moments {
  long stop, death;
};

static const char *behind(const char *at) {
  const uint64_t *step = (const uint64_t *)at;
  return at + 24 + (step[0] == 0 ? step[2] : 0);
}

static void play(const char *at, const char *end, const char *temporary, const char *path,
                 struct moments when) {
  int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0) _exit(1);
  for (long n = 0; at < end; n++, at = behind(at)) {
    if (n == when.stop) raise(SIGSTOP);
    if (n == when.death) raise(SIGKILL);
    const uint64_t *step = (const uint64_t *)at;
    int failed;
    switch (step[0]) {
      case 0: failed = pwrite(fd, at + 24, step[2], step[1]) != (ssize_t)step[2]; break;
      case 1: failed = ftruncate(fd, step[1]); break;
      case 3: failed = renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE); break;
      default: failed = fallocate(fd, 0, step[1], step[2]); break;
    }
    if (failed) _exit(1);
  }
  _exit(0);
}

/* Moments of writer n, 1 to wanted; `place` is the step that gives the file its name. */
static struct moments moments_of(long n, long wanted, long steps, long place) {
  const long early = wanted / EARLY;
  long step;
  if (n <= early) {
    step = random() % (place + 1);
  } else {
    const long length = steps - place - 1;
    const long from = (n - early - 1) * length, stretches = wanted - early;
    step = place + 1 + (from + random() % length) / stretches;
  }
  if (n % 2 == 0) return (struct moments){NEVER, step};
  const long last = step + random() % MOST_STEPS;
  return (struct moments){step, last < steps ? last : steps - 1};
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int tape = open(argv[1], O_RDONLY);
  struct stat info;
  if (tape < 0 || fstat(tape, &info) != 0) return 2;
  const char *start = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, tape, 0);
  if (start == MAP_FAILED) return 2;
  const char *end = start + info.st_size;
  long steps = 0, place = NEVER;
  for (const char *at = start; at < end; at = behind(at), steps++)
    if (*(const uint64_t *)at == 3) place = steps;
  if (place == NEVER || place == steps - 1) return 2;
  prctl(PR_SET_TIMERSLACK, 1); /* sleep for microseconds where so many are asked for */
  srandom(time(NULL) ^ getpid());
  const long wanted = atol(argv[3]);
  for (long n = 0; n <= wanted; n++) {
    char path[4096], temporary[4096];
    snprintf(path, sizeof path, "%s/%ld.h5", argv[2], n);
    snprintf(temporary, sizeof temporary, "%s/.%ld.part", argv[2], n);
    const struct moments when =
        n == 0 ? (struct moments){NEVER, NEVER} : moments_of(n, wanted, steps, place);
    pid_t child = fork();
    if (child < 0) return 2;
    if (child == 0) play(start, end, temporary, path, when);
    int status;
    if (waitpid(child, &status, WUNTRACED) != child) return 2;
    if (WIFSTOPPED(status)) {
      const long microseconds = random() % (2L << random() % MAGNITUDES);
      kill(child, SIGCONT);
      usleep(microseconds);
      kill(child, SIGKILL);
      if (waitpid(child, &status, 0) != child) return 2;
    }
    const int as_meant = n == 0 ? WIFEXITED(status) && WEXITSTATUS(status) == 0
                                : WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!as_meant) return 1;
  }
  return 0;
}
