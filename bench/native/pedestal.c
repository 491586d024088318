/* Pedestal sums of dark frames in C: what the kernel is compared with.
 *
 *   pedestal <shm file> <frame|batch|track> <hot|cold> <ms>
 *
 * frame: one frame after the other into the state, as one writes it down. batch: the same state, but
 * 16 frames at a time for each pixel, as the kernel does it, in a form that gcc vectorises. track:
 * pedestals follow the pixels near them, in the kernel's maps, frame after frame. cold: 16 frames of 512 × 1024 px and the state of as many pixels, which no cache holds. hot: 16 frames of
 * 4096 px. Prints {"gb_per_s"}: bytes of frames per second of CPU time.
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

#define FRAMES 16
#define COLD (512 * 1024)
#define HOT 4096
#define SKEW 192 /* bytes between frames, so that they do not share sets of the cache */
#define BLOCK 256

/* CPU time: what else the machine does should not count. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noinline)) static void frame(const uint16_t *restrict raw, uint32_t code, uint32_t *restrict sums,
                                            uint64_t *restrict squares, uint32_t *restrict wrong, size_t pixels) {
  for (size_t i = 0; i < pixels; i++) {
    const uint32_t v = raw[i] & 0x3fff, good = raw[i] >> 14 == code;
    sums[i] += good ? v : 0;
    squares[i] += good ? v * v : 0;
    wrong[i] += !good;
  }
}

/* A block of pixels of one frame, squares in 32 bits: 16 frames fit. */
__attribute__((noinline)) static void block(const uint16_t *restrict raw, uint32_t code, uint32_t *restrict sums,
                                            uint32_t *restrict squares, uint32_t *restrict wrong) {
  for (int i = 0; i < BLOCK; i++) {
    const uint32_t v = raw[i] & 0x3fff, good = raw[i] >> 14 == code;
    sums[i] += good ? v : 0;
    squares[i] += good ? v * v : 0;
    wrong[i] += !good;
  }
}

static void batch(const uint8_t *frames, size_t stride, uint32_t code, uint32_t *restrict sums,
                  uint64_t *restrict squares, uint32_t *restrict wrong, size_t pixels) {
  for (size_t at = 0; at < pixels; at += BLOCK) {
    uint32_t s[BLOCK] = {0}, q[BLOCK] = {0};
    for (int f = 0; f < FRAMES; f++) {
      block((const uint16_t *)(frames + (size_t)f * stride) + at, code, s, q, wrong + at);
    }
    for (int i = 0; i < BLOCK; i++) {
      sums[at + i] += s[i];
      squares[at + i] += q[i];
    }
  }
}

/* [scale × 8 | pedestal × 8] and [limit × 8] for every 8 pixels. */
__attribute__((noinline)) static void track(const uint16_t *restrict raw, float *restrict g0, const float *restrict limits,
                                            float weight, size_t pixels) {
  for (size_t at = 0; at < pixels; at += 8, raw += 8, g0 += 16, limits += 8) {
    for (int i = 0; i < 8; i++) {
      const float pedestal = g0[8 + i], d = (float)raw[i] - pedestal;
      g0[8 + i] = (fabsf(d) < limits[i]) & (raw[i] < 0x4000) ? pedestal + d * weight : pedestal;
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  const int batched = strcmp(argv[2], "batch") == 0, tracks = strcmp(argv[2], "track") == 0;
  const size_t pixels = strcmp(argv[3], "cold") == 0 ? COLD : HOT, stride = 2 * pixels + SKEW;
  const double wanted = atof(argv[4]) / 1e3;
  const int fd = open(argv[1], O_RDONLY);
  if (fd < 0) { perror(argv[1]); return 1; }
  const uint8_t *frames = mmap(NULL, FRAMES * stride, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (frames == MAP_FAILED) { perror("mmap"); return 1; }
  uint32_t *sums = calloc(pixels, 4), *wrong = calloc(pixels, 4);
  uint64_t *squares = calloc(pixels, 8);
  float *g0 = calloc(2 * pixels, 4), *limits = calloc(pixels, 4);
  for (size_t i = 0; i < pixels; i++) {
    g0[i / 8 * 16 + 8 + i % 8] = 2816;
    limits[i] = 24;
  }
  const size_t warm = pixels == COLD ? 3 : 100;
  double start = 0, now = 0;
  size_t done = 0;
  for (size_t round = 0; start == 0 || now - start < wanted; round++) {
    if (batched) batch(frames, stride, 0, sums, squares, wrong, pixels);
    else for (int f = 0; f < FRAMES; f++) {
      const uint16_t *raw = (const uint16_t *)(frames + (size_t)f * stride);
      if (tracks) track(raw, g0, limits, 1.0f / 1024, pixels);
      else frame(raw, 0, sums, squares, wrong, pixels);
    }
    if (start == 0) {
      if (round == warm) start = now = seconds();
      continue;
    }
    done++;
    if (pixels == COLD || done % 100 == 0) now = seconds();
  }
  printf("{\"gb_per_s\":%.4f}\n", (double)(done * FRAMES * pixels * 2) / 1e9 / (now - start));
  return sums[0] == 1 && squares[0] == 2 && g0[8] == 3; /* the results are used */
}
