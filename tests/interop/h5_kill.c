/*
 * Kills hundreds of file writers, each at a random moment, for little: each is a process that carries
 * out the system calls of the real writer, which a test has recorded, and gets SIGKILL meanwhile.
 *
 * Arguments: tape, folder, number of writers to kill, and if wanted the steps from and before which they all
 * are killed. Writer n has the folder <folder>/<n>, which may have
 * files of other tapes in it; its files hide there until they get their names where the tape says so.
 * Writer 0 is left alone, so that the whole tape is played once.
 *
 * Moments are places on the tape, not times, so that they are the same on any machine. One writer in
 * EARLY is killed before its first file has a name. The others each have a stretch of the rest of the tape,
 * all of the same length, and a random step of it. Every other writer kills itself there, between two
 * steps. Its neighbour stops there, for us to wake and to kill a moment later, within a step if it so
 * happens. That moment is of any order of magnitude, since nobody knows how fast this machine is; if it
 * is too long, the writer has killed itself less than MOST_STEPS further on.
 *
 * The tape is a sequence of steps: u32 kind (0 pwrite, 1 ftruncate, 2 fallocate, 3 rename), u32 number of
 * the file, u64 offset or size, u64 bytes; behind a pwrite's its bytes, behind a rename's the name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EARLY = 8, MOST_STEPS = 32, MAGNITUDES = 12, MOST_FILES = 256, NEVER = -1 };
enum { PWRITE, FTRUNCATE, FALLOCATE, RENAME };

struct step {
  uint32_t kind, file;
  uint64_t at, bytes;
} __attribute__((packed));

/* Steps before which a writer stops, and before which it kills itself. */
struct moments {
  long stop, death;
};

static struct step step_at(const char *at) {
  struct step step;
  memcpy(&step, at, sizeof step);
  return step;
}

static const char *behind(const char *at) {
  const struct step step = step_at(at);
  return at + sizeof step + (step.kind == PWRITE || step.kind == RENAME ? step.bytes : 0);
}

static void play(const char *at, const char *end, const char *folder, struct moments when) {
  int fds[MOST_FILES] = {0}; /* 0: not there yet */
  for (long n = 0; at < end; n++, at = behind(at)) {
    if (n == when.stop) raise(SIGSTOP);
    if (n == when.death) raise(SIGKILL);
    const struct step step = step_at(at);
    const char *content = at + sizeof step;
    if (step.file >= MOST_FILES) _exit(1);
    char temporary[4200], path[4400];
    snprintf(temporary, sizeof temporary, "%s/.%d-%u.part", folder, getpid(), step.file);
    int *fd = &fds[step.file];
    if (*fd == 0) *fd = open(temporary, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (*fd < 0) _exit(1);
    int failed;
    switch (step.kind) {
      case PWRITE:
        failed = pwrite(*fd, content, step.bytes, step.at) != (ssize_t)step.bytes;
        break;
      case FTRUNCATE: failed = ftruncate(*fd, step.at); break;
      case RENAME:
        snprintf(path, sizeof path, "%s/%.*s", folder, (int)step.bytes, content);
        failed = renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE);
        break;
      default: failed = fallocate(*fd, 0, step.at, step.bytes); break;
    }
    if (failed) _exit(1);
  }
  _exit(0);
}

/* Moments of writer n, 1 to wanted: of the first ones before a step, of the others up to the end. */
static struct moments moments_of(long n, long wanted, long early, long first, long end) {
  long step;
  if (n <= early) {
    step = random() % first;
  } else {
    const long length = end - first;
    const long from = (n - early - 1) * length, stretches = wanted - early;
    step = first + (from + random() % length) / stretches;
  }
  if (n % 2 == 0) return (struct moments){NEVER, step};
  const long last = step + random() % MOST_STEPS;
  return (struct moments){step, last < end ? last : end - 1};
}

int main(int argc, char **argv) {
  if (argc != 4 && argc != 6) return 2;
  int tape = open(argv[1], O_RDONLY);
  struct stat info;
  if (tape < 0 || fstat(tape, &info) != 0) return 2;
  const char *start = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, tape, 0);
  if (start == MAP_FAILED) return 2;
  const char *end = start + info.st_size;
  long steps = 0, place = NEVER;
  for (const char *at = start; at < end; at = behind(at), steps++)
    if (place == NEVER && step_at(at).kind == RENAME) place = steps;
  if (place == NEVER || place == steps - 1) return 2;
  prctl(PR_SET_TIMERSLACK, 1); /* sleep for microseconds where so many are asked for */
  srandom(time(NULL) ^ getpid());
  const long wanted = atol(argv[3]), early = argc == 4 ? wanted / EARLY : 0;
  const long first = argc == 4 ? place + 1 : atol(argv[4]), last = argc == 4 ? steps : atol(argv[5]);
  if (first >= last || last > steps) return 2;
  for (long n = 0; n <= wanted; n++) {
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/%ld", argv[2], n);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) return 2;
    const struct moments when =
        n == 0 ? (struct moments){NEVER, NEVER} : moments_of(n, wanted, early, first, last);
    pid_t child = fork();
    if (child < 0) return 2;
    if (child == 0) play(start, end, folder, when);
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
