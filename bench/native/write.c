/* Images from a ring in shared memory to a file: nothing but pwrite.
 *
 *   write <ring file> <image bytes> <slots> <images> <output> [sync]
 *
 * Images start at multiples of 4096, as in our files. Prints {"gb_per_s"}: per second of CPU time,
 * or of the clock on the wall with `sync`.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  const size_t bytes = strtoull(argv[2], NULL, 10), slots = (size_t)atoi(argv[3]), images = (size_t)atoi(argv[4]);
  const int in = open(argv[1], O_RDONLY);
  const uint8_t *ring = mmap(NULL, bytes * slots, PROT_READ, MAP_SHARED | MAP_POPULATE, in, 0);
  if (in < 0 || ring == MAP_FAILED) { perror(argv[1]); return 1; }
  const int out = open(argv[5], O_RDWR | O_CREAT | O_EXCL, 0600);
  if (out < 0) { perror(argv[5]); return 1; }
  const size_t step = (bytes + 4095) / 4096 * 4096;
  const clockid_t clock = argc > 6 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
  const double start = seconds(clock);
  for (size_t i = 0; i < images; i++) {
    const uint8_t *from = ring + (i % slots) * bytes;
    for (size_t done = 0; done < bytes;) {
      const ssize_t n = pwrite(out, from + done, bytes - done, (off_t)(4096 + i * step + done));
      if (n < 0) { perror("pwrite"); return 1; }
      done += (size_t)n;
    }
  }
  if (argc > 6) fdatasync(out);
  printf("{\"gb_per_s\":%.4f}\n", (double)(bytes * images) / 1e9 / (seconds(clock) - start));
  unlink(argv[5]);
  return 0;
}
