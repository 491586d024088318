/* Plain loops over 16-bit images: what the kernels are compared with.
 *
 *   images <shm file> <image bytes> <images> <width> <mask|bin2|bin8|statistics|histogram|crop|xxh3> <ms>
 *
 * The file holds the images and then one mask, a byte per pixel. cold: image after image. hot: the first
 * 64 KiB of the first. Prints {"hot", "cold"}: GB of images per second of CPU time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define HOT (64u << 10)
#define BINS 4096
#define NOINLINE __attribute__((noinline))

/* CPU time: what else the machine does should not count. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

NOINLINE static void apply_mask(uint16_t *image, const uint8_t *mask, size_t n, uint16_t value) {
  for (size_t i = 0; i < n; i++)
    if (mask[i]) image[i] = value;
}

NOINLINE static void bin2(uint32_t *restrict to, const uint16_t *restrict from, size_t width, size_t rows) {
  for (size_t y = 0; y < rows / 2; y++) {
    const uint16_t *a = from + 2 * y * width, *b = a + width;
    for (size_t x = 0; x < width / 2; x++) *to++ = (uint32_t)a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1];
  }
}

NOINLINE static void bin8(uint16_t *restrict to, const uint16_t *restrict from, size_t width, size_t rows) {
  for (size_t y = 0; y < rows / 8; y++) {
    for (size_t x = 0; x < width / 8; x++) {
      uint32_t sum = 0;
      for (size_t j = 0; j < 8; j++)
        for (size_t i = 0; i < 8; i++) sum += from[(8 * y + j) * width + 8 * x + i];
      *to++ = (uint16_t)((sum + 32) / 64);
    }
  }
}

NOINLINE static uint64_t statistics(const uint16_t *from, const uint8_t *mask, size_t n) {
  uint16_t least = 0xffff, most = 0;
  uint64_t sum = 0, valid = 0;
  for (size_t i = 0; i < n; i++) {
    if (mask[i]) continue;
    if (from[i] < least) least = from[i];
    if (from[i] > most) most = from[i];
    sum += from[i];
    valid++;
  }
  return sum + valid + least + most;
}

NOINLINE static void histogram(uint32_t *restrict counts, const uint16_t *from, const uint8_t *mask, size_t n) {
  memset(counts, 0, (BINS + 2) * 4);
  for (size_t i = 0; i < n; i++) {
    const size_t bin = mask[i] ? BINS + 1 : from[i] < BINS ? from[i] : BINS;
    counts[bin]++;
  }
}

NOINLINE static void crop(uint8_t *restrict to, const uint8_t *restrict from, size_t rows, size_t run, size_t stride) {
  for (size_t y = 0; y < rows; y++) memcpy(to + y * run, from + y * stride, run);
}

/* The long part of XXH3, by its specification: all but the last stripe and the merging. */
NOINLINE static uint64_t xxh3(const uint8_t *from, size_t n, const uint8_t *secret) {
  uint64_t sums[8] = {0xc2b2ae3d, 0x9e3779b185ebca87, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0x85ebca77c2b2ae63,
                      0x85ebca77, 0x27d4eb2f165667c5, 0x9e3779b1};
  for (size_t block = 0; block + 1024 <= n; block += 1024) {
    for (size_t s = 0; s < 16; s++) {
      uint64_t data[8], key[8];
      memcpy(data, from + block + 64 * s, 64);
      memcpy(key, secret + 8 * s, 64);
      for (size_t i = 0; i < 8; i++) {
        const uint64_t keyed = data[i] ^ key[i];
        sums[i] += data[i ^ 1] + (keyed & 0xffffffff) * (keyed >> 32);
      }
    }
    for (size_t i = 0; i < 8; i++) {
      uint64_t key;
      memcpy(&key, secret + 128 + 8 * i, 8);
      sums[i] = (sums[i] ^ (sums[i] >> 47) ^ key) * 0x9e3779b1;
    }
  }
  return sums[0] ^ sums[1] ^ sums[2] ^ sums[3] ^ sums[4] ^ sums[5] ^ sums[6] ^ sums[7];
}

int main(int argc, char **argv) {
  if (argc < 7) return 2;
  const size_t bytes = (size_t)atol(argv[2]), count = (size_t)atol(argv[3]), width = (size_t)atol(argv[4]);
  const char *const what = argv[5];
  const double wanted = atof(argv[6]) / 1e3;
  const size_t all = bytes * count;
  const int fd = open(argv[1], O_RDONLY);
  if (fd < 0) { perror(argv[1]); return 1; }
  const uint8_t *in = mmap(NULL, all + bytes / 2, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (in == MAP_FAILED) { perror("mmap"); return 1; }
  const uint8_t *const mask = in + all;
  uint8_t *const out = malloc(all);
  memcpy(out, in, all);
  static uint32_t counts[BINS + 2];
  uint8_t secret[192];
  for (size_t i = 0; i < sizeof secret; i++) secret[i] = (uint8_t)(i * 37 + 11);

  double speed[2];
  volatile uint64_t keep = 0;
  for (int cold = 0; cold < 2; cold++) {
    const size_t unit = cold ? bytes : HOT, units = cold ? count : 1, n = unit / 2, rows = n / width;
    const size_t run = width * 3 / 4 * 2; /* of the region of interest, bytes */
    size_t done = 0, i = 0;
    double start = 0, now = 0;
    for (int round = 0; start == 0 || now - start < wanted; round++) {
      for (int step = 0; step < (cold ? 1 : 16); step++) {
        const uint8_t *const from = in + i * unit;
        uint8_t *const to = out + i * unit;
        if (strcmp(what, "mask") == 0) apply_mask((uint16_t *)to, mask, n, 0xffff);
        else if (strcmp(what, "bin2") == 0) bin2((uint32_t *)to, (const uint16_t *)from, width, rows);
        else if (strcmp(what, "bin8") == 0) bin8((uint16_t *)to, (const uint16_t *)from, width, rows);
        else if (strcmp(what, "statistics") == 0) keep += statistics((const uint16_t *)from, mask, n);
        else if (strcmp(what, "histogram") == 0) histogram(counts, (const uint16_t *)from, mask, n);
        else if (strcmp(what, "crop") == 0) crop(to, from + 2 * width * (rows / 8) + 256, rows * 3 / 4, run, 2 * width);
        else keep += xxh3(from, unit, secret);
        if (++i == units) i = 0;
        if (start != 0) done += unit;
      }
      now = seconds();
      if (start == 0 && round >= 4) start = now, done = 0; /* warm from here on */
    }
    speed[cold] = (double)done / 1e9 / (now - start);
  }
  keep += counts[0];
  printf("{\"hot\":%.4f,\"cold\":%.4f}\n", speed[0], speed[1]);
  return 0;
}
