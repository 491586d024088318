/* Assembly of Eiger modules by memcpy, row by row, chip by chip: what the kernels are compared with.
 *
 *   assemble <shm file> <pixel bytes> <hot|cold> <ms>
 *
 * cold: 72 modules at 6 × 12 places of an image 3106 px wide, image after image, from rings larger
 * than the caches. hot: one frame to one place. Prints {"gb_per_s"}: bytes of frames per
 * second of CPU time.
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

#define ROWS 256
#define RUN 256
#define GAP 2
#define WIDTH 3106
#define HEIGHT 3264
#define RING (128u << 20)

/* CPU time: what else the machine does should not count. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noinline)) static void assemble(uint8_t *to, const uint8_t *from, size_t run, size_t gap, size_t stride) {
  for (int row = 0; row < ROWS; row++) {
    memcpy(to, from, run);
    memcpy(to + run + gap, from + run, run);
    from += 2 * run;
    to += stride;
  }
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  const size_t pixel = (size_t)atoi(argv[2]), frame = (size_t)ROWS * 2 * RUN * pixel;
  const int cold = strcmp(argv[3], "cold") == 0;
  const double wanted = atof(argv[4]) / 1e3;
  const size_t image = (size_t)WIDTH * HEIGHT * pixel, images = RING / image + 1, frames = RING / frame;
  const int fd = open(argv[1], O_RDWR);
  if (fd < 0) { perror(argv[1]); return 1; }
  uint8_t *base = mmap(NULL, frames * frame + images * image, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (base == MAP_FAILED) { perror("mmap"); return 1; }
  uint8_t *out = base + frames * frame;
  const size_t stride = WIDTH * pixel;
  size_t done = 0, f = 0, i = 0;
  double start = 0, now = 0;
  for (int round = 0; start == 0 || now - start < wanted; round++) {
    for (int m = 0; m < 72; m++) {
      if (cold) {
        const size_t place = (size_t)(m / 6) * 272 * stride + (size_t)(m % 6) * 518 * pixel;
        assemble(out + i * image + place, base + f * frame, RUN * pixel, GAP * pixel, stride);
        if (++f == frames) f = 0;
      } else assemble(out, base, RUN * pixel, GAP * pixel, stride);
    }
    if (++i == images) i = 0;
    now = seconds();
    if (round == 20) start = now; /* warm from here on */
    else if (start != 0) done += 72;
  }
  printf("{\"gb_per_s\":%.4f}\n", (double)(done * frame) / 1e9 / (now - start));
  return 0;
}
