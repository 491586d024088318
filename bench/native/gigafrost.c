/* Unpacking of GigaFRoST's 12-bit pixels in C: what the kernel is compared with.
 *
 *   gigafrost <shm file> <plain|vectorised|traffic> <hot|cold> <ms>
 *
 * plain: pixel pair after pixel pair, as one writes it down. vectorised: the same with what gcc needs to
 * know in order to vectorise it. traffic: as many bytes read and written, by memcpy and memset. cold: images of 2016 × 2016 px from rings larger than the caches. hot:
 * one of 504 × 252 px. Prints {"gb_per_s"}: bytes of packed frames per second of CPU time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MODULES 8
#define RING (128u << 20)

/* CPU time: what else the machine does should not count. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noinline)) static void plain(uint16_t *to, const uint8_t *from, size_t rows, size_t columns, ptrdiff_t step) {
  for (size_t row = 0; row < rows; row++) {
    for (size_t x = 0; x < columns; x += 2) {
      to[x] = (uint16_t)(from[0] | (from[1] & 15) << 8);
      to[x + 1] = (uint16_t)(from[1] >> 4 | from[2] << 4);
      from += 3;
    }
    to += step;
  }
}

__attribute__((noinline)) static void vectorised(uint16_t *restrict to, const uint8_t *restrict from, size_t rows,
                                                 size_t columns, ptrdiff_t step) {
  for (size_t row = 0; row < rows; row++) {
    for (size_t pair = 0; pair < columns / 2; pair++) {
      const uint8_t a = from[3 * pair], b = from[3 * pair + 1], c = from[3 * pair + 2];
      to[2 * pair] = (uint16_t)(a | (b & 15) << 8);
      to[2 * pair + 1] = (uint16_t)(b >> 4 | c << 4);
    }
    from += columns / 2 * 3;
    to += step;
  }
}

__attribute__((noinline)) static void traffic(uint16_t *to, const uint8_t *from, size_t rows, size_t columns, ptrdiff_t step) {
  const size_t packed = columns / 2 * 3;
  for (size_t row = 0; row < rows; row++) {
    memcpy(to, from, packed);
    memset((uint8_t *)to + packed, 0, 2 * columns - packed);
    from += packed;
    to += step;
  }
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  void (*const unpack)(uint16_t *, const uint8_t *, size_t, size_t, ptrdiff_t) =
      argv[2][0] == 'p' ? plain : argv[2][0] == 'v' ? vectorised : traffic;
  const int cold = strcmp(argv[3], "cold") == 0;
  const double wanted = atof(argv[4]) / 1e3;
  const size_t width = cold ? 2016 : 504, height = cold ? 2016 : 252, columns = width / 2, rows = height / 4;
  const size_t frame = columns * rows * 3 / 2, image = width * height * 2;
  const size_t frames = cold ? RING / frame / MODULES * MODULES : MODULES, images = cold ? RING / image : 1;
  const int fd = open(argv[1], O_RDWR);
  if (fd < 0) { perror(argv[1]); return 1; }
  uint8_t *base = mmap(NULL, frames * frame + images * image, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (base == MAP_FAILED) { perror("mmap"); return 1; }
  uint8_t *out = base + frames * frame;
  const int warm = cold ? 20 : 2000, at_once = cold ? 1 : 100;
  size_t done = 0, f = 0, i = 0;
  double start = 0, now = 0;
  for (int round = 0; start == 0 || now - start < wanted; round++) {
    for (size_t m = 0; m < MODULES; m++) {
      const size_t link = m & 1, right = m >> 1 & 1, upper = m >> 2;
      const size_t row = upper ? height / 2 - 1 - link : height / 2 + link;
      uint16_t *to = (uint16_t *)(out + i * image) + row * width + right * columns;
      const ptrdiff_t step = upper ? -2 * (ptrdiff_t)width : 2 * (ptrdiff_t)width;
      unpack(to, base + (f + m) * frame, rows, columns, step);
    }
    f = (f + MODULES) % frames;
    if (++i == images) i = 0;
    if (start == 0) {
      if (round == warm) start = now = seconds();
      continue;
    }
    done++;
    if (done % at_once == 0) now = seconds();
  }
  printf("{\"gb_per_s\":%.4f}\n", (double)(done * MODULES * frame) / 1e9 / (now - start));
  return 0;
}
