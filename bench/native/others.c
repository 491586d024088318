/* Kernels that cost little or run seldom: the loops that one writes down, all of them in one run.
 *
 *   others <shm file> <ms>
 *
 * cold: from modules and to places of 128 MiB, one after the other. hot: a few rows to one place, in the
 * second-level cache. Prints {"<kernel> cold", "<kernel> hot"}: GB per second of CPU time, for `packetise`
 * millions of packets; and "<kernel> sum" of what was written once.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define ROWS 256
#define HOT_ROWS 64
#define COLUMNS 512
#define GAP 2
#define SKEW 64
#define RING (128u << 20)
#define DARK_FRAMES 1000
#define BATCH 64
#define NOINLINE __attribute__((noinline))

/* CPU time: what else the machine does should not count. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define MIRROR(name, type)                                                                                     \
  NOINLINE static void name(uint8_t *restrict to, const uint8_t *restrict from, size_t rows, size_t stride) {  \
    for (size_t row = 0; row < rows; row++) {                                                                  \
      const type *in = (const type *)from + row * COLUMNS;                                                     \
      type *out = (type *)(to + row * stride);                                                                 \
      for (size_t x = 0; x < COLUMNS / 2; x++) out[x] = in[COLUMNS - 1 - x];                                   \
      for (size_t x = 0; x < COLUMNS / 2; x++) out[COLUMNS / 2 + GAP + x] = in[COLUMNS / 2 - 1 - x];           \
    }                                                                                                          \
  }
MIRROR(mirror8, uint8_t)
MIRROR(mirror16, uint16_t)
MIRROR(mirror32, uint32_t)

/* What is done to a border pixel and the gap pixel beside it: two columns in the middle, the last row. */
#define LINES(name, type, DO)                                                                                  \
  static inline void name##_pixel(type *border, type *gap) { DO }                                              \
  NOINLINE static void name(uint8_t *restrict to, const uint8_t *restrict from, size_t rows, size_t stride) {  \
    (void)from;                                                                                                \
    for (size_t row = 0; row < rows; row++) {                                                                  \
      type *gap = (type *)(to + row * stride) + COLUMNS / 2;                                                   \
      name##_pixel(gap - 1, gap);                                                                              \
      name##_pixel(gap + 2, gap + 1);                                                                          \
    }                                                                                                          \
    type *last = (type *)(to + (rows - 1) * stride), *above = (type *)(to + (rows - 2) * stride);              \
    for (size_t x = 0; x < COLUMNS; x++) name##_pixel(last + x, above + x);                                    \
  }
#define SHARE(INVALID)                          \
  if (*border == INVALID) *gap = INVALID;       \
  else *gap = *border >> 1, *border -= *gap;
LINES(shareSigned16, int16_t, SHARE(INT16_MIN))
LINES(shareSigned32, int32_t, SHARE(INT32_MIN))
LINES(shareFloats, float, *border = *gap = *border / 2;)
LINES(setPixels, uint16_t, *border = *gap = 65535;)

NOINLINE static void blank(uint8_t *restrict to, const uint8_t *restrict from, size_t rows, size_t stride) {
  (void)from;
  for (size_t row = 0; row < rows; row++) {
    memset(to + row * stride, 0, COLUMNS);
    memset(to + row * stride + COLUMNS + 2 * GAP, 0, COLUMNS);
  }
}

NOINLINE static void fill(uint8_t *restrict to, const uint8_t *restrict from, size_t rows, size_t stride) {
  (void)from;
  for (size_t row = 0; row < rows; row++) {
    uint32_t *out = (uint32_t *)(to + row * stride);
    for (size_t x = 0; x < COLUMNS / 2; x++) out[x] = 0x7fc00000;
    for (size_t x = 0; x < COLUMNS / 2; x++) out[COLUMNS / 2 + GAP + x] = 0x7fc00000;
  }
}

NOINLINE static void isZero(uint8_t *restrict to, const uint8_t *restrict from, size_t rows, size_t stride) {
  (void)stride;
  const uint64_t *words = (const uint64_t *)from;
  uint32_t zero = 1;
  for (size_t i = 0; i < rows * COLUMNS / 4; i++)
    if (words[i] != 0) {
      zero = 0;
      break;
    }
  memcpy(to, &zero, 4);
}

NOINLINE static void countGains(uint8_t *restrict to, const uint8_t *restrict from, size_t rows, size_t stride) {
  (void)stride;
  const uint16_t *raw = (const uint16_t *)from;
  uint32_t *counts = (uint32_t *)to;
  memset(counts, 0, 16);
  for (size_t i = 0; i < rows * COLUMNS; i++) counts[raw[i] >> 14]++;
}

NOINLINE static void finishPedestal(uint8_t *restrict to, const uint8_t *restrict from, size_t rows, size_t stride) {
  (void)stride;
  const size_t pixels = rows * COLUMNS;
  const uint32_t *sums = (const uint32_t *)from, *wrong = (const uint32_t *)(from + 12 * pixels);
  const uint64_t *squares = (const uint64_t *)(from + 4 * pixels);
  float *means = (float *)to, *noises = means + pixels;
  for (size_t i = 0; i < pixels; i++) {
    const uint32_t n = DARK_FRAMES - wrong[i];
    if (n == 0) {
      means[i] = noises[i] = NAN;
      continue;
    }
    const uint32_t k = sums[i] / n; /* near the mean: nothing is lost by subtracting large squares */
    const double s = sums[i] - n * k;
    const double q = (double)(squares[i] - 2ull * k * sums[i] + (uint64_t)n * k * k);
    means[i] = (float)((double)sums[i] / n);
    noises[i] = (float)sqrt((q - s * s / n) / n);
  }
}

/* What a module's input is. */
static void any(uint8_t *at, size_t pixels) {
  for (size_t i = 0; i < 4 * pixels; i++) at[i] = (uint8_t)(i * 37);
}

static void zeros(uint8_t *at, size_t pixels) { memset(at, 0, 2 * pixels); }

static void gains(uint8_t *at, size_t pixels) {
  uint16_t *raw = (uint16_t *)at;
  uint32_t x = 12345;
  for (size_t i = 0; i < pixels; i++) {
    x = x * 1103515245u + 12345u;
    raw[i] = (uint16_t)(((x >> 8) % 100 < 3 ? (x >> 31 ? 0xc000 : 0x4000) : 0) | x >> 20);
  }
}

static void darkSums(uint8_t *at, size_t pixels) {
  uint32_t *sums = (uint32_t *)at;
  uint64_t *squares = (uint64_t *)(at + 4 * pixels);
  memset(at + 12 * pixels, 0, 4 * pixels);
  for (size_t i = 0; i < pixels; i++) {
    const uint32_t mean = 2800 + (uint32_t)(i % 100);
    sums[i] = mean * DARK_FRAMES;
    squares[i] = (uint64_t)(mean * mean + 64) * DARK_FRAMES;
  }
}

static const struct {
  const char *name;
  size_t from, to; /* bytes of a pixel, read and written */
  void (*run)(uint8_t *, const uint8_t *, size_t, size_t);
  void (*input)(uint8_t *, size_t);
} KERNELS[] = {
    {"mirror8", 1, 1, mirror8, any},
    {"mirror16", 2, 2, mirror16, any},
    {"mirror32", 4, 4, mirror32, any},
    {"shareSigned16", 0, 2, shareSigned16, NULL},
    {"shareSigned32", 0, 4, shareSigned32, NULL},
    {"shareFloats", 0, 4, shareFloats, NULL},
    {"setPixels", 0, 2, setPixels, NULL},
    {"blank", 0, 2, blank, NULL},
    {"fill", 0, 4, fill, NULL},
    {"isZero", 2, 0, isZero, zeros},
    {"countGains", 2, 0, countGains, gains},
    {"finishPedestal", 16, 8, finishPedestal, darkSums},
};

static uint32_t sum_of(const uint8_t *at, size_t bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes / 4; i++) sum += ((const uint32_t *)at)[i];
  return sum;
}

/* A simulator's vector: packets of a Jungfrau, two iovecs each. */
typedef struct {
  uint8_t template[48], headers[BATCH][48];
  struct mmsghdr messages[BATCH];
  struct iovec iovecs[BATCH][2];
} Vector;

NOINLINE static void packetise(Vector *v, uint8_t *sources, uint64_t frame, uint32_t first) {
  for (uint32_t i = 0; i < BATCH; i++) {
    uint8_t *header = v->headers[i];
    const uint32_t packet = first + i, number = (uint32_t)frame;
    const uint64_t ticks = frame * 10000;
    const double bunch = (double)frame;
    memcpy(header, v->template, 48);
    memcpy(header, &frame, 8);
    memcpy(header + 12, &packet, 4);
    memcpy(header + 16, &bunch, 8);
    memcpy(header + 24, &ticks, 8);
    memcpy(header + 40, &number, 4);
    v->iovecs[i][0] = (struct iovec){header, 48};
    v->iovecs[i][1] = (struct iovec){sources + frame % 8 * (128 * 8192) + (size_t)packet * 8192, 8192};
    v->messages[i].msg_hdr.msg_iov = v->iovecs[i];
    v->messages[i].msg_hdr.msg_iovlen = 2;
    v->messages[i].msg_hdr.msg_control = NULL;
    v->messages[i].msg_hdr.msg_controllen = 0;
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const double wanted = atof(argv[2]) / 1e3;
  const int fd = open(argv[1], O_RDWR);
  if (fd < 0) { perror(argv[1]); return 1; }
  uint8_t *in = mmap(NULL, 2 * (size_t)RING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (in == MAP_FAILED) { perror("mmap"); return 1; }
  uint8_t *out = in + RING;
  printf("{");
  for (size_t k = 0; k < sizeof KERNELS / sizeof *KERNELS; k++) {
    const int finishing = KERNELS[k].run == finishPedestal;
    for (int cold = 1; cold >= 0; cold--) {
      const size_t rows = cold ? ROWS : finishing ? HOT_ROWS / 4 : HOT_ROWS, pixels = rows * COLUMNS;
      const size_t stride = COLUMNS * KERNELS[k].to + (finishing ? 0 : SKEW);
      const size_t from = pixels * KERNELS[k].from, to = KERNELS[k].to == 0 ? 64 : rows * stride;
      const size_t count = cold ? RING / (from > to ? from : to) : 1;
      const size_t bytes = pixels * (KERNELS[k].from == 0 ? KERNELS[k].to : KERNELS[k].from);
      if (KERNELS[k].input != NULL) {
        KERNELS[k].input(in, pixels);
        for (size_t i = 1; i < count; i++) memcpy(in + i * from, in, from);
      }
      if (cold) {
        for (size_t i = 0; i < to; i++) out[i] = (uint8_t)(i * 37);
        KERNELS[k].run(out, in, rows, stride);
        printf("\"%s sum\":%u,", KERNELS[k].name, sum_of(out, to));
      }
      memset(out, 0, count * to);
      const size_t at_once = cold ? 8 : 32, warm = 10 * at_once;
      size_t done = 0;
      double start = 0, now = 0;
      for (size_t i = 0; start == 0 || now - start < wanted;) {
        for (const size_t end = i + at_once; i < end; i++)
          KERNELS[k].run(out + i % count * to, in + i % count * from, rows, stride);
        if (start != 0) done += at_once;
        now = seconds();
        if (i == warm) start = now;
      }
      printf("\"%s %s\":%.4f,", KERNELS[k].name, cold ? "cold" : "hot", (double)(done * bytes) / 1e9 / (now - start));
    }
  }

  static Vector vector;
  for (size_t i = 0; i < sizeof vector.template; i++) vector.template[i] = (uint8_t)(i * 37);
  packetise(&vector, in, 3, BATCH);
  printf("\"packetise sum\":%u,", sum_of(vector.headers[0], sizeof vector.headers));
  size_t done = 0;
  double start = 0, now = 0;
  for (size_t i = 0; start == 0 || now - start < wanted;) {
    for (const size_t end = i + 32; i < end; i++) packetise(&vector, in, i >> 1, (uint32_t)(i & 1) * BATCH);
    if (start != 0) done += 32;
    now = seconds();
    if (i == 320) start = now;
  }
  printf("\"packetise hot\":%.4f}\n", (double)(done * BATCH) / 1e6 / (now - start));
  return 0;
}
