/* Assembly of Eiger modules by memcpy, row by row, chip by chip: what the kernels are compared with.
 *
 *   assemble <shm file> <pixel bytes> <cold|ring|hot> <ms>
 *
 * cold: 72 modules at 6 × 12 places of an image 3106 px wide, image after image, from rings larger
 * than the caches. ring: 4 modules at 2 × 2 places, from and into rings of 8 images. hot: one frame to one place. Prints {"gb_per_s"}: bytes of frames per
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
#define STEP_X 518
#define STEP_Y 272
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
  const int hot = strcmp(argv[3], "hot") == 0, ring = strcmp(argv[3], "ring") == 0;
  const size_t columns = ring ? 2 : 6, modules = ring ? 4 : 72;
  const double wanted = atof(argv[4]) / 1e3;
  const size_t stride = (columns * STEP_X - 2) * pixel, image = stride * (modules / columns) * STEP_Y;
  const size_t images = ring ? 8 : RING / image + 1, frames = ring ? images * modules : RING / frame;
  const int fd = open(argv[1], O_RDWR);
  if (fd < 0) { perror(argv[1]); return 1; }
  uint8_t *base = mmap(NULL, frames * frame + images * image, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (base == MAP_FAILED) { perror("mmap"); return 1; }
  uint8_t *out = base + frames * frame;
  size_t done = 0, f = 0, i = 0;
  double start = 0, now = 0;
  for (int round = 0; start == 0 || now - start < wanted; round++) {
    for (size_t m = 0; m < modules; m++) {
      if (!hot) {
        const size_t place = m / columns * STEP_Y * stride + m % columns * STEP_X * pixel;
        assemble(out + i * image + place, base + f * frame, RUN * pixel, GAP * pixel, stride);
        if (++f == frames) f = 0;
      } else assemble(out, base, RUN * pixel, GAP * pixel, stride);
    }
    if (++i == images) i = 0;
    now = seconds();
    if (round == 20) start = now; /* warm from here on */
    else if (start != 0) done += modules;
  }
  printf("{\"gb_per_s\":%.4f}\n", (double)(done * frame) / 1e9 / (now - start));
  return 0;
}
