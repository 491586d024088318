/* Correction of Jungfrau modules by loops over the pixels: what the kernels are compared with.
 *
 *   correct <shm file> <plain|vector> <float32|int16|uint16|int32> <switched> <hot|cold> <ms>
 *
 * plain: as one writes it, pixel by pixel with a table of the stages' maps, an `if` for invalid ones.
 * vector: the same without branches and tables, shaped so that the compiler uses its vectors.
 * switched: of every 100 pixels how many are in G1 or G2, at random. cold: from and into rings larger than
 * the caches, with the maps of a whole module. hot: a few rows, in the second-level cache. Prints
 * {"gb_per_s"}: bytes of frames per second of CPU time, and "sum", of the
 * first frame's results.
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
#include <unistd.h>

#define COLUMNS 1024
#define RING (128u << 20)
#define SATURATED 0xC000

/* CPU time: what else the machine does should not count. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Maps of all pixels, stage by stage. */
typedef struct {
  const float *scale[3], *pedestal[3];
} Maps;

static uint32_t invalid_pixels;

__attribute__((noinline)) static void plain_float32(float *restrict to, const uint16_t *restrict from, const Maps *maps, size_t n) {
  static const int stage_of_code[4] = {0, 1, -1, 2};
  for (size_t i = 0; i < n; i++) {
    const uint16_t v = from[i];
    const int stage = stage_of_code[v >> 14];
    if (stage < 0 || v == SATURATED) {
      to[i] = NAN;
      invalid_pixels++;
    } else to[i] = ((float)(v & 0x3FFF) - maps->pedestal[stage][i]) * maps->scale[stage][i];
  }
}

/* Counts of photons. At and above MOST as a float, so that what is converted fits. */
#define PLAIN(type, LEAST, MOST, INVALID)                                                                    \
  __attribute__((noinline)) static void plain_##type(type##_t *restrict to, const uint16_t *restrict from,   \
                                                     const Maps *maps, size_t n) {                           \
    static const int stage_of_code[4] = {0, 1, -1, 2};                                                       \
    for (size_t i = 0; i < n; i++) {                                                                         \
      const uint16_t v = from[i];                                                                            \
      const int stage = stage_of_code[v >> 14];                                                              \
      if (stage < 0 || v == SATURATED) {                                                                     \
        to[i] = INVALID;                                                                                     \
        invalid_pixels++;                                                                                    \
        continue;                                                                                            \
      }                                                                                                      \
      const float x = rintf(((float)(v & 0x3FFF) - maps->pedestal[stage][i]) * maps->scale[stage][i]);       \
      to[i] = x >= (float)MOST ? MOST : x < LEAST ? LEAST : (type##_t)x;                                     \
    }                                                                                                        \
  }
PLAIN(int16, INT16_MIN, INT16_MAX, INT16_MIN)
PLAIN(uint16, 0, UINT16_MAX, UINT16_MAX)
PLAIN(int32, INT32_MIN, INT32_MAX, INT32_MIN)

#define PIXEL                                                                                               \
  const uint32_t v = from[i];                                                                               \
  const float a = s0[i], b = s1[i], c = s2[i], d = p0[i], e = p1[i], f = p2[i];                              \
  const float s = v & 0x8000 ? c : v & 0x4000 ? b : a, p = v & 0x8000 ? f : v & 0x4000 ? e : d;              \
  const uint32_t invalid = (v >> 14 == 2) | (v == SATURATED);                                               \
  bad += invalid

#define MAPS                                                                                                \
  const float *restrict s0 = maps->scale[0], *restrict s1 = maps->scale[1], *restrict s2 = maps->scale[2];  \
  const float *restrict p0 = maps->pedestal[0], *restrict p1 = maps->pedestal[1], *restrict p2 = maps->pedestal[2]; \
  uint32_t bad = 0

__attribute__((noinline)) static void vector_float32(float *restrict to, const uint16_t *restrict from, const Maps *maps, size_t n) {
  MAPS;
  uint32_t *restrict bits = (uint32_t *)to; /* `invalid ? NAN :` would make the compiler branch */
  for (size_t i = 0; i < n; i++) {
    PIXEL;
    const union { float value; uint32_t bits; } x = {((float)(int32_t)(v & 0x3FFF) - p) * s};
    bits[i] = (x.bits & (invalid - 1)) | (0x7FC00000 & -invalid);
  }
  invalid_pixels += bad;
}

#define VECTOR(type, LEAST, MOST, INVALID)                                                                   \
  __attribute__((noinline)) static void vector_##type(type##_t *restrict to, const uint16_t *restrict from,  \
                                                      const Maps *maps, size_t n) {                          \
    MAPS;                                                                                                    \
    for (size_t i = 0; i < n; i++) {                                                                         \
      PIXEL;                                                                                                 \
      float x = rintf(((float)(int32_t)(v & 0x3FFF) - p) * s);                                               \
      x = x > MOST ? MOST : x < LEAST ? LEAST : x;                                                           \
      to[i] = invalid ? INVALID : (type##_t)(int32_t)x;                                                      \
    }                                                                                                        \
    invalid_pixels += bad;                                                                                   \
  }
VECTOR(int16, INT16_MIN, INT16_MAX, INT16_MIN)
VECTOR(uint16, 0, UINT16_MAX, UINT16_MAX)
VECTOR(int32, -2147483648.0f, 2147483520.0f, INT32_MIN) /* the largest float that fits */

typedef void Correct(void *to, const uint16_t *from, const Maps *maps, size_t n);
#define SUM(name, type)                                                                                      \
  static double sum_##name(const void *pixels, size_t n) {                                                   \
    double sum = 0;                                                                                          \
    for (size_t i = 0; i < n; i++) sum += ((const type *)pixels)[i];                                         \
    return sum;                                                                                              \
  }
SUM(float32, float)
SUM(int16, int16_t)
SUM(uint16, uint16_t)
SUM(int32, int32_t)

/* What a result can be. */
#define TYPE(type, bytes) {#type, bytes, {(Correct *)plain_##type, (Correct *)vector_##type}, sum_##type}
static const struct {
  const char *name;
  size_t bytes;
  Correct *run[2]; /* plain, vector */
  double (*sum)(const void *, size_t);
} TYPES[] = {TYPE(float32, 4), TYPE(int16, 2), TYPE(uint16, 2), TYPE(int32, 4)};

int main(int argc, char **argv) {
  if (argc < 7) return 2;
  size_t t = 0;
  while (t < 4 && strcmp(argv[3], TYPES[t].name) != 0) t++;
  if (t == 4) return 2;
  Correct *const correct = TYPES[t].run[strcmp(argv[2], "plain") != 0];
  const uint32_t switched = (uint32_t)atoi(argv[4]);
  const int cold = strcmp(argv[5], "cold") == 0;
  const double wanted = atof(argv[6]) / 1e3;
  const size_t n = (size_t)COLUMNS * (cold ? 512 : 16), pixel = TYPES[t].bytes;
  const size_t frames = cold ? RING / (2 * n) : 1, images = cold ? RING / (pixel * n) : 1;
  const int fd = open(argv[1], O_RDWR);
  if (fd < 0) { perror(argv[1]); return 1; }
  uint8_t *base = mmap(NULL, frames * 2 * n + images * pixel * n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (base == MAP_FAILED) { perror("mmap"); return 1; }
  uint16_t *raw = (uint16_t *)base;
  uint8_t *out = base + frames * 2 * n;
  float *m = aligned_alloc(64, 6 * n * sizeof(float));
  const Maps maps = {{m, m + 2 * n, m + 4 * n}, {m + n, m + 3 * n, m + 5 * n}};
  for (size_t i = 0; i < n; i++) {
    m[i] = 1 / 41.0f, m[n + i] = 2600 + (float)(i % 100);
    m[2 * n + i] = -1 / 1.4f, m[3 * n + i] = 13000;
    m[4 * n + i] = -1 / 0.1f, m[5 * n + i] = 13500;
  }
  uint32_t x = 12345;
  for (size_t i = 0; i < frames * n; i++) {
    x = x * 1103515245u + 12345u;
    const uint32_t charge = (x >> 20) % 300;
    raw[i] = (uint16_t)((x >> 8) % 100 < switched ? (x >> 31 ? 0xC000 : 0x4000) | (12000 + charge) : 2600 + charge);
  }
  size_t done = 0, f = 0, k = 0;
  double sum = 0;
  double start = 0, now = 0;
  for (int round = 0; start == 0 || now - start < wanted; round++) {
    for (int i = 0; i < (cold ? 1 : 32); i++) {
      correct(out + k * pixel * n, raw + f * n, &maps, n);
      if (++f == frames) f = 0;
      if (++k == images) k = 0;
      done++;
    }
    now = seconds();
    if (round == 0) sum = TYPES[t].sum(out, n); /* of frame 0 in image 0 */
    if (round == 20) start = now, done = 0; /* warm from here on */
  }
  if (invalid_pixels > 0) return 1; /* there are none */
  printf("{\"gb_per_s\":%.4f,\"sum\":%.3f}\n", (double)(done * 2 * n) / 1e9 / (now - start), sum);
  return 0;
}
