/* Unpacking, laying on the side, sharing of border pixels: the loops that one writes down.
 *
 *   geometry <shm file> <unpack|rotate8|rotate16|rotate32|share> <hot|cold> <ms>
 *
 * cold: from frames and into images of 128 MiB, one after the other. hot: one frame to one place.
 * Prints {"gb_per_s"}: bytes of frames per second of CPU time.
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
#define COLUMNS 512
#define SKEW 64
#define RING (128u << 20)

/* CPU time: what else the machine does should not count. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noinline)) static void unpack(uint8_t *restrict to, const uint8_t *restrict from) {
  for (int row = 0; row < ROWS; row++) {
    for (int i = 0; i < COLUMNS / 2; i++) {
      to[2 * i] = from[i] & 15;
      to[2 * i + 1] = from[i] >> 4;
    }
    from += COLUMNS / 2;
    to += COLUMNS + SKEW;
  }
}

#define ROTATE(name, type)                                                                       \
  __attribute__((noinline)) static void name(uint8_t *restrict to, const uint8_t *restrict from) { \
    const type *in = (const type *)from;                                                         \
    for (int column = 0; column < COLUMNS; column++) {                                           \
      type *out = (type *)(to + (size_t)column * (ROWS * sizeof(type) + SKEW));                  \
      for (int row = 0; row < ROWS; row++) out[row] = in[row * COLUMNS + column];                \
    }                                                                                            \
  }
ROTATE(rotate8, uint8_t)
ROTATE(rotate16, uint16_t)
ROTATE(rotate32, uint32_t)

static inline void share1(uint16_t *border, uint16_t *gap) {
  const uint16_t b = *border, half = b == 65535 ? b : b >> 1;
  *gap = half;
  *border = b == 65535 ? b : b - half;
}

__attribute__((noinline)) static void share(uint8_t *restrict to, const uint8_t *restrict from) {
  (void)from;
  const size_t stride = COLUMNS + SKEW / 2;
  uint16_t *image = (uint16_t *)to;
  for (int row = 0; row < ROWS; row++) {
    uint16_t *gap = image + row * stride + COLUMNS / 2;
    share1(gap - 1, gap);
    share1(gap + 2, gap + 1);
  }
  uint16_t *last = image + (ROWS - 1) * stride, *above = last - stride;
  for (int i = 0; i < COLUMNS; i++) share1(last + i, above + i);
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  static const struct { const char *name; void (*run)(uint8_t *, const uint8_t *); size_t pixel; } kernels[] = {
      {"unpack", unpack, 1}, {"rotate8", rotate8, 1}, {"rotate16", rotate16, 2}, {"rotate32", rotate32, 4}, {"share", share, 2}};
  size_t k = 0;
  while (k < 5 && strcmp(argv[2], kernels[k].name) != 0) k++;
  if (k == 5) return 2;
  const size_t pixel = kernels[k].pixel;
  const size_t from = k == 0 ? ROWS * COLUMNS / 2 : ROWS * COLUMNS * pixel;
  const size_t to = strncmp(argv[2], "rotate", 6) == 0 ? COLUMNS * (ROWS * pixel + SKEW) : ROWS * (COLUMNS * pixel + SKEW);
  const size_t count = strcmp(argv[3], "cold") == 0 ? (RING + to - 1) / to : 1;
  const double wanted = atof(argv[4]) / 1e3;
  const int fd = open(argv[1], O_RDWR);
  if (fd < 0) { perror(argv[1]); return 1; }
  uint8_t *base = mmap(NULL, count * (from + to), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (base == MAP_FAILED) { perror("mmap"); return 1; }
  uint8_t *images = base + count * from;
  const size_t warm = count > 200 ? count : 200;
  size_t done = 0;
  double start = 0, now = 0;
  for (size_t i = 0; start == 0 || now - start < wanted; i++) {
    kernels[k].run(images + i % count * to, base + i % count * from);
    if (i == warm) start = now = seconds();
    else if (i > warm && ++done % 32 == 0) now = seconds();
  }
  printf("{\"gb_per_s\":%.4f}\n", (double)(done * from) / 1e9 / (now - start));
  return 0;
}
