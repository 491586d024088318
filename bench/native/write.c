/* Images from a ring in shared memory to a file: nothing but pwrite.
 *
 *   write <ring file> <image bytes> <slots> <images> <output> [sync] [reserve] [direct]
 *
 * Images start at multiples of 4096, as in our files. `reserve` has the file's blocks reserved first
 * (fallocate, keeping the size), `direct` goes past the page cache (O_DIRECT). Prints {"gb_per_s",
 * "cpu_s_per_gb"}: GB per second of CPU time, or of the clock on the wall with `sync`, which ends with
 * fdatasync; and the process's CPU time.
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
  for (int i = 6; i < argc; i++) if (strcmp(argv[i], flag) == 0) return 1;
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  const size_t bytes = strtoull(argv[2], NULL, 10), slots = (size_t)atoi(argv[3]), images = (size_t)atoi(argv[4]);
  const int in = open(argv[1], O_RDONLY);
  const uint8_t *ring = mmap(NULL, bytes * slots, PROT_READ, MAP_SHARED | MAP_POPULATE, in, 0);
  if (in < 0 || ring == MAP_FAILED) { perror(argv[1]); return 1; }
  const int out = open(argv[5], O_RDWR | O_CREAT | O_EXCL | (has("direct", argc, argv) ? O_DIRECT : 0), 0600);
  if (out < 0) { perror(argv[5]); return 1; }
  const size_t step = (bytes + 4095) / 4096 * 4096;
  const int sync = has("sync", argc, argv);
  const clockid_t clock = sync ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
  const double start = seconds(clock), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  if (has("reserve", argc, argv) && fallocate(out, FALLOC_FL_KEEP_SIZE, 0, (off_t)(4096 + images * step)) != 0) {
    perror("fallocate");
    return 1;
  }
  for (size_t i = 0; i < images; i++) {
    const uint8_t *from = ring + (i % slots) * bytes;
    for (size_t done = 0; done < bytes;) {
      const ssize_t n = pwrite(out, from + done, bytes - done, (off_t)(4096 + i * step + done));
      if (n < 0) { perror("pwrite"); return 1; }
      done += (size_t)n;
    }
  }
  if (sync) fdatasync(out);
  const double took = seconds(clock) - start, gb = (double)(bytes * images) / 1e9;
  printf("{\"gb_per_s\":%.4f,\"cpu_s_per_gb\":%.4f}\n", gb / took, (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / gb);
  unlink(argv[5]);
  return 0;
}
