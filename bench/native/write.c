/* Images from a ring in shared memory to files: nothing but pwrite.
 *
 *   write <ring file> <image bytes> <slots> <output> [sync] [reserve <images>] [direct]
 *
 * Images start at multiples of 4096, as in our files. `reserve` has the blocks of so many images reserved first
 * (fallocate, keeping the size), `direct` goes past the page cache (O_DIRECT). Prints `ready`; then each line
 * on stdin that is a number has so many more images written, to a new file when there is none, and a line
 * `end` ends the file, with fdatasync if `sync` is given, and prints {"gb_per_s", "cpu_s_per_gb"}: GB per
 * second of CPU time, or of the clock on the wall with `sync`; and the process's CPU time. Other lines are
 * answered with {}. Only the work for the lines is timed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int has(const char *flag, int argc, char **argv) {
  for (int i = 5; i < argc; i++) if (strcmp(argv[i], flag) == 0) return i;
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  const size_t bytes = strtoull(argv[2], NULL, 10), slots = (size_t)atoi(argv[3]);
  const char *path = argv[4];
  const int in = open(argv[1], O_RDONLY);
  const uint8_t *ring = mmap(NULL, bytes * slots, PROT_READ, MAP_SHARED | MAP_POPULATE, in, 0);
  if (in < 0 || ring == MAP_FAILED) { perror(argv[1]); return 1; }
  const int flags = O_RDWR | O_CREAT | O_EXCL | (has("direct", argc, argv) ? O_DIRECT : 0);
  const int sync = has("sync", argc, argv), reserve = has("reserve", argc, argv);
  const size_t step = (bytes + 4095) / 4096 * 4096;
  const size_t reserved = reserve ? 4096 + strtoull(argv[reserve + 1], NULL, 10) * step : 0;
  const clockid_t clock = sync ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;

  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("ready");
  char line[64];
  int out = -1;
  size_t written = 0;
  double took = 0, cpu = 0;
  while (fgets(line, sizeof line, stdin) != NULL) {
    const int ends = strncmp(line, "end", 3) == 0;
    if (!ends && out < 0) {
      out = open(path, flags, 0600);
      if (out < 0) { perror(path); return 1; }
      written = 0;
      took = cpu = 0;
    }
    const double start = seconds(clock), cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (ends) {
      if (sync) fdatasync(out);
    } else {
      if (written == 0 && reserve && fallocate(out, FALLOC_FL_KEEP_SIZE, 0, (off_t)reserved) != 0) {
        perror("fallocate");
        return 1;
      }
      for (const size_t last = written + strtoull(line, NULL, 10); written < last; written++) {
        const uint8_t *from = ring + (written % slots) * bytes;
        for (size_t done = 0; done < bytes;) {
          const ssize_t n = pwrite(out, from + done, bytes - done, (off_t)(4096 + written * step + done));
          if (n < 0) { perror("pwrite"); return 1; }
          done += (size_t)n;
        }
      }
    }
    took += seconds(clock) - start;
    cpu += seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
    if (!ends) { puts("{}"); continue; }
    close(out);
    unlink(path);
    out = -1;
    const double gb = (double)(bytes * written) / 1e9;
    printf("{\"gb_per_s\":%.4f,\"cpu_s_per_gb\":%.4f}\n", gb / took, cpu / gb);
  }
  return 0;
}
