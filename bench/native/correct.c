/* Correction of Jungfrau modules by loops over the pixels: what the kernels are compared with.
 *
 *   correct <shm file> <plain|vector> <float32|int16> <switched> <hot|cold> <ms>
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

__attribute__((noinline)) static void plain_int16(int16_t *restrict to, const uint16_t *restrict from, const Maps *maps, size_t n) {
  static const int stage_of_code[4] = {0, 1, -1, 2};
  for (size_t i = 0; i < n; i++) {
    const uint16_t v = from[i];
    const int stage = stage_of_code[v >> 14];
    if (stage < 0 || v == SATURATED) {
      to[i] = INT16_MIN;
      invalid_pixels++;
      continue;
    }
    const float x = rintf(((float)(v & 0x3FFF) - maps->pedestal[stage][i]) * maps->scale[stage][i]);
    to[i] = x > 32767 ? 32767 : x < -32768 ? -32768 : (int16_t)x;
  }
}

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

__attribute__((noinline)) static void vector_int16(int16_t *restrict to, const uint16_t *restrict from, const Maps *maps, size_t n) {
  MAPS;
  for (size_t i = 0; i < n; i++) {
    PIXEL;
    float x = rintf(((float)(int32_t)(v & 0x3FFF) - p) * s);
    x = x > 32767 ? 32767 : x < -32768 ? -32768 : x;
    to[i] = invalid ? -32768 : (int16_t)x;
  }
  invalid_pixels += bad;
}

int main(int argc, char **argv) {
  if (argc < 7) return 2;
  const int plain = strcmp(argv[2], "plain") == 0, float32 = strcmp(argv[3], "float32") == 0;
  const uint32_t switched = (uint32_t)atoi(argv[4]);
  const int cold = strcmp(argv[5], "cold") == 0;
  const double wanted = atof(argv[6]) / 1e3;
  const size_t n = (size_t)COLUMNS * (cold ? 512 : 16), pixel = float32 ? 4 : 2;
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
      void *to = out + k * pixel * n;
      const uint16_t *from = raw + f * n;
      if (float32) (plain ? plain_float32 : vector_float32)(to, from, &maps, n);
      else (plain ? plain_int16 : vector_int16)(to, from, &maps, n);
      if (++f == frames) f = 0;
      if (++k == images) k = 0;
      done++;
    }
    now = seconds();
    if (round == 0) /* of frame 0 in image 0 */
      for (size_t i = 0; i < n; i++) sum += float32 ? ((float *)out)[i] : ((int16_t *)out)[i];
    if (round == 20) start = now, done = 0; /* warm from here on */
  }
  if (invalid_pixels > 0) return 1; /* there are none */
  printf("{\"gb_per_s\":%.4f,\"sum\":%.3f}\n", (double)(done * 2 * n) / 1e9 / (now - start), sum);
  return 0;
}
