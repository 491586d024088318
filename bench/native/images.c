/* Plain loops over images: what the kernels are compared with.
 *
 *   images <shm file> <uint8|uint16|uint32|float32> <image bytes> <images> <width>
 *
 * Prints `ready`, takes lines `<case> <hot|cold> <ms>`, and answers each with {"gb_per_s"}: GB of images per
 * second of CPU time. Cases: mask, bin2, bin8, statistics, histogram, crop, xxh3. The file holds the images
 * and then one mask, a byte per pixel. cold: all images, one after the other, at least once. hot: the first
 * 64 KiB of the first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
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

/* Loops over pixels of type T. Sum: of 2 × 2 of them; Wide: of 64; Total: of an image. */
#define LOOPS(T, Sum, Wide, Total, MOST, SUM, MEAN, ABOVE)                                                       \
  NOINLINE static void mask_##T(T *image, const uint8_t *mask, size_t n) {                                       \
    for (size_t i = 0; i < n; i++)                                                                               \
      if (mask[i]) image[i] = MOST;                                                                              \
  }                                                                                                              \
  NOINLINE static void bin2_##T(Sum *restrict to, const T *restrict from, size_t width, size_t rows) {           \
    for (size_t y = 0; y < rows / 2; y++) {                                                                      \
      const T *a = from + 2 * y * width, *b = a + width;                                                         \
      for (size_t x = 0; x < width / 2; x++) {                                                                   \
        const Wide sum = (Wide)a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1];                                \
        *to++ = SUM;                                                                                             \
      }                                                                                                          \
    }                                                                                                            \
  }                                                                                                              \
  NOINLINE static void bin8_##T(T *restrict to, const T *restrict from, size_t width, size_t rows) {             \
    for (size_t y = 0; y < rows / 8; y++) {                                                                      \
      for (size_t x = 0; x < width / 8; x++) {                                                                   \
        Wide sum = 0;                                                                                            \
        for (size_t j = 0; j < 8; j++)                                                                           \
          for (size_t i = 0; i < 8; i++) sum += from[(8 * y + j) * width + 8 * x + i];                           \
        *to++ = MEAN;                                                                                            \
      }                                                                                                          \
    }                                                                                                            \
  }                                                                                                              \
  NOINLINE static double statistics_##T(const T *from, const uint8_t *mask, size_t n) {                          \
    T least = MOST, most = 0;                                                                                    \
    Total sum = 0, valid = 0;                                                                                    \
    for (size_t i = 0; i < n; i++) {                                                                             \
      if (mask[i] || from[i] != from[i]) continue;                                                               \
      if (from[i] < least) least = from[i];                                                                      \
      if (from[i] > most) most = from[i];                                                                        \
      sum += from[i];                                                                                            \
      valid++;                                                                                                   \
    }                                                                                                            \
    return (double)sum + (double)valid + (double)least + (double)most;                                           \
  }                                                                                                              \
  NOINLINE static void histogram_##T(uint32_t *restrict counts, const T *from, const uint8_t *mask, size_t n) {  \
    memset(counts, 0, (BINS + 2) * 4);                                                                           \
    for (size_t i = 0; i < n; i++) {                                                                             \
      const size_t bin = mask[i] || from[i] != from[i] ? BINS + 1 : ABOVE ? BINS : (size_t)from[i];              \
      counts[bin]++;                                                                                             \
    }                                                                                                            \
  }

typedef uint8_t uint8;
typedef uint16_t uint16;
typedef uint32_t uint32;
typedef float float32;
LOOPS(uint8, uint16, uint32, uint64_t, 0xff, (uint16)sum, (uint8)((sum + 32) / 64), 0)
LOOPS(uint16, uint32, uint32, uint64_t, 0xffff, sum, (uint16)((sum + 32) / 64), from[i] >= BINS)
LOOPS(uint32, uint32, uint64_t, uint64_t, 0xffffffff, sum > 0xffffffff ? 0xffffffff : (uint32)sum,
      (uint32)((sum + 32) / 64), from[i] >= BINS)
LOOPS(float32, float32, float32, double, INFINITY, sum, sum / 64, !(from[i] >= 0 && from[i] < BINS))

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

static uint32_t counts[BINS + 2];
static uint8_t secret[192];
static volatile double keep;

/* One case on pixels of one type. */
#define RUN(T, Sum)                                                                                              \
  static void run_##T(const char *what, void *to, const void *from, const uint8_t *mask, size_t width, size_t n) { \
    const size_t rows = n / width, pixel = sizeof(T);                                                            \
    if (strcmp(what, "mask") == 0) mask_##T(to, mask, n);                                                        \
    else if (strcmp(what, "bin2") == 0) bin2_##T((Sum *)to, from, width, rows);                                  \
    else if (strcmp(what, "bin8") == 0) bin8_##T(to, from, width, rows);                                         \
    else if (strcmp(what, "statistics") == 0) keep = statistics_##T(from, mask, n);                              \
    else if (strcmp(what, "histogram") == 0) histogram_##T(counts, from, mask, n);                               \
    else if (strcmp(what, "crop") == 0)                                                                          \
      crop(to, (const uint8_t *)from + pixel * (width * (rows / 8) + width / 8), rows * 3 / 4,                   \
           width * 3 / 4 * pixel, width * pixel);                                                                \
    else keep = (double)xxh3(from, n * pixel, secret);                                                           \
  }
RUN(uint8, uint16)
RUN(uint16, uint32)
RUN(uint32, uint32)
RUN(float32, float32)

static const struct {
  const char *name;
  size_t pixel;
  void (*run)(const char *, void *, const void *, const uint8_t *, size_t, size_t);
} TYPES[] = {{"uint8", 1, run_uint8}, {"uint16", 2, run_uint16}, {"uint32", 4, run_uint32}, {"float32", 4, run_float32}};

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  size_t t = 0;
  while (t < 4 && strcmp(argv[2], TYPES[t].name) != 0) t++;
  if (t == 4) return 2;
  const size_t bytes = (size_t)atol(argv[3]), count = (size_t)atol(argv[4]), width = (size_t)atol(argv[5]);
  const size_t pixel = TYPES[t].pixel, all = bytes * count;
  const int fd = open(argv[1], O_RDONLY);
  if (fd < 0) { perror(argv[1]); return 1; }
  const uint8_t *in = mmap(NULL, all + bytes / pixel, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (in == MAP_FAILED) { perror("mmap"); return 1; }
  const uint8_t *const mask = in + all;
  uint8_t *const out = malloc(all);
  memcpy(out, in, all);
  for (size_t i = 0; i < sizeof secret; i++) secret[i] = (uint8_t)(i * 37 + 11);

  puts("ready");
  fflush(stdout);
  char what[16], mode[8], before[32] = "", now_asked[32];
  double ms;
  while (scanf("%15s %7s %lf", what, mode, &ms) == 3) {
    const size_t unit = mode[0] == 'c' ? bytes : HOT, units = mode[0] == 'c' ? count : 1;
    snprintf(now_asked, sizeof now_asked, "%s %s", what, mode);
    const int warm = strcmp(now_asked, before) == 0;
    strcpy(before, now_asked);
    size_t done = 0;
    double start = seconds(), now = start;
    for (int pass = warm; pass == 0 || now - start < ms / 1e3; pass++) {
      for (size_t i = 0; i < (units > 1 ? units : 16); i++) {
        const size_t at = i % units * unit;
        TYPES[t].run(what, out + at, in + at, mask, width, unit / pixel);
        done += unit;
      }
      now = seconds();
      if (pass == 0) start = now, done = 0; /* the first pass of a case is not counted */
    }
    printf("{\"gb_per_s\":%.4f}\n", (double)done / 1e9 / (now - start));
    fflush(stdout);
  }
  return 0;
}
